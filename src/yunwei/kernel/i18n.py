"""Translation for rooms without Django: Chinese is the message id, other languages come from the catalogue."""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

LOCALE = Path(__file__).resolve().parent.parent / "locale"
_language = "zh-hans"
#: the language of one request, where a process speaks to several people at once
_here: ContextVar[str] = ContextVar("yunwei_language", default="")


def use(language: str) -> None:
    """Choose the language of `_` for this process ("zh-hans" or "en")."""
    global _language  # noqa: PLW0603 - one process-wide setting of a command-line tool
    _language = language


def chosen() -> str:
    """The language of this process's `_`."""
    return _language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """The language of `_` for what runs inside, in this thread or task alone."""
    token = _here.set(language)
    try:
        yield
    finally:
        _here.reset(token)


@lru_cache(maxsize=4)
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("django", LOCALE, languages=[language], fallback=True)


def _(message: str) -> str:
    """The message in the chosen language; Chinese when there is no translation."""
    language = _here.get() or _language
    return message if language.startswith("zh") else _catalogue(language).gettext(message)
