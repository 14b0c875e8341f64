"""The heap of a long-lived process: what was loaded at start is not searched for garbage again and again."""

from __future__ import annotations

import gc

#: objects made before a young collection; a page or a device makes some ten thousand that all die by themselves
YOUNG = 20_000


def settle() -> None:
    """Call once, when everything a process works with is loaded: modules, contract, vendor files."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
