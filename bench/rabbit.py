"""A RabbitMQ of the bench's own: Debian's server on a free loopback port, its data and its port mapper gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench import env
from bench.model import MissingPeer
from bench.site import free_port

PATIENCE_S = 90.0


@contextmanager
def broker() -> Iterator[str]:
    """The URL of an empty broker. Raises MissingPeer where there is none or it does not come up."""
    env.program("rabbitmq-server", "rabbitmq-server")
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    epmd = shutil.which("epmd", path=env.SYSTEM_PATH)
    if not found or epmd is None:
        raise MissingPeer("rabbitmq-server is installed in a way that is not known here")
    # not Debian's wrapper: it would go to the account and the folders of the system's own broker
    server, home = found[-1], Path(tempfile.mkdtemp(prefix="yunwei-mq-"))
    port, mapper_port, node_port = free_port(), free_port(), free_port()
    told = {
        **os.environ, "HOME": str(home), "PATH": env.SYSTEM_PATH,
        "RABBITMQ_NODENAME": "bench@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(node_port), "ERL_EPMD_PORT": str(mapper_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(home / "data"), "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "pid"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(home / "none"), "RABBITMQ_CONF_ENV_FILE": str(home / "none.env"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }  # fmt: skip
    log = (home / "start.log").open("wb")
    # the port mapper is started here because the server would leave one behind for ever
    mapper = subprocess.Popen(
        [epmd, "-address", "127.0.0.1", "-port", str(mapper_port)], env=told, stdout=log, stderr=log
    )
    process = subprocess.Popen(
        [server], env=told, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    try:
        _await(process, port, home)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        mapper.terminate()
        mapper.wait()
        log.close()
        shutil.rmtree(home, ignore_errors=True)


def _await(process: subprocess.Popen[bytes], port: int, home: Path) -> None:
    """Until the broker says its protocol on its port."""
    import socket

    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            words = (home / "start.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise MissingPeer(f"rabbitmq-server ended: {words[-1] if words else process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as probe:
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                if probe.recv(1):
                    return
        except OSError:
            pass
        time.sleep(0.3)
    raise MissingPeer("rabbitmq-server did not come up")
