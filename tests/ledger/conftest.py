"""The browser of the page's engine is opened by the first test that asks for it and ends with the last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.ledger.twin import twin


@pytest.fixture(scope="session", autouse=True)
def browser_ends() -> Iterator[None]:
    yield
    if twin.cache_info().currsize:
        twin().close()
