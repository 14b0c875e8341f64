"""schemathesis over the whole OpenAPI surface: whatever is sent, the answer is one that the schema tells of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.urls import get_resolver
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from yunwei.accounts import tokens
from yunwei.accounts.models import Account
from yunwei.ui.api import API
from yunwei.ui.context import now

pytestmark = pytest.mark.django_db


def operations() -> list[tuple[str, str]]:
    """(method, path) of every operation."""
    assert get_resolver().url_patterns  # the addresses are read: the API has all its routers
    return [(m.upper(), p) for p, found in API.get_openapi_schema()["paths"].items() for m in found]


@pytest.fixture
def surface() -> Iterator[Any]:
    """The API as an application in this process; a request does not close the test's own connection (as in Client)."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    schema = schemathesis.openapi.from_dict(API.get_openapi_schema())
    schema.app = get_wsgi_application()
    yield schema
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda m: m.value)
@pytest.mark.parametrize(("method", "path"), operations())
def test_whatever_is_sent_is_answered_as_the_schema_says(
    surface: Any, people: dict[str, Account], method: str, path: str, mode: GenerationMode
):
    _token, secret = tokens.make(people["b_manager"], "schemathesis", [s.value for s in tokens.Scope], 1, now=now())
    strategy = surface[path][method].as_strategy(generation_mode=mode)
    sent = []

    @given(case=strategy)
    @settings(
        max_examples=6,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def send(case: Any) -> None:
        response = case.call_and_validate(
            headers={
                "Authorization": f"Bearer {secret}",
                "Accept-Encoding": "identity",
            }  # the test client unpacks nothing
        )
        sent.append(response.status_code)
        assert response.status_code < 500

    send()
    assert sent


def test_the_surface_is_all_of_it():
    assert len(operations()) > 20
