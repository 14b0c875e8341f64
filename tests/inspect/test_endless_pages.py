"""A collection that always promises another page is never taken for whole."""

from __future__ import annotations

from tests.inspect.helpers import farm_look, server

from yunwei.kernel.verdict import Reason


async def test_pages_without_end_make_the_look_partial():
    well, endless = await farm_look([server("127.6.2.1"), server("127.6.2.2", "endless")])
    assert well.problem is None
    assert not well.partial
    assert endless.problem == Reason.PARTIAL
    assert any("without end" in where for where in endless.partial)
    assert endless.observations  # what was seen is judged all the same
