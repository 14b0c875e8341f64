#!/bin/sh
# 云维离线安装：sh install.sh [目录]（缺省 /opt/yunwei）。不访问任何网络。
# Installs without internet: sh install.sh [FOLDER]. Run again with a newer archive, it renews the program and leaves instances alone.
set -eu
cd "$(dirname "$0")"
exec </dev/null
target=${1:-/opt/yunwei}

say() { printf '· %s\n' "$*"; }
fail() { printf '✗ %s\n' "$*" >&2; exit 2; }

[ "$(id -u)" = 0 ] || fail "需要 root (root is needed)"
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || fail "本包只供 amd64 (this archive is for amd64)"
# shellcheck disable=SC1091
. /etc/os-release
[ "${ID:-}:${VERSION_ID:-}" = debian:12 ] || fail "本包只供 Debian 12，本机是 ${PRETTY_NAME:-?} (this archive is for Debian 12)"
case $target in /*) ;; *) fail "目录须为绝对路径 (an absolute path is needed): $target" ;; esac

say "核对本包 (checking the archive)"
sha256sum --quiet --strict -c SHA256SUMS || fail "文件与 SHA256SUMS 不符，请重新复制 (a file is not what SHA256SUMS says)"

# --- Debian: apt takes from the archive's own repository only what this machine lacks, and never an older version
missing=""
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || missing="python3 python3-venv"
command -v make >/dev/null 2>&1 || missing="$missing make"
command -v openssl >/dev/null 2>&1 || missing="$missing openssl"
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
[ -e /usr/share/zoneinfo/Asia/Shanghai ] || missing="$missing tzdata"
ls /usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc >/dev/null 2>&1 || missing="$missing fonts-noto-cjk"
if [ -n "$missing" ]; then
    say "Debian:$(printf ' %s' $missing)"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/lists/partial"
    printf 'deb [trusted=yes] file:%s/debs ./\n' "$PWD" >"$work/sources.list"
    apt() {
        DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
            -o Dir::State::Lists="$work/lists" -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
    }
    apt update || fail "apt-get update"
    # shellcheck disable=SC2086 - a list of words
    apt install -y --no-install-recommends $missing >"$work/words" 2>&1 || { cat "$work/words" >&2; fail "apt-get install $missing"; }
fi

# --- the product: a Python environment from the wheels alone, each by its hash
say "云维 → $target"
mkdir -p "$target"
cp -R tree/. "$target/"
[ -x "$target/.venv/bin/python" ] || python3 -m venv "$target/.venv"
pip() { "$target/.venv/bin/python" -m pip -q --disable-pip-version-check --no-input --isolated "$@"; }
pip install --no-cache-dir --no-index --find-links wheels --require-hashes -r "$target/requirements.lock" || fail "pip install"
pip install --no-cache-dir --no-index --no-deps --force-reinstall wheels/yunwei-*.whl || fail "pip install yunwei"
# scripts/bootstrap finds everything as it wants it, so `make demo` asks no registry
cat "$target/requirements.lock" "$target/pyproject.toml" | (cd "$target" && sha256sum) >"$target/.venv/.yunwei-demo"
[ -e /usr/local/bin/yunwei ] && [ ! -L /usr/local/bin/yunwei ] || ln -sfn "$target/.venv/bin/yunwei" /usr/local/bin/yunwei

say "完成 (done)。演示 (demo)：cd $target && make demo ARGS=--once"
say "正式实例 (a real instance)：yunwei init /srv/yunwei --contract $target/contracts/… ，见 (see) $target/docs/recipes/install-offline.md"
