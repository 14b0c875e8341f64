"""The pieces of HTML that tables and sentences are made of: whatever goes in comes out as text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from markupsafe import Markup

from tests.ui.tags import Tags
from yunwei.ui import cells

EVIL = "<q-evil>\"'><q-more on=1>"


@pytest.mark.parametrize(
    "make",
    [
        lambda: cells.state(EVIL, EVIL),
        lambda: cells.chip(EVIL, EVIL),
        lambda: cells.link(EVIL, EVIL),
        lambda: cells.link(EVIL, EVIL, code=True),
        lambda: cells.name(EVIL),
        lambda: cells.name("x", note=EVIL),
        lambda: cells.clause(EVIL),
        lambda: cells.clause([EVIL, "4.1.3"]),
        lambda: cells.figure(EVIL, EVIL),
        lambda: cells.text(EVIL),
    ],
)
def test_a_cell_makes_its_own_tags_alone(make: Callable[[], Markup]) -> None:
    made = make()
    assert isinstance(made, Markup), "a template would escape it once more"
    read = Tags(str(made))
    assert not [tag for tag in read.names if tag.startswith("q-")]
    assert "on" not in read.attributes
    assert "&lt;q-evil&gt;" in made
