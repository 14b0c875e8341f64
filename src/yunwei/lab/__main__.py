"""`python -m yunwei.lab`: a farm from the FarmSpec (JSON) on the first line of standard input, until that ends."""

from __future__ import annotations

import sys

import msgspec

from yunwei.kernel.errors import YunweiError
from yunwei.lab.serve import run
from yunwei.lab.spec import FarmSpec


def main() -> int:
    """0 when told to stop, 1 when it cannot serve (the reason on standard error)."""
    try:
        run(msgspec.json.decode(sys.stdin.buffer.readline(), type=FarmSpec), until_eof=True)
    except (YunweiError, msgspec.DecodeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
