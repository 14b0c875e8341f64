"""Samples: what a device of one model says, found by walking, loaded once and shared by all devices of that model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

import yunwei.work
from yunwei.kernel.i18n import _
from yunwei.lab.errors import LabError
from yunwei.lab.overlay import FAULTS, Sidecar

SUFFIX = {"snmp": ".snmprec", "redfish": ".tree.json"}
SIDECAR = ".faults.yaml"
OWN = Path(__file__).resolve().parent / "samples"  # an invented switch and server that use standard MIBs and schemas


@dataclass(frozen=True)
class SampleFile:
    """One sample on disk."""

    name: str
    protocol: str
    path: Path

    def sidecar(self) -> Sidecar:
        """The faults file beside it; an empty one where there is none. Raises LabError naming the file."""
        path = self.path.with_name(self.name + SIDECAR)
        if not path.is_file():
            return Sidecar()
        try:
            sidecar = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")) or {}, Sidecar)
        except (yaml.YAMLError, msgspec.ValidationError, UnicodeDecodeError) as error:
            raise LabError(_("故障文件读不懂：{error}").format(error=error), where=str(path)) from error
        unknown = set(sidecar.faults) - set(FAULTS)
        if unknown:
            raise LabError(_("没有名为 {fault} 的故障").format(fault=" ".join(sorted(unknown))), where=str(path))
        return sidecar


def own_folders() -> list[Path]:
    """The folders of the product's own samples: one for each line of work that has vendor files, and the lab's."""
    roots = [Path(root) for root in yunwei.work.__path__]
    found = sorted(folder for root in roots for folder in root.glob("*/vendors/samples") if folder.is_dir())
    return [*found, OWN]


def find(folders: Iterable[Path]) -> dict[tuple[str, str], SampleFile]:
    """All samples below the folders by (protocol, name); of two with one name the first found wins."""
    found: dict[tuple[str, str], SampleFile] = {}
    for folder in folders:
        for protocol, suffix in SUFFIX.items():
            for path in sorted(folder.rglob(f"*{suffix}")):
                name = path.name.removesuffix(suffix)
                found.setdefault((protocol, name), SampleFile(name, protocol, path))
    return found
