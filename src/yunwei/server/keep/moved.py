"""Enters a move in the ledger, in a process that was started on the instance after it: `python -m yunwei.server.keep.moved N`."""

from __future__ import annotations

import sys

from yunwei.server import instance
from yunwei.server.keep import move, upgrade


def main() -> int:
    """YUNWEI_INSTANCE names the instance; the argument is how many unfinished runs begin again."""
    instance.setup()
    found = upgrade.here()
    move.entered(instance.folder(), move.Moved(found.tables, found.head, int(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
