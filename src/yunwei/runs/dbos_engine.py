"""The durable engine: DBOS Transact (core only) behind the port. The only module that imports dbos.

What notes and trying found necessary: a JSON serialiser (the default is pickle: whoever can write the table could run
code), an explicit application version (the default strands running work at every edit), WAL and IMMEDIATE on
SQLite, a unique executor id per process, and takeover of a dead worker's runs (`takeover`). None of the
vendor's paid parts is used (Conductor, sharding, retention, auto-upgrade).
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, Serializer, StepOptions, WorkflowHandle
from dbos._context import current_owner_xid
from dbos._dbos import _get_dbos_instance

from yunwei.kernel.clock import Clock
from yunwei.runs import checkpoints, enqueueing, execute, lent, polling
from yunwei.runs.engine import EngineError
from yunwei.runs.patience import patient
from yunwei.runs.procedure import procedure

log = logging.getLogger(__name__)

#: raised only when every run of the old version has finished
APPLICATION_VERSION = "1"
APPLICATION = "yunwei"
RUN, CHUNK = "yunwei.run", "yunwei.chunk"
#: runs wait for their chunks, so the two must not share slots: a queue full of waiting runs would never drain
RUNS, CHUNKS = "runs", "chunks"
#: settling a run touches many rows: a lock or a collision must not leave the run open for ever
CLOSE_TRIES = 5
#: states of the engine in which it has not put a workflow down
GOES_ON = frozenset({"PENDING", "ENQUEUED", "DELAYED"})
#: SQLite's words for SQLITE_FULL, SQLITE_IOERR and SQLITE_CANTOPEN
NO_ROOM = ("disk is full", "disk I/O error", "unable to open database file")
#: seconds between two looks whether a chunk has ended: as many runs look as wait
POLL_S = 0.5


class JsonSerializer(Serializer):
    """Everything the engine stores is JSON that people can read and nobody can execute."""

    def serialize(self, data: Any) -> str:
        if isinstance(data, BaseException):
            return json.dumps({"__error__": execute.describe(data)}, ensure_ascii=False)
        return json.dumps(data, ensure_ascii=False)

    def deserialize(self, serialized_data: str) -> Any:
        data = json.loads(serialized_data)
        if isinstance(data, dict) and "__error__" in data:
            return EngineError(str(data["__error__"]))
        return data

    def name(self) -> str:
        return "yunwei_json"


class _Process:
    """What the workflow functions need and the engine cannot hand them: one engine a process."""

    clock: Clock
    client: DBOSClient


_process = _Process()


def _judged(fn: Callable[..., Any], *args: Any) -> Any:
    """Call a step's function on a connection that it has for itself until it ends."""
    with lent.lent():
        return fn(*args)


def _step(name: str, fn: Callable[..., Any], *args: Any, retries: int = 0) -> Any:
    """A durable step: its JSON result is checkpointed, and it is not called again once it has one."""
    options: StepOptions = {"name": name}
    if retries:
        options |= {"retries_allowed": True, "max_attempts": retries + 1, "interval_seconds": 1.0, "backoff_rate": 2.0}
    return DBOS.run_step(options, _judged, fn, *args)


@DBOS.workflow(name=RUN)
def run_workflow(run_id: str) -> str:
    """One run: its steps in order; on failure what was done is taken back in reverse order."""
    try:
        return _run(run_id)
    finally:
        execute.forget(run_id)


def _run(run_id: str) -> str:
    clock = _process.clock
    name = cast("str", _step("open", execute.open_run, run_id, clock))
    if not name:
        return "ended before"
    results: dict[str, Any] = {}
    done: list[str] = []
    try:
        for step in procedure(name).steps:
            if step.fan is None:
                results[step.name] = _step(
                    step.name, execute.do_step, run_id, step.name, results, clock, retries=step.retries
                )
            else:
                results[step.name] = _fan_out(run_id, step.name, results)
            done.append(step.name)
    except Exception as error:
        log.exception("run %s failed", run_id)
        _step("undo", execute.undo, run_id, done, results, clock)
        _step("close", _close, run_id, execute.describe(error), retries=CLOSE_TRIES)
        return "failed"
    _step("close", _close, run_id, "", retries=CLOSE_TRIES)
    return "done"


def _close(run_id: str, error: str) -> None:
    execute.close_run(run_id, _process.clock, error=error)


def _fan_out(run_id: str, step: str, results: dict[str, Any]) -> list[Any]:
    ids = cast("list[str]", _step(f"{step}.fan", _enqueue_chunks, run_id, step, results))
    # existing_workflow=False: the look-up before waiting would be a step of its own, with a result that is no JSON
    handles: list[WorkflowHandle[Any]] = [DBOS.retrieve_workflow(chunk_id, existing_workflow=False) for chunk_id in ids]
    return [handle.get_result(polling_interval_sec=POLL_S) for handle in handles]


@patient  # the engine does its own writing again when the server was away, but not this
def _enqueue_chunks(run_id: str, step: str, results: dict[str, Any]) -> list[str]:
    """Enqueue all chunks in one transaction (one fsync for all of them); ids are derived, so twice is once."""
    chunks = execute.chunks_of(run_id, step, results, _process.clock)
    ids = [f"{run_id}/{step}/{i:05d}" for i in range(len(chunks))]
    _enqueue(
        [
            (_enqueued(CHUNK, CHUNKS, chunk_id), (run_id, step, results, chunk, i))
            for i, (chunk_id, chunk) in enumerate(zip(ids, chunks, strict=True))
        ]
    )
    return ids


def _enqueue(work: Sequence[tuple[EnqueueOptions, tuple[Any, ...]]]) -> None:
    """Workflows and their arguments into their queues; those that are known already are left as they are."""
    client = _process.client
    # the client's public words enqueue one at a time, at half a millisecond each; its own readers of queues enqueue so
    build, database = client._build_enqueue_status, client._sys_db  # noqa: SLF001
    database.init_workflows([build(options, *args)[1] for options, args in work])


def _enqueued(workflow: str, queue: str, workflow_id: str) -> EnqueueOptions:
    return {
        "workflow_name": workflow,
        "queue_name": queue,
        "workflow_id": workflow_id,
        "app_version": APPLICATION_VERSION,
    }


@DBOS.workflow(name=CHUNK)
def chunk_workflow(run_id: str, step: str, results: dict[str, Any], chunk: Any, index: int) -> Any:
    """One chunk of a fan-out step, on whichever worker takes it."""
    return _step(step, execute.do_chunk, run_id, step, results, chunk, index, _process.clock)


def _wait_for_room(context: sa.engine.ExceptionContext) -> BaseException | None:
    """A disk that is full or fails is waited for like a lock, as the engine does by itself on PostgreSQL: a step that was
    done must not fail because there is no room to write that down."""
    told = context.original_exception
    if not isinstance(told, sqlite3.OperationalError) or not any(words in str(told) for words in NO_ROOM):
        return None
    locked = sqlite3.OperationalError(
        f"database is locked: {told}"
    )  # the words by which the engine knows that it may wait
    return sa.exc.OperationalError(context.statement, None, locked)


def database_engine(url: str) -> sa.Engine:
    """The engine's database with the settings it needs: WAL, FULL and IMMEDIATE on SQLite, keepalives on PostgreSQL.

    FULL: a step that was acknowledged must survive a power cut. Keepalives: the lock of a vanished host must go
    within a minute.
    """
    if url.startswith("sqlite"):
        engine = sa.create_engine(url, connect_args={"timeout": 30, "isolation_level": "IMMEDIATE"})

        @sa.event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        sa.event.listen(engine, "handle_error", _wait_for_room)
        return engine
    keepalive = {"keepalives": 1, "keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 4}
    url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    # the one used last first: a server process that knows its tables costs half of one that does not
    return sa.create_engine(url, pool_size=20, pool_use_lifo=True, pool_pre_ping=True, connect_args=keepalive)


def _config(url: str, engine: sa.Engine, executor_id: str, *, migrate: bool, polling: float) -> DBOSConfig:
    return {
        "name": APPLICATION,
        "system_database_url": url,
        "system_database_engine": engine,
        "serializer": JsonSerializer(),
        "application_version": APPLICATION_VERSION,
        "executor_id": executor_id,
        "run_migrations": migrate,
        "notification_listener_polling_interval_sec": polling,
        "log_level": "ERROR",
        "use_listen_notify": False,
    }


def migrate(url: str) -> None:
    """Create or renew the engine's schema (`yunwei init` does)."""
    engine = database_engine(url)
    DBOS(config=_config(url, engine, "migrate", migrate=True, polling=1.0))
    DBOS.launch()
    DBOS.destroy()
    engine.dispose()  # one that was handed to it is not closed by DBOS


class DbosEngine:
    """The engine of a worker process."""

    def __init__(
        self, url: str, *, executor_id: str, clock: Clock, slots: int = 32, chunks: int = 8, polling: float = 0.2
    ) -> None:
        """So many runs and chunks at once: a run mostly waits, for its chunks or for the disk, and what waits for the disk
        together is flushed together; a chunk is a share of devices in memory. `polling` seconds between two looks at
        the queues."""
        self._url = url
        self.executor_id = executor_id
        self._slots = {RUNS: slots, CHUNKS: chunks}
        self._polling = polling
        self._engines: list[sa.Engine] = []
        _process.clock = clock

    def launch(self) -> None:
        """Start the engine's threads; work of this executor that a crash left is taken up again."""
        self._engines = [database_engine(self._url), database_engine(self._url)]
        own, client = self._engines
        DBOS(config=_config(self._url, own, self.executor_id, migrate=False, polling=self._polling))
        # before the launch, which takes up what a crash left at once, and that may be a step that hands shares over
        _process.client = DBOSClient(
            system_database_url=self._url,
            system_database_engine=client,
            serializer=JsonSerializer(),
            application_name=APPLICATION,
        )
        enqueueing.stand_before(_process.client._sys_db)  # noqa: SLF001
        DBOS.launch()
        database = _get_dbos_instance()._sys_db  # noqa: SLF001 - there is no public seam
        polling.stand_before(database)
        if own.dialect.name == "postgresql":
            checkpoints.stand_before(database, current_owner_xid)
        for queue, slots in self._slots.items():
            every = self._polling / 2 if queue == RUNS else self._polling  # a run may take less than a look lasts
            DBOS.register_queue(queue, worker_concurrency=slots, polling_interval_sec=every)

    def destroy(self) -> None:
        """Stop the threads; what runs now is taken up again at the next start."""
        with suppress(AttributeError):
            _process.client.destroy()
        DBOS.destroy(workflow_completion_timeout_sec=0)
        for engine in self._engines:
            engine.dispose()
        lent.sweep(0)

    def submit(self, run_ids: Sequence[str]) -> None:
        """All in one transaction and few statements: one flush for a morning's hundreds."""
        _enqueue([(_enqueued(RUN, RUNS, run_id), (run_id,)) for run_id in run_ids])

    def known(self, run_ids: list[str]) -> dict[str, bool]:
        rows = DBOS.list_workflows(workflow_ids=run_ids, load_input=False, load_output=False)
        return {row.workflow_id: row.status not in GOES_ON for row in rows}

    def cancel(self, run_id: str) -> None:
        DBOS.cancel_workflow(run_id, cancel_children=True)

    def pending(self) -> dict[str, list[tuple[str, str]]]:
        """Work in progress by executor: (workflow id, queue) pairs. For `takeover`."""
        rows = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        found: dict[str, list[tuple[str, str]]] = {}
        for row in rows:
            found.setdefault(row.executor_id or "", []).append((row.workflow_id, row.queue_name or RUNS))
        return found

    def resume(self, workflow_ids: Sequence[str], queue: str) -> None:
        """Put work of a dead executor back into its queue (naming the queue keeps its concurrency limits)."""
        DBOS.resume_workflows(list(workflow_ids), queue_name=queue)
