"""Translation for rooms without Django: Chinese is the message id, other languages come from the catalogue."""

from __future__ import annotations

import gettext
from functools import lru_cache
from pathlib import Path

LOCALE = Path(__file__).resolve().parent.parent / "locale"
_language = "zh-hans"


def use(language: str) -> None:
    """Choose the language of `_` for this process ("zh-hans" or "en")."""
    global _language  # noqa: PLW0603 - one process-wide setting of a command-line tool
    _language = language


@lru_cache(maxsize=4)
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation("django", LOCALE, languages=[language], fallback=True)


def _(message: str) -> str:
    """The message in the chosen language; Chinese when there is no translation."""
    return message if _language.startswith("zh") else _catalogue(_language).gettext(message)
