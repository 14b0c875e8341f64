"""All vendor files: found by walking, compiled once, matched to devices."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from yunwei.inspect.vendor.build import Builder, merge, pieces_of
from yunwei.inspect.vendor.compiled import VendorFile
from yunwei.inspect.vendor.errors import VendorFileError
from yunwei.inspect.vendor.schema import read
from yunwei.kernel.i18n import _

GENERIC = "generic"


@dataclass(frozen=True)
class Catalogue:
    """The vendor files by name."""

    files: Mapping[str, VendorFile]

    def get(self, name: str) -> VendorFile:
        """The file of that name. Raises VendorFileError when there is none."""
        if name not in self.files:
            raise VendorFileError(
                _("没有厂商文件 {name}").format(name=name), hint=_("可用：{names}").format(names=" ".join(self.files))
            )
        return self.files[name]

    def match_snmp(self, sys_object_id: str, sys_descr: str = "") -> VendorFile:
        """The file whose match is the most specific: the longest sysObjectID prefix, then one with a sysDescr pattern.

        `generic` for a device nobody claims: its ports and entity sensors are still seen.
        """
        oid = sys_object_id.strip(".")
        best, score = self.files[GENERIC], (-1, False)
        for file in self.files.values():
            for match in file.match.snmp:
                inside = oid == match.object_id or oid.startswith(match.object_id + ".") or not match.object_id
                fits = not match.descr or re.search(match.descr, sys_descr, re.IGNORECASE | re.DOTALL)
                this = (len(match.object_id), bool(match.descr))
                if inside and fits and this > score:
                    best, score = file, this
        return best

    def match_redfish(
        self,
        root: Mapping[str, Any],
        systems: Iterable[Mapping[str, Any]] = (),
        managers: Iterable[Mapping[str, Any]] = (),
    ) -> VendorFile:
        """The file whose patterns fit the service root, the systems and the managers; `generic` when none does."""
        bodies = [root, *systems, *managers]
        told = {
            "manufacturer": " ".join(str(b.get("Manufacturer") or "") for b in bodies),
            "model": " ".join(str(b.get("Model") or "") for b in bodies),
            "vendor": " ".join([str(root.get("Vendor") or ""), *(k for b in bodies for k in (b.get("Oem") or {}))]),
        }
        best, score = self.files[GENERIC], 0
        for file in self.files.values():
            for match in file.match.redfish:
                given = {k: p for k in told if (p := getattr(match, k))}
                if len(given) > score and all(re.search(p, told[k], re.IGNORECASE) for k, p in given.items()):
                    best, score = file, len(given)
        return best

    def for_ssh(self) -> VendorFile:
        """The file for hosts reached by SSH or on the collector's own machine."""
        return next((f for f in self.files.values() if f.match.ssh), self.files[GENERIC])


def folders() -> list[Path]:
    """The `vendors` folder of every line of work."""
    return sorted(
        p for root in import_module("yunwei.work").__path__ for p in Path(root).glob("*/vendors") if p.is_dir()
    )


def load(dirs: Iterable[Path] | None = None) -> Catalogue:
    """Read and compile every `*.yaml` in the folders (those of the lines of work by default). Raises VendorFileError."""
    raw = [
        (*read(path), path)
        for folder in (folders() if dirs is None else dirs)
        for path in sorted(folder.glob("*.yaml"))
    ]
    pieces = pieces_of((file, path, lines) for file, lines, path in raw)
    out: dict[str, VendorFile] = {}
    for file, _lines, _path in raw:
        home = pieces[file.name]
        out[file.name] = Builder(file, home, merge(home, pieces, (file.name,))).build()
    if GENERIC not in out:
        raise VendorFileError(_("没有 generic 厂商文件"), where=", ".join(str(d) for d in (dirs or folders())))
    return Catalogue(out)


_once = threading.Lock()


def shipped() -> Catalogue:
    """The product's own vendor files, compiled once per process, however many threads ask at the same time."""
    with _once:
        return _shipped()


@lru_cache(maxsize=1)
def _shipped() -> Catalogue:
    return load()
