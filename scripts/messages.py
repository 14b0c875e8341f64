"""The English catalogue: `messages.py` renews locale/en from the sources, `messages.py --compile` makes the .mo file.

Chinese is the message id; a message without an English text is an error of `--check`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "yunwei"
PO = PACKAGE / "locale" / "en" / "LC_MESSAGES" / "django.po"
METHODS = [("**/migrations/**", "ignore"), ("**.py", "python"), ("**.jinja", "jinja2.ext:babel_extract")]
KEYWORDS = {"_": None, "gettext": None, "gettext_lazy": None, "ngettext": (1, 2)}


def has_chinese(text: str) -> bool:
    """Whether a text has Chinese letters or punctuation; "{rule}（{basis}）" is Chinese too."""
    return any("\u4e00" <= c <= "\u9fff" or "\u3001" <= c <= "\u3011" or "\uff01" <= c <= "\uff5e" for c in text)


def load() -> Catalog:
    if not PO.exists():
        return Catalog(locale="en")
    with PO.open("rb") as f:
        return read_po(f, locale="en")


def renew() -> Catalog:
    """Bring the catalogue up to the sources, keeping what is translated."""
    template = Catalog(locale="en")
    for filename, _line, message, comments, context in extract_from_dir(PACKAGE, METHODS, keywords=KEYWORDS):
        if message and has_chinese(message if isinstance(message, str) else message[0]):
            template.add(message, None, [(filename, 0)], auto_comments=comments, context=context)
    catalogue = load()
    catalogue.update(template, no_fuzzy_matching=True)
    return catalogue


def translated(message: Message) -> bool:
    """Whether there is an English text for it, in every number, that nobody has to look at again."""
    texts = message.string if isinstance(message.string, list | tuple) else [message.string]
    return all(texts) and not message.fuzzy


def main(argv: list[str]) -> int:
    if "--compile" in argv:
        PO.parent.mkdir(parents=True, exist_ok=True)
        with PO.with_suffix(".mo").open("wb") as f:
            write_mo(f, load())
        return 0
    catalogue = renew()
    missing = [m.id for m in catalogue if m.id and not translated(m)]
    if "--check" in argv:
        for message in missing:
            print(f"no English text: {message}")
        return 1 if missing else 0
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as f:
        write_po(f, catalogue, width=120, no_location=True, ignore_obsolete=True, omit_header=False, sort_output=True)
    print(f"{len(catalogue)} messages, {len(missing)} without an English text")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
