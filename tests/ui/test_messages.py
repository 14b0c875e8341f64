"""The English catalogue: whole for what the pages show, and saying the same placeholders as the Chinese."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog, Message

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "messages.py"
#: folders whose words stand on pages
SHOWN = ("ui/", "duties/", "desk/", "accounts/", "contract/plans.py", "inspect/models.py", "runs/models.py")


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def catalogue(messages: ModuleType) -> Catalog:
    """As the sources are now, with what is translated."""
    return messages.renew()


def texts(message: Message) -> list[str]:
    said = message.string
    return list(said) if isinstance(said, list | tuple) else [str(said)]


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{\w*\}|%\(\w+\)s", text))


def test_what_pages_show_is_translated(messages, catalogue):
    missing = [
        m.id
        for m in catalogue
        if m.id and any(str(f).startswith(SHOWN) for f, _line in m.locations) and not messages.translated(m)
    ]
    assert len(catalogue) > 1000
    assert missing == []


def test_no_text_asks_for_what_the_code_does_not_give(catalogue):
    wrong = []
    for message in catalogue:
        source = message.id if isinstance(message.id, str) else message.id[0]
        known = placeholders(source) | ({"{month}"} if source.startswith("{y} 年") else set())
        wrong += [(source, text) for text in texts(message) if source and not placeholders(text) <= known]
    assert wrong == []


def test_english_is_english(catalogue):
    left = [
        (m.id, text) for m in catalogue if m.id for text in texts(m) if re.search(r"[\u4e00-\u9fff，。；：（）]", text)
    ]
    assert left == []


def test_an_empty_plural_is_not_taken_for_a_text(messages):
    assert not messages.translated(Message(("{n} 次", "{n} 次"), ("", "")))
    assert not messages.translated(Message("项", "item", flags=["fuzzy"]))
    assert messages.translated(Message("项", "item"))
