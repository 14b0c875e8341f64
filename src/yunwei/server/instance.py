"""An instance: one installation with its settings, keys, contract and data, in one folder.

DIR/yunwei.toml     settings            DIR/keys/      web, ledger and credential keys (0600, not in the database)
DIR/contract/       the contract folder DIR/data/      database, engine, artifacts
DIR/heads/          where signed heads are pushed when the client has named no address yet
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from yunwei.kernel.clock import Clock, OffsetClock, SystemClock
from yunwei.kernel.errors import YunweiError
from yunwei.kernel.i18n import _

SETTINGS = "yunwei.toml"
#: kinds of database addresses
SCHEMES = frozenset({"postgres", "postgresql", "sqlite"})
#: where the console listens unless `[web] port` says otherwise
PORT = 8600


class InstanceError(YunweiError):
    """A folder is no instance, or one cannot be made there."""


@dataclass(frozen=True)
class Person:
    """A first account of a new instance."""

    username: str
    display_name: str
    role: str
    organisation: str
    password: str


@dataclass(frozen=True)
class Blueprint:
    """What `init` needs to know: where the contract is, who is there, how the instance is reached."""

    contract: Path
    organisations: Sequence[tuple[str, str, str]] = ()  # code, name, party
    people: Sequence[Person] = ()
    database_url: str = ""
    heads: str = ""
    port: int = PORT
    demo: bool = False
    now: datetime | None = None  # makes the instance's clock stand off from the machine's
    extra: Mapping[str, Any] = field(default_factory=dict)


def _toml(settings: Mapping[str, Any]) -> str:
    """Our few settings as TOML (tables one deep; the standard library only reads TOML)."""

    def value(v: Any) -> str:
        if isinstance(v, bool):
            return "true" if v else "false"
        if isinstance(v, int | float):
            return str(v)
        if isinstance(v, list):
            return "[" + ", ".join(value(item) for item in v) + "]"
        return '"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [f"{k} = {value(v)}" for k, v in settings.items() if not isinstance(v, dict)]
    for name, table in settings.items():
        if isinstance(table, dict):
            lines += ["", f"[{name}]", *(f"{k} = {value(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def create(folder: Path, plan: Blueprint) -> None:
    """Make a new instance; raises InstanceError when the folder is in use. Nothing is left behind on a failure."""
    if folder.exists() and any(folder.iterdir()):
        raise InstanceError(_("文件夹不是空的"), where=str(folder), hint=_("另选一个文件夹，或先移走其中的内容"))
    try:
        _lay(folder, plan)
        setup(folder, new=True)
        _require_unused()
        _fill(plan)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _lay(folder: Path, plan: Blueprint) -> None:
    # by chmod, not by the umask of whoever runs this: nobody else reads the data or writes what the instance obeys
    for name, mode in (("", 0o755), ("keys", 0o700), ("data", 0o700), ("data/artifacts", 0o700), ("heads", 0o755)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name).chmod(mode)
    _secret(folder / "keys" / "web.key", secrets.token_urlsafe(48))
    shutil.copytree(plan.contract, folder / "contract")
    for path in (folder / "contract", *(folder / "contract").rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    settings: dict[str, Any] = {"demo": plan.demo, "web": {"port": plan.port, "hosts": ["127.0.0.1", "localhost"]}}
    if plan.database_url:
        settings["database_url"] = plan.database_url
    settings["ledger"] = {"push": [plan.heads or "heads"]}
    if plan.now is not None:
        settings["clock"] = {"offset_s": round((plan.now - datetime.now(UTC)).total_seconds())}
    if plan.demo:  # its passwords stand in the source: to change them at the first login would help nobody
        settings["accounts"] = {"change_first": False, "max_age_days": 0}
    settings |= dict(plan.extra)
    _secret(folder / SETTINGS, _toml(settings))  # the database's password may stand in it


def _secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as f:
        f.write(text)


def _fill(plan: Blueprint) -> None:
    """Database, keys, first accounts, the engine's schema, and the first ledger record."""
    from django.core.management import call_command
    from django.db import transaction

    from yunwei.accounts.models import Organisation
    from yunwei.accounts.services import create_account
    from yunwei.assets import credentials
    from yunwei.ledger import keys
    from yunwei.ledger import services as ledger
    from yunwei.runs import dbos_engine

    call_command("migrate", verbosity=0, interactive=False)
    keys.create(folder())
    credentials.create_key(folder() / "keys")
    now = clock().now()
    with transaction.atomic():
        ledger.record("instance.created", "instance", {"demo": plan.demo}, at=now, actor="system:init")
        for code, name, party in plan.organisations:
            Organisation.objects.create(code=code, name=name, party=party)
        for person in plan.people:
            create_account(
                username=person.username,
                display_name=person.display_name,
                role=person.role,
                organisation=Organisation.objects.get(code=person.organisation),
                password=person.password,
                by="system:init",
                now=now,
            )
    dbos_engine.migrate(engine_url())
    ledger.sequence(now)


def setup(folder: Path | None = None, *, new: bool = False) -> None:
    """Make this process one of that instance's: settings, Django, observers. Raises InstanceError when it is none, when its
    settings cannot be meant, and, unless it is `new`, when its database file is gone: SQLite would make an empty one, and
    throw away what still lies beside the lost one.
    """
    if folder is None:
        named = os.environ.get("YUNWEI_INSTANCE")
        if not named:
            raise InstanceError(_("没有指定实例"), hint=_("用 --instance 目录，或设置环境变量 YUNWEI_INSTANCE"))
        folder = Path(named)
    if not (folder / SETTINGS).is_file():
        raise InstanceError(_("这里不是云维实例"), where=str(folder), hint=_("先运行 yunwei init 目录"))
    url = database_url(folder)
    os.environ["YUNWEI_INSTANCE"] = str(folder.resolve())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yunwei.server.settings")
    file = folder / "data" / "yunwei.sqlite3"
    if not (new or url or file.exists()):
        raise InstanceError(_("找不到数据库文件"), where=str(file), hint=_("放回原处，或从备份恢复（yunwei restore）"))
    import django

    django.setup()


def require_current() -> None:
    """Raise InstanceError unless the database is as this program expects it: nothing runs on half of a schema."""
    ahead, behind = migrations()
    if behind:
        hint = _("停止后运行 yunwei upgrade")
        raise InstanceError(_("数据库还没有升级到本程序的版本，待迁移 {n} 项").format(n=len(behind)), hint=hint)
    if ahead:
        hint = _("改用建立这些数据的版本，或更新的版本")
        raise InstanceError(_("数据库由更新的版本建立：{names}").format(names=" ".join(ahead[:5])), hint=hint)


def migrations() -> tuple[list[str], list[str]]:
    """Migrations that the database has and this program does not know, and those that it still lacks."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    known, done = executor.loader.disk_migrations, executor.loader.applied_migrations
    ahead = sorted(f"{app}.{name}" for app, name in done if (app, name) not in known)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return ahead, [str(migration) for migration, _backwards in plan]


def _require_unused() -> None:
    """Raise InstanceError when the database holds something already: another instance's, perhaps."""
    from django.db import connection

    if connection.introspection.table_names():
        raise InstanceError(_("这个数据库不是空的"), where="database_url", hint=_("另建一个空的数据库"))


def folder() -> Path:
    """This process's instance folder."""
    return Path(os.environ["YUNWEI_INSTANCE"])


def settings() -> dict[str, Any]:
    """The instance's settings as written in yunwei.toml."""
    return settings_in(folder())


def settings_in(folder: Path) -> dict[str, Any]:
    """The settings of the instance in a folder. Raises InstanceError when there is none."""
    path = folder / SETTINGS
    try:
        with path.open("rb") as f:
            told = tomllib.load(f)
    except FileNotFoundError:
        raise InstanceError(_("这里不是云维实例"), where=str(folder), hint=_("先运行 yunwei init 目录")) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InstanceError(_("设置文件读不懂：{error}").format(error=error), where=str(path)) from None
    _check(told, path)
    return told


def _check(told: Mapping[str, Any], path: Path) -> None:
    """Raise InstanceError for settings that cannot be meant. What a room alone reads, it checks itself."""
    for name in ("web", "ledger", "clock", "traps"):
        if not isinstance(told.get(name, {}), dict):
            raise InstanceError(_("应是一节：[{name}]").format(name=name), where=str(path))
    port, push, url = (
        told.get("web", {}).get("port", PORT),
        told.get("ledger", {}).get("push", []),
        told.get("database_url", ""),
    )
    if type(port) is not int or not 0 < port < 65536:
        raise InstanceError(_("端口应是 1 至 65535 的整数"), where=f"{path} [web] port = {port!r}")
    if not isinstance(push, list) or not all(isinstance(one, str) and one for one in push):
        raise InstanceError(_("应是一列目录"), where=f"{path} [ledger] push = {push!r}", hint='push = ["heads"]')
    if url and (not isinstance(url, str) or url.partition("://")[0] not in SCHEMES):
        raise InstanceError(_("数据库地址的写法不对"), where=f"{path} database_url", hint="postgres://…/…")


def port_of(folder: Path) -> int:
    """Where the console of the instance in a folder listens."""
    return int(settings_in(folder).get("web", {}).get("port", PORT))


def database_url(folder: Path) -> str:
    """The URL of the database of the instance in a folder; "" for the embedded one."""
    return os.environ.get("DATABASE_URL") or str(settings_in(folder).get("database_url", ""))


def set_database(folder: Path, url: str) -> None:
    """Let the instance in a folder use another database ("" for the embedded one); the rest of its settings stays as written."""
    text = (folder / SETTINGS).read_text(encoding="utf-8")
    table = re.search(r"^[ \t]*\[", text, re.MULTILINE)
    head, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    lines = [line for line in head.splitlines() if not line.replace(" ", "").startswith("database_url=")]
    while lines and not lines[-1].strip():
        lines.pop()
    if url:
        lines.append(_toml({"database_url": url}).strip())
    _renew(folder, "\n".join(lines) + ("\n\n" if lines else "") + rest)


def _renew(folder: Path, text: str) -> None:
    """Put other settings in the place of the old ones: whole or not at all."""
    new = folder / f".{SETTINGS}.new"
    new.unlink(missing_ok=True)
    _secret(new, text)
    new.replace(folder / SETTINGS)


def clock() -> Clock:
    """The instance's clock: the machine's, or one that stands off from it (a demo after the term has ended)."""
    offset = settings().get("clock", {}).get("offset_s", 0)
    return OffsetClock(timedelta(seconds=offset)) if offset else SystemClock()


def set_clock(now: datetime | None) -> None:
    """Let this instance's clock stand off from the machine's so that it shows `now`; None: the machine's own time.
    Processes that run already keep the clock that they started with."""
    told = {name: value for name, value in settings().items() if name != "clock"}
    if now is not None:
        told["clock"] = {"offset_s": round((now - datetime.now(UTC)).total_seconds())}
    _renew(folder(), _toml(told))


def engine_url() -> str:
    """The durable engine's database: PostgreSQL beside the business tables, or a SQLite file of its own.

    A file of its own, because the two write at the same time and SQLite has one write lock a file; ids are
    deterministic and the reconciler hands over again what the business database holds, so the two need no
    common transaction.
    """
    from django.conf import settings as django_settings

    config = django_settings.DATABASES["default"]
    if "postgresql" in config["ENGINE"]:
        return postgres_url(config)
    return f"sqlite:///{folder() / 'data' / 'engine.sqlite3'}"


def postgres_url(config: Mapping[str, Any]) -> str:
    """A libpq URL of Django's database settings, for psycopg and SQLAlchemy (psycopg 3)."""
    from urllib.parse import quote

    who = quote(config["USER"] or "", safe="")
    if config["PASSWORD"]:
        who += ":" + quote(config["PASSWORD"], safe="")
    host = config["HOST"] or "127.0.0.1"
    return f"postgresql://{who}@{host}:{config['PORT'] or 5432}/{config['NAME']}"
