"""Fixtures of all tests: an instance folder with a signing key, so that `record` and `sequence` work anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import settings as hypothesis_settings

# the same examples in every run, however slow the machine is: new ones are searched for by `make chaos`
hypothesis_settings.register_profile("yunwei", derandomize=True, deadline=None)
hypothesis_settings.load_profile("yunwei")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes is started first: at the end one worker would do it while the other has nothing left."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", autouse=True)
def instance_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The instance that all tests of this process stand on; its key signs the heads."""
    from yunwei.assets import credentials
    from yunwei.ledger import keys

    folder = tmp_path_factory.mktemp("instance")
    settings.INSTANCE = folder
    keys.create(folder)
    credentials.create_key(folder / "keys")
    return folder
