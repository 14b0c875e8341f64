# The bundle of checks for one Linux host, run by ONE `sh -s` (POSIX sh, no root needed, nothing is written).
#
# The collector puts `YW_MARK=<nonce>` before this text, so that no output of a host can imitate a marker:
#     @@<nonce> begin <check>
#     ...output, LC_ALL=C...
#     @@<nonce> end <check> <return code>
#     @@<nonce> done
# Return codes: 0 the check could look; 127 the means are missing on this host (unknown, never green); others per check.
# `control` is the positive control: it must fail (1) on every host, or the whole bundle proves nothing.
LC_ALL=C; LANG=C; PATH="$PATH:/usr/sbin:/sbin:/usr/local/sbin"; export LC_ALL LANG PATH

yw_bounded() { if command -v timeout >/dev/null 2>&1; then timeout 8 "$@"; else "$@"; fi; }

# One service, by the first of its names that exists: `service=<name> state=active|inactive|failed|absent`.
yw_service() {
    if command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then
        for unit in "$@"; do
            state=$(yw_bounded systemctl is-active "$unit" 2>/dev/null)
            if [ "$state" = active ]; then echo "service=$unit state=active"; return 0; fi
            if [ "$(yw_bounded systemctl show -p LoadState --value "$unit" 2>/dev/null)" = loaded ]; then
                echo "service=$unit state=${state:-inactive}"; return 3
            fi
        done
        echo "service=$1 state=absent"; return 4
    fi
    # all names at once: a shell reads byte by byte, and a host has hundreds of processes
    running="
$(cat /proc/[0-9]*/comm 2>/dev/null)
"
    for unit in "$@"; do
        name=$(printf %.15s "$unit") # the kernel keeps 15 characters
        case "$running" in *"
$name
"*) echo "service=$unit state=active"; return 0 ;; esac
    done
    echo "service=$1 state=absent"; return 4
}

check_control() { echo "service=yunwei-control state=absent"; [ -e "/proc/yunwei-control/$YW_MARK" ]; }

check_identity() {
    for f in sys_vendor product_name product_serial product_uuid board_serial bios_version; do
        if [ -r "/sys/class/dmi/id/$f" ]; then echo "$f=$(cat "/sys/class/dmi/id/$f" 2>/dev/null)"; fi
    done
    [ -r /etc/machine-id ] && echo "machine_id=$(cat /etc/machine-id)"
    echo "hostname=$(uname -n)"
}

check_os() { cat /etc/os-release || return 127; }
check_kernel() { uname -srm; }

check_uptime() {
    [ -r /proc/uptime ] || return 127
    echo "uptime_s=$(cut -d' ' -f1 /proc/uptime)"
    echo "boot_id=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
}

# epoch_s is read here; the collector adds `offset_s` (host minus collector, half the round trip taken off).
check_clock() {
    echo "epoch_s=$(date +%s.%N)"
    if command -v timedatectl >/dev/null 2>&1; then
        yw_bounded timedatectl show -p NTP -p NTPSynchronized -p Timezone 2>/dev/null
    fi
    if command -v chronyc >/dev/null 2>&1; then
        yw_bounded chronyc -c tracking 2>/dev/null | awk -F, 'NF>5{print "chrony_reference=" $2; print "chrony_offset_s=" $5}'
    fi
    return 0
}

# `fstype blocks_k used_k available_k percent mount`; filesystems that are full by design are left out.
check_disk() {
    command -v df >/dev/null 2>&1 || return 127
    yw_bounded df -PkTl 2>/dev/null | awk 'NR>1 && $2 !~ /^(tmpfs|devtmpfs|squashfs|iso9660|efivarfs|ramfs|overlay)$/ {
        m=$7; for(i=8;i<=NF;i++) m=m " " $i; p=$6; sub(/%/,"",p); print $2, $3, $4, $5, p, m }
        NR>1 && $2=="overlay" && $7=="/" { p=$6; sub(/%/,"",p); print $2, $3, $4, $5, p, $7 }'
}

# `fstype inodes used free percent mount`; "-" where a filesystem has no fixed number of inodes.
check_inode() {
    command -v df >/dev/null 2>&1 || return 127
    yw_bounded df -PTil 2>/dev/null | awk 'NR>1 && $2 !~ /^(tmpfs|devtmpfs|squashfs|iso9660|efivarfs|ramfs|vfat|overlay)$/ {
        m=$7; for(i=8;i<=NF;i++) m=m " " $i; p=$6; sub(/%/,"",p); print $2, $3, $4, $5, p, m }
        NR>1 && $2=="overlay" && $7=="/" { p=$6; sub(/%/,"",p); print $2, $3, $4, $5, p, $7 }'
}

# A filesystem that the kernel turned read-only, although the table of filesystems wants it writable.
check_readonly() {
    [ -r /proc/mounts ] && [ -r /etc/fstab ] || return 127
    awk 'FNR==NR { if ($1 !~ /^#/ && NF>3 && "," $4 "," !~ /,ro,/) want[$2]=1; next }
         ($2 in want) && "," $4 "," ~ /,ro,/ { print $2 }' /etc/fstab /proc/mounts
}

check_load() {
    [ -r /proc/loadavg ] || return 127
    read -r one five fifteen rest </proc/loadavg
    echo "load1=$one"; echo "load5=$five"; echo "load15=$fifteen"
    echo "cores=$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c ^processor /proc/cpuinfo)"
}

check_memory() {
    [ -r /proc/meminfo ] || return 127
    awk '/^(MemTotal|MemFree|MemAvailable|Buffers|Cached):/ { sub(/:/,"",$1); print $1 "_k=" $2 }' /proc/meminfo
}

check_swap() {
    [ -r /proc/meminfo ] || return 127
    awk '/^(SwapTotal|SwapFree):/ { sub(/:/,"",$1); print $1 "_k=" $2 }' /proc/meminfo
}

# One failed unit a line; nothing when none failed.
check_failed_units() {
    command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ] || return 127
    out=$(yw_bounded systemctl list-units --failed --no-legend --plain --no-pager 2>/dev/null) || return 127
    [ -z "$out" ] || echo "$out" | awk '{print $1}'
}

# reboot=yes|no and why: the distribution's own mark, or a newer kernel installed than the one that runs.
check_reboot() {
    if [ -e /run/reboot-required ] || [ -e /var/run/reboot-required ]; then
        echo "reboot=yes"; echo "why=reboot-required"; return 0
    fi
    if command -v needs-restarting >/dev/null 2>&1; then
        yw_bounded needs-restarting -r >/dev/null 2>&1
        case $? in 0) echo "reboot=no"; return 0 ;; 1) echo "reboot=yes"; echo "why=needs-restarting"; return 0 ;; esac
    fi
    running=$(uname -r)
    [ -d "/lib/modules/$running" ] && [ -e "/boot/vmlinuz-$running" ] || return 127
    newest=$(for k in /boot/vmlinuz-*; do echo "${k#/boot/vmlinuz-}"; done | grep -v rescue | sort -V | tail -n 1)
    if [ "$newest" = "$running" ]; then echo "reboot=no"; else echo "reboot=yes"; echo "why=kernel $newest"; fi
}

check_log_service() { yw_service rsyslog rsyslogd syslog-ng syslogd systemd-journald; }
check_audit_service() { yw_service auditd; }

# Last boot's and today's kernel complaints that name hardware; a figure, the lines stay on the host.
check_hardware_log() {
    command -v dmesg >/dev/null 2>&1 || return 127
    out=$(yw_bounded dmesg 2>/dev/null) || return 127
    echo "io_errors=$(echo "$out" | grep -c 'I/O error')"
    echo "mce=$(echo "$out" | grep -c 'Hardware Error')"
    echo "oom=$(echo "$out" | grep -c 'Out of memory')"
}

# Software RAID: `md0 active raid1 2/2 UU`.
check_raid() {
    [ -r /proc/mdstat ] || return 127
    awk '/^md/ { name=$1; state=$3; level=$4; next } name!="" && match($0,/\[[0-9]+\/[0-9]+\]/) {
        n=substr($0,RSTART+1,RLENGTH-2); m=$NF; gsub(/[][]/,"",m); print name, state, level, n, m; name="" }' /proc/mdstat
}

# `name state speed_mbit mac` of every interface with hardware behind it.
check_ports() {
    [ -d /sys/class/net ] || return 127
    for d in /sys/class/net/*; do
        [ -e "$d/device" ] || continue
        echo "${d##*/} $(cat "$d/operstate" 2>/dev/null) $(cat "$d/speed" 2>/dev/null || echo -) $(cat "$d/address" 2>/dev/null)"
    done
}

check_cpu() {
    [ -r /proc/cpuinfo ] || return 127
    awk -F': *' '/^model name/ {m=$2} /^physical id/ {p[$2]=1} /^processor/ {n++}
        END { s=0; for (i in p) s++; print "model=" m; print "sockets=" (s?s:1); print "threads=" n }' /proc/cpuinfo
}

# KEY="value" pairs, one disk a line.
check_disks() {
    command -v lsblk >/dev/null 2>&1 || return 127
    yw_bounded lsblk -dnPb -o NAME,TYPE,SIZE,MODEL,SERIAL,ROTA 2>/dev/null | grep 'TYPE="disk"' || return 0
}

for yw_check in control identity os kernel uptime clock disk inode readonly load memory swap failed_units reboot \
    log_service audit_service hardware_log raid ports cpu disks; do
    printf '\n@@%s begin %s\n' "$YW_MARK" "$yw_check"
    ("check_$yw_check") 2>/dev/null </dev/null
    printf '\n@@%s end %s %s\n' "$YW_MARK" "$yw_check" "$?"
done
printf '\n@@%s done\n' "$YW_MARK"
