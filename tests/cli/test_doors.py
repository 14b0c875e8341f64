"""What every command promises: JSON on request, help that people can read, no traceback, exit codes 0 to 3."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from yunwei.cli import main
from yunwei.server import instance

YUNWEI = [sys.executable, "-c", "from yunwei.cli.main import main; main()"]
DEADLINE = ["deadline", "--from", "2026-02-13", "--working-days", "3"]
#: they stay until they are ended; the farm prints one JSON object a line without being asked to
STAY = {"serve", "worker", "lab farm"}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def all_commands() -> dict[str, Any]:
    return dict(commands(typer.main.get_command(main.app)))


def run(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("YUNWEI_")} | options.pop("env", {})
    return subprocess.run([*YUNWEI, *args], capture_output=True, text=True, check=False, env=environment, **options)


def test_every_command_that_ends_prints_json_on_request() -> None:
    without = {name for name, command in all_commands().items() if not any("--json" in p.opts for p in command.params)}
    assert without == STAY


def test_every_commands_help_is_in_the_language_of_its_people() -> None:
    foreign = [
        name
        for name, command in all_commands().items()
        if not any("\u4e00" <= c <= "\u9fff" for c in (command.help or "").partition("\n")[0])
    ]
    assert foreign == []


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_command_started_without_a_standard_stream_works(closed: int, tmp_path: Path) -> None:
    """Else the first file it opens becomes that stream (a worker once started this way)."""
    said = tmp_path / "said"
    script = f'exec "$@" {closed}{"<" if closed == 0 else ">"}&- {"2" if closed == 1 else "1"}>{said}'
    done = subprocess.run(["sh", "-c", script, "sh", *YUNWEI, *DEADLINE], check=False)
    assert done.returncode == 0
    assert ("2026" in said.read_text()) is (closed != 1)


def test_a_full_disk_is_one_sentence() -> None:
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*YUNWEI, *DEADLINE], stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=buffered
        )
    assert done.returncode == 2
    assert done.stderr.startswith("✗ ")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_goes_away_is_no_error_to_explain() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*YUNWEI, *DEADLINE], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_database_that_is_not_there_is_one_sentence_and_3(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "web.key").write_text("x" * 50)
    settings = 'database_url = "postgresql://nobody@127.0.0.1:9/x"\n[web]\nport = 8600\nhosts = ["localhost"]\n'
    (tmp_path / instance.SETTINGS).write_text(settings)
    done = run("account", "list", "--json", env={"YUNWEI_INSTANCE": str(tmp_path)})
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_no_instance_is_usage() -> None:
    done = run("account", "list")
    assert done.returncode == 2
    assert "YUNWEI_INSTANCE" in done.stderr


def test_a_demo_whose_port_is_taken_says_so_before_it_does_anything(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("demo", "--folder", str(tmp_path / "demo"), "--port", port)
    assert done.returncode == 2
    assert port in done.stderr
    assert not (tmp_path / "demo").exists()


def test_a_demo_that_runs_is_not_taken_away(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / instance.SETTINGS).write_text("demo = true\n")
    with (tmp_path / "data" / "worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run("demo", "--once", "--folder", str(tmp_path))
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert (tmp_path / instance.SETTINGS).exists()


def test_an_unknown_language_is_usage() -> None:
    done = run("--lang", "fr", *DEADLINE)
    assert done.returncode == 2
    assert "zh-hans | en" in done.stderr
