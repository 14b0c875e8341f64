"""Facts of the machine that a reader needs to judge figures; neither its name nor a path of it."""

from __future__ import annotations

import os
import platform
import ssl
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("yunwei", "uvloop", "orjson", "asyncssh", "cryptography", "django", "dbos", "psycopg")


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def facts() -> dict[str, str | int | float]:
    """Cores, processor, memory, load, kernel, Python and versions."""
    told: dict[str, str | int | float] = {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _field("/proc/cpuinfo", "model name"),
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GiB",
        "load before": load(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "OpenSSL": ssl.OPENSSL_VERSION.split()[1],
    }
    for name in PACKAGES:
        try:
            told[name] = version(name)
        except PackageNotFoundError:
            continue
    return told


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text(encoding="utf-8").splitlines():
        key, _colon, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0" if "meminfo" in file else "unknown"
