"""Whether an instance stands still, and that it stays so while its database is changed under it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from yunwei.kernel.i18n import _
from yunwei.server import instance, worker
from yunwei.server.keep import postgres
from yunwei.server.keep.errors import KeepError


@contextmanager
def stopped(folder: Path) -> Iterator[None]:
    """Hold what a starting instance needs: its worker's lock and its web port. On PostgreSQL nobody else may be connected.

    Raises KeepError when it runs.
    """
    url = instance.database_url(folder)
    with ExitStack() as stack:
        if url:
            if others := postgres.users(url):
                raise KeepError(
                    _("实例正在运行：数据库上还有 {n} 个连接").format(n=len(others)), where=postgres.shown(url),
                    hint=_("先停下全部 yunwei 进程；在用的如 {names}").format(names="、".join(others[:3])),
                )  # fmt: skip
        else:
            try:
                stack.enter_context(worker.only_one(str(folder / "data" / "worker.lock")))
            except instance.InstanceError:
                raise KeepError(
                    _("实例正在运行：有工作进程"), where=str(folder), hint=_("先停下 yunwei serve")
                ) from None
        stack.enter_context(_port(folder))
        yield


@contextmanager
def _port(folder: Path) -> Iterator[None]:
    port = instance.port_of(folder)
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            raise KeepError(
                _("实例正在运行：端口 {n} 有人在用").format(n=port), where=str(folder), hint=_("先停下 yunwei serve")
            ) from None
        yield
