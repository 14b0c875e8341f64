"""Checks on the reference data that is not part of the product: `make check-shared DIR=…`; exit 1 on any problem."""

from __future__ import annotations

import sys
from pathlib import Path

import check_shared_contract
import check_shared_hardware


def main(folder: Path) -> int:
    if not (folder / "hardware" / "MANIFEST.json").is_file():
        print(f"no reference data in {folder}; use: make check-shared DIR=path")
        return 2
    problems = check_shared_contract.run(folder)
    report = check_shared_hardware.run(folder, via_farm=True)
    print("\n".join(report.lines()))
    problems += report.problems
    for problem in problems:
        print(f"✗ {problem}")
    print("ok" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1] else ".")))
