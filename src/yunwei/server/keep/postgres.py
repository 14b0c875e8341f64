"""PostgreSQL's own tools and the few statements around them: dump of one snapshot, restore in one transaction, empty or not.

A password never stands on a command line: libpq reads it from the environment of the tool.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import conninfo, sql

from yunwei.kernel.i18n import _
from yunwei.server.keep.errors import KeepError

#: a table of this name says that this database is being filled by us, or was when we died: its content is nobody's
MARK = "yunwei_being_filled"
#: the business tables lie in the default schema, the engine's in this one (ADR 1)
ENGINE_SCHEMA = "dbos"


def environment(url: str) -> dict[str, str]:
    """The tool's environment for a database's URL."""
    facts = conninfo.conninfo_to_dict(url)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
             "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT"}  # fmt: skip
    told = {names[key]: str(value) for key, value in facts.items() if key in names and value is not None}
    return {**{k: v for k, v in os.environ.items() if not k.startswith("PG")}, **told}


def tool(name: str, url: str) -> str:
    """The path of a PostgreSQL program that is at least as new as the server. Raises KeepError when there is none."""
    wanted = server_version(url)
    found = set(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if (there := shutil.which(name)) is not None:
        found.add(Path(there))
    best, newest = "", 0
    for path in sorted(found):
        version = _version(path)
        if version > newest:
            best, newest = str(path), version
    if newest < wanted:
        raise KeepError(
            _("缺少 {name} {n} 或更新的版本").format(name=name, n=wanted), where=best or "PATH",
            hint=_("安装 postgresql-client-{n}").format(n=wanted),
        )  # fmt: skip
    return best


def _version(path: Path) -> int:
    """The major version that a program tells ("pg_dump (PostgreSQL) 15.14 (Debian …)"); 0 when it tells none."""
    done = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"PostgreSQL\) (\d+)", done.stdout)
    return int(found[1]) if found else 0


def server_version(url: str) -> int:
    """The server's major version."""
    with connected(url) as connection:
        return connection.info.server_version // 10000


@contextmanager
def connected(url: str, *, autocommit: bool = True) -> Iterator[psycopg.Connection[Any]]:
    """A connection of our own. Raises KeepError when the server does not let us in; its words hold no password."""
    try:
        connection = psycopg.connect(url, autocommit=autocommit, connect_timeout=15)
    except psycopg.OperationalError as error:
        raise KeepError(_("连不上数据库"), where=shown(url), hint=str(error).strip().splitlines()[-1]) from None
    try:
        yield connection
    finally:
        connection.close()


def shown(url: str) -> str:
    """A database as people may see it: without its password."""
    facts = conninfo.conninfo_to_dict(url)
    return f"{facts.get('host', '')}:{facts.get('port', 5432)}/{facts.get('dbname', '')}"


def tables(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """(schema, table) of everything that people or we made."""
    rows = connection.execute(
        "SELECT schemaname, tablename FROM pg_catalog.pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
    ).fetchall()
    return [(str(schema), str(name)) for schema, name in rows]


def functions(connection: psycopg.Connection[Any]) -> list[str]:
    """The functions that people or we made, with their arguments; those of extensions are not."""
    rows = connection.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname = 'public' AND NOT EXISTS "
        "(SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') ORDER BY 1"
    ).fetchall()
    return [str(row[0]) for row in rows]


def claim(url: str) -> None:
    """Mark an empty database as being filled by us; what an earlier try of ours left is taken away first.

    Raises KeepError for a database that holds anything else.
    """
    with connected(url) as connection:
        there = tables(connection)
        if ("public", MARK) in there:
            _clear(connection)
        elif found := [name for _schema, name in there] + functions(connection):
            raise KeepError(
                _("目标数据库不是空的：有 {n} 张表或函数").format(n=len(found)), where=shown(url),
                hint=_("另建一个空库；现有的如 {names}").format(names="、".join(found[:3])),
            )  # fmt: skip
        connection.execute(
            sql.SQL("CREATE TABLE public.{} (at timestamptz DEFAULT now())").format(sql.Identifier(MARK))
        )


def release(url: str) -> None:
    """The database is whole: take the mark off."""
    with connected(url) as connection:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS public.{}").format(sql.Identifier(MARK)))


def clear(url: str) -> None:
    """Empty a database that we claimed. Raises KeepError for one that bears no mark of ours."""
    with connected(url) as connection:
        if ("public", MARK) not in tables(connection):
            raise KeepError(_("不清空没有标记的数据库"), where=shown(url))
        _clear(connection)


def _clear(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(ENGINE_SCHEMA)))
        for schema, name in tables(connection):
            connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(schema, name)))
        for signature in functions(connection):  # written by the server itself, quoted as it wants it
            connection.execute(f"DROP FUNCTION {signature} CASCADE".encode())


def users(url: str) -> list[str]:
    """Other sessions on this database: who is connected besides us."""
    with connected(url) as connection:
        rows = connection.execute(
            "SELECT coalesce(nullif(application_name, ''), usename) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchall()
    return sorted(str(row[0]) for row in rows)


@contextmanager
def dumping(url: str, snapshot: str) -> Iterator[IO[bytes]]:
    """A dump of one snapshot, as a stream. Raises KeepError at the end when pg_dump did not end well."""
    # no compression of its own: the parcel has one; no owner and no grants: the target's are its own
    command = [
        tool("pg_dump", url),
        "--format=custom",
        "--compress=0",
        "--no-owner",
        "--no-privileges",
        f"--snapshot={snapshot}",
    ]
    with _running(command, url, stdout=subprocess.PIPE) as process:
        if process.stdout is None:  # cannot be: asked for
            raise KeepError(_("pg_dump 没有输出"))
        yield process.stdout


def restore(url: str, write: Callable[[IO[bytes]], None]) -> None:
    """Fill an empty database from a dump that `write` gives, in one transaction: whole or not at all. Raises KeepError."""
    command = [tool("pg_restore", url), "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges",
               f"--dbname={conninfo.conninfo_to_dict(url)['dbname']}"]  # fmt: skip
    with _running(command, url, stdin=subprocess.PIPE) as process:
        if process.stdin is None:
            raise KeepError(_("pg_restore 没有输入"))
        try:
            write(process.stdin)
            process.stdin.close()
        except BrokenPipeError:  # it says why on its standard error
            with suppress(BrokenPipeError):
                process.stdin.close()


@contextmanager
def _running(command: list[str], url: str, **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=environment(url), stderr=subprocess.PIPE, **pipes) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        errors = process.stderr.read().decode("utf-8", "replace").splitlines() if process.stderr else []
        code = process.wait()
    if code != 0:
        told = [line for line in errors if "error" in line.lower()] or errors[-1:] or [""]
        raise KeepError(
            _("{tool} 失败").format(tool=Path(command[0]).name), where=shown(url), hint=told[0].strip()[:300]
        )


@contextmanager
def scratch(url: str) -> Iterator[str]:
    """A database beside this one on the same server, dropped afterwards; one that a crash of ours left is dropped before.

    Raises KeepError when we may not make one, and when one of its name is somebody else's.
    """
    name = f"{conninfo.conninfo_to_dict(url)['dbname']}"[:50] + "_rehearsal"
    there = conninfo_url(url, name)
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    make = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
    with connected(url) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            with connected(there) as old:
                ours = ("public", MARK) in tables(old)
            if not ours:
                raise KeepError(
                    _("演练要用的库名已被占用"), where=shown(there), hint=_("给一个空库：--rehearse-on postgres://…")
                )
            connection.execute(drop)
        try:
            connection.execute(make)
        except psycopg.errors.InsufficientPrivilege:
            raise KeepError(
                _("没有建库的权限，不能演练"), where=shown(url), hint=_("给一个空库：--rehearse-on postgres://…")
            ) from None
    try:
        yield there
    finally:
        with connected(url) as connection:
            connection.execute(drop)


def conninfo_url(url: str, database: str) -> str:
    """The URL of another database on the same server."""
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{database}"))
