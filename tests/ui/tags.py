"""What a page holds, as a browser would parse it."""

from __future__ import annotations

from html.parser import HTMLParser


class Tags(HTMLParser):
    """What a browser would see as tags and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _value in attrs}
