"""Real parts beside the farm, where they are installed: net-snmp's snmpd and OpenSSH's sshd, on loopback only.

Both are context managers that end what they started by its process id. Missing programs raise LabError (`installed`
tells beforehand).
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from yunwei.kernel.children import end, leashed
from yunwei.kernel.i18n import _
from yunwei.lab import net
from yunwei.lab.errors import LabError
from yunwei.lab.spec import DeviceSpec, User, derive, is_loopback

SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"))
START_S = 10.0
PRIVSEP = Path("/run/sshd")  # sshd's own compile-time choice on Debian; made by its unit, missing in containers
MAX_SSH = 256  # connections at a time

#: net-snmp's names of the privacy protocols
NET_SNMP_PRIV = {"AES": "AES", "AES-256": "AES-256", "AES-256-C": "AES-256-C"}


def installed(program: str) -> str | None:
    """The path of a program, administrators' folders included; None where it is not installed."""
    return shutil.which(program, path=SYSTEM_PATH)


def _needed(program: str, package: str) -> str:
    path = installed(program)
    if path is None:
        raise LabError(_("没有安装 {program}").format(program=program), hint=f"apt install {package}")
    return path


class Snmpd:
    """A real snmpd: `with Snmpd(community="c", users=[...]) as agent:` answers v2c and v3 at `address:port`."""

    def __init__(self, *, address: str = "127.0.0.1", community: str = "", users: Sequence[User] = ()) -> None:
        if not is_loopback(address):
            raise LabError(_("实验室只在本机环回地址上应答"), where=address)
        self.address = address
        self.community = community
        self.users = tuple(users)
        self.port = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 when it is not running."""
        return self._process.pid if self._process is not None else 0

    def credential(self) -> dict[str, str]:
        """What a client logs in with: the community, or else the first user."""
        if self.community:
            return {"kind": "snmp2c", "community": self.community}
        return DeviceSpec.user_credential(self.users[0])

    def __enter__(self) -> Self:
        program = _needed("snmpd", "snmpd")
        self._folder = tempfile.TemporaryDirectory(prefix="yunwei-snmpd-")
        folder = Path(self._folder.name)
        (folder / "snmpd.conf").write_text(self._config(), encoding="utf-8")
        (folder / "snmpd.conf").chmod(0o600)
        self.port = _free_udp_port(self.address)
        log = folder / "log"
        command = [program, "-f", "-C", "-c", str(folder / "snmpd.conf"), "-Lf", str(log), "-I", "-smux"]
        self._process = subprocess.Popen(
            leashed([*command, f"udp:{self.address}:{self.port}"]),
            env={**os.environ, "SNMP_PERSISTENT_DIR": str(folder), "MIBS": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the parent, which ends it
        )
        try:
            self._wait(log)
        except LabError:
            self.__exit__(None, None, None)
            raise
        return self

    def _config(self) -> str:
        lines = ["sysLocation lab", "sysContact lab", "sysName lab-snmpd"]
        if self.community:
            lines.append(f"rocommunity {self.community} 127.0.0.0/8")
        for user in self.users:
            words = ["createUser", user.user]
            level = "noauth"
            if user.auth_proto:
                words += [user.auth_proto, f'"{user.auth_password}"']
                level = "auth"
            if user.priv_proto:
                words += [NET_SNMP_PRIV[user.priv_proto], f'"{user.priv_password or user.auth_password}"']
                level = "priv"
            lines += [" ".join(words), f"rouser {user.user} {level}"]
        return "\n".join(lines) + "\n"

    def _wait(self, log: Path) -> None:
        """Until its socket is there (/proc/net/udp), so that the first question is not lost."""
        place = f"{int.from_bytes(socket.inet_aton(self.address), 'little'):08X}:{self.port:04X}"
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                break
            if place in Path("/proc/net/udp").read_text(encoding="ascii"):
                return
            time.sleep(0.02)
        words = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        raise LabError(_("snmpd 没有启动：{words}").format(words=words[-1] if words else ""))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        process, self._process = self._process, None
        if process is not None:
            end(process)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _free_udp_port(address: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        port: int = sock.getsockname()[1]
        return port


class Sshd:
    """A real sshd at every 127.x.y.z: `with Sshd() as host:`; log in as `user` with `private_key` at `port`.

    sshd itself can listen at most at 16 addresses or else at all of the machine's, so the listening is ours
    (loopback only, see `net`) and each connection is handed to an `sshd -i` of its own. Host key and login key are
    made fresh, or from a seed. Works as root and, for the own account, as anybody else.
    """

    def __init__(self, *, seed: str = "") -> None:
        """`seed`: the same host key and login key whenever it is started again; without one they are fresh."""
        self._seed = seed
        self.user = getpass.getuser()
        self.private_key = ""
        self.host_key = ""  # public, as in known_hosts: "ssh-ed25519 AAAA…"
        self.port = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._servers: list[subprocess.Popen[bytes]] = []
        self._command: list[str] = []

    def credential(self) -> dict[str, str]:
        """What a client logs in with."""
        return {"kind": "ssh", "user": self.user, "private_key": self.private_key}

    def __enter__(self) -> Self:
        program = _needed("sshd", "openssh-server")
        self._folder = tempfile.TemporaryDirectory(prefix="yunwei-sshd-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)  # the login account reads the authorized key
        host, login = self._key("host"), self._key("login")
        self.private_key, self.host_key = _private(login), _public(host)
        _write(folder / "host_key", _private(host), 0o600)
        _write(folder / "authorized_keys", _public(login) + "\n", 0o644)
        _write(folder / "sshd_config", self._config(folder), 0o644)
        if os.geteuid() == 0:
            PRIVSEP.mkdir(mode=0o755, exist_ok=True)
        self._command = [program, "-i", "-e", "-f", str(folder / "sshd_config")]
        checked = subprocess.run(
            [program, "-t", "-f", str(folder / "sshd_config")], capture_output=True, text=True, check=False
        )
        if checked.returncode:
            self.__exit__(None, None, None)
            raise LabError(_("sshd 没有启动：{words}").format(words=checked.stderr.strip()))
        self._listener = net.tcp_listener(0)
        self._listener.settimeout(0.5)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, args=(self._listener, folder / "log"), daemon=True)
        self._thread.start()
        return self

    def _key(self, use: str) -> Ed25519PrivateKey:
        if not self._seed:
            return Ed25519PrivateKey.generate()
        return Ed25519PrivateKey.from_private_bytes(derive(self._seed, "sshd", use, size=32))

    def _config(self, folder: Path) -> str:
        lines = (
            f"HostKey {folder}/host_key",
            f"AuthorizedKeysFile {folder}/authorized_keys",
            f"AllowUsers {self.user}",
            f"UsePAM {'yes' if _locked(self.user) else 'no'}",
            "StrictModes no",  # the folder is a temporary one
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PubkeyAuthentication yes",
            "AllowTcpForwarding no",
            "AllowAgentForwarding no",
            "X11Forwarding no",
            "PrintMotd no",
            "PidFile none",
            "SetEnv SHLVL=8",  # Debian's bash reads ~/.bashrc under sshd at the first level: not part of the lab's host
            "MaxSessions 16",
            "LoginGraceTime 20",
        )
        return "\n".join(lines) + "\n"

    def _listen(self, listener: socket.socket, log: Path) -> None:
        with log.open("ab") as words:
            while True:
                self._servers = [server for server in self._servers if server.poll() is None]
                try:
                    connection, _peer = listener.accept()
                except TimeoutError:
                    continue
                except OSError:  # closed: the context ended
                    return
                with connection:
                    if net.local_address(connection) is None or len(self._servers) >= MAX_SSH:
                        continue
                    connection.setblocking(True)
                    handle = connection.fileno()
                    server = subprocess.Popen(self._command, stdin=handle, stdout=handle, stderr=words)
                    self._servers.append(server)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accept
            self._listener.close()
            self._listener = None
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None
        for server in self._servers:
            end(server)
        self._servers = []
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _private(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def _write(path: Path, text: str, mode: int) -> None:
    path.touch(mode=mode)
    path.write_text(text, encoding="ascii")


def _locked(user: str) -> bool:
    """Whether the account's password is locked ("!"): sshd then lets keys in only when PAM judges the account."""
    with contextlib.suppress(OSError):
        for line in Path("/etc/shadow").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _colon, rest = line.partition(":")
            if name == user:
                return rest.startswith("!")
    return False
