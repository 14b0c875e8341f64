"""What the web process and its settings shut unless somebody opens it on purpose."""

from __future__ import annotations

from typing import Any

import pytest
import uvicorn

from yunwei.server import instance, settings, web


def test_settings_tell_no_traces_and_answer_no_other_name() -> None:
    assert settings.DEBUG is False
    assert settings.ALLOWED_HOSTS == ["127.0.0.1", "localhost"]
    assert getattr(settings, "USE_X_FORWARDED_HOST", False) is False
    assert getattr(settings, "CSRF_TRUSTED_ORIGINS", []) == []
    assert settings.HTTPS or not hasattr(settings, "SECURE_PROXY_SSL_HEADER"), "believed only behind a proxy of ours"


def test_the_web_process_listens_here_alone_and_believes_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[uvicorn.Config] = []

    class Kept:
        def __init__(self, config: uvicorn.Config, _site: Any) -> None:
            made.append(config)

        def run(self) -> None:
            """Nothing is served."""

    monkeypatch.setattr(instance, "setup", lambda: None)
    monkeypatch.setattr(instance, "settings", dict)
    monkeypatch.setattr(web, "Server", Kept)
    monkeypatch.setattr(web.resource, "setrlimit", lambda *_: None)
    from django.db import connections

    before = dict(connections["default"].settings_dict)
    try:
        web.main()
    finally:
        connections["default"].settings_dict.update(before)
    (config,) = made
    assert config.host == "127.0.0.1"
    assert config.proxy_headers is False
    assert config.server_header is False
    assert config.ws == "none"
    assert config.limit_concurrency == web.DEFAULTS["events"] + web.CONNECTIONS
