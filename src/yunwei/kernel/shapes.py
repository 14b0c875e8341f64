"""msgspec learns a type at its first use, and two threads that use it first at the same time crash the process.

So the modules that define what threads decode say it here, at import, which one thread does under the import lock.
Found by a worker that died of SIGSEGV when its first chunks started together (msgspec 0.22).
"""

from __future__ import annotations

from typing import Any

import msgspec


def learn(*types: Any) -> None:
    """Learn these types, and all that stand in them, now."""
    for kind in types:
        msgspec.json.Decoder(kind, strict=False)
