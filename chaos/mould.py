"""A process that has loaded the product and opened nothing: what dies is a fork of it, and costs no start of Python."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from chaos import machine
from chaos.machine import Bed


def warm(home: Bed) -> None:
    """Load what every play needs, so that a fork has it already; no database is opened."""
    home.restore("morning")
    machine.join(home)
    import dbos  # noqa: F401
    from django.apps import apps

    import yunwei.ledger.verify  # noqa: F401
    from yunwei.assessment import sheets  # noqa: F401
    from yunwei.cli import demo_replay  # noqa: F401
    from yunwei.duties import sources
    from yunwei.inspect.vendor import shipped
    from yunwei.kernel import heap
    from yunwei.runs import dbos_engine  # noqa: F401
    from yunwei.runs.procedure import registry
    from yunwei.work.hardware import procedures  # noqa: F401

    for config in apps.get_app_configs():
        if config.name.startswith("yunwei.") and find_spec(f"{config.name}.audit") is not None:
            import_module(f"{config.name}.audit")
    sources.folder()
    registry()
    shipped()
    heap.settle()  # a collection in a fork would write to every page that it shares: a fifth of what a play takes
