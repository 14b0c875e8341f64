"""The peers' own environment: `.bench/venv` from `peers.lock`, programs of the system. Never a dependency of the product."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from bench.model import MissingPeer

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".bench"
LOCK = Path(__file__).resolve().parent / "peers.lock"
SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/local/sbin"))
INSTALL_S = 600


@cache
def python() -> Path:
    """The interpreter of the peers' environment, made or renewed when the lock changed. Raises MissingPeer."""
    venv = FOLDER / "venv"
    interpreter, stamp = venv / "bin" / "python", venv / ".lock"
    want = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if interpreter.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == want:
        return interpreter
    say("peers: .bench/venv")
    shutil.rmtree(venv, ignore_errors=True)
    uv = str(Path(sys.prefix) / "bin" / "uv")
    _run([uv, "venv", "-q", "--python", sys.executable, str(venv)], "the environment of the peers")
    install = [uv, "pip", "install", "-q", "--compile-bytecode", "--python", str(interpreter), "--require-hashes"]
    _run([*install, "-r", str(LOCK)], "the peers of bench/peers.lock")
    stamp.write_text(want, encoding="ascii")
    return interpreter


@cache
def program(name: str, package: str) -> str:
    """The path of a program of the system; installed by apt where it is missing and we may. Raises MissingPeer."""
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        _apt(package)
        found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        raise MissingPeer(f"{name} is not installed (apt install {package})")
    return found


@cache
def header(name: str, package: str) -> None:
    """A header of the system's C compiler, installed like a program. Raises MissingPeer."""
    if not _compiles(name):
        _apt(package)
        if not _compiles(name):
            raise MissingPeer(f"{name} is not installed (apt install {package})")


def _compiles(name: str) -> bool:
    check = [program("gcc", "gcc"), "-E", "-x", "c", "-"]
    return (
        subprocess.run(check, input=f"#include <{name}>\n".encode(), capture_output=True, check=False).returncode == 0
    )


def _apt(package: str) -> None:
    """Install one package, without starting services. Raises MissingPeer when we may not or it fails."""
    apt = shutil.which("apt-get", path=SYSTEM_PATH)
    if apt is None:
        raise MissingPeer(f"{package} is not installed and there is no apt")
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if root and shutil.which("sudo") is None:
        raise MissingPeer(f"{package} is not installed, and only root may (apt install {package})")
    say(f"apt: {package}")
    command = [*root, "env", "DEBIAN_FRONTEND=noninteractive", apt]
    install = [*command, "install", "-y", "-qq", "--no-install-recommends", package]
    if subprocess.run(install, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode:
        _run([*command, "update", "-qq"], f"apt's lists for {package}")
        _run(install, package)


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, text=True, timeout=INSTALL_S, check=False, cwd=ROOT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingPeer(f"{what} cannot be installed: {type(error).__name__}") from None
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise MissingPeer(f"{what} cannot be installed: {words[-1] if words else done.returncode}")


def say(text: str) -> None:
    """A line for whoever waits."""
    sys.stderr.write(f"· {text}\n")
    sys.stderr.flush()
