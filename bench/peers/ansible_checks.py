"""ansible-core runs the checks of hosts: a playbook with one task for each, or one ad-hoc raw with the whole bundle.

As it is meant to be used: pipelining, persistent connections, up to 16 forks, the free strategy, no facts gathered.
Its ssh masters outlive it: they become this process's children, are ended and waited for, and so their CPU is counted.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.peers.serve import serve

PR_SET_CHILD_SUBREAPER = 36
FORKS = 16
PLUGINS = Path(__file__).resolve().parent / "callbacks"


def environment(folder: Path, asked: dict[str, Any]) -> dict[str, str]:
    """How ansible is told to be quick and quiet."""
    return {
        **os.environ,
        "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS), "ANSIBLE_STDOUT_CALLBACK": "bench_lines", "BENCH_LINES": str(folder / "told"),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_PIPELINING": "1", "ANSIBLE_HOST_KEY_CHECKING": "0",
        "ANSIBLE_SSH_USETTY": "0", "ANSIBLE_FORKS": str(min(FORKS, len(asked["hosts"]))), "ANSIBLE_HOME": str(folder),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"), "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_STRATEGY": "free",
        "ANSIBLE_GATHERING": "explicit", "ANSIBLE_RETRY_FILES_ENABLED": "0", "ANSIBLE_INJECT_FACT_VARS": "0",
        "ANSIBLE_TIMEOUT": "60", "LC_ALL": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }  # fmt: skip


def prepare(folder: Path, asked: dict[str, Any]) -> list[str]:
    """Inventory, key and playbook; the command to run."""
    (folder / "ansible.cfg").touch()
    key = folder / "key"
    key.touch(0o600)
    key.write_text(asked["private_key"])
    variables = (
        f"ansible_user={asked['user']} ansible_port={asked['port']} ansible_ssh_private_key_file={key} "
        f"ansible_python_interpreter={asked['python']} "
        "ansible_ssh_common_args='-F none -o UserKnownHostsFile=/dev/null -o IdentityAgent=none -o IdentitiesOnly=yes'"
    )
    inventory = folder / "inventory"
    inventory.write_text("".join(f"{host} {variables}\n" for host in asked["hosts"]))
    if "bundle" in asked:
        raw = json.dumps({"_raw_params": asked["bundle"]})
        return ["ansible", "all", "-i", str(inventory), "-m", "ansible.builtin.raw", "-a", raw]
    tasks = [
        {"name": name, "ansible.builtin.shell": {"cmd": text}, "changed_when": False, "failed_when": False}
        for name, text in asked["checks"].items()
    ]
    book = folder / "book.json"
    book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return ["ansible-playbook", "-i", str(inventory), str(book)]


def run(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """One run over the hosts: a line for each task of each."""
    with tempfile.TemporaryDirectory(prefix="ywb") as name:  # short: it holds the paths of sockets
        folder = Path(name)
        command = prepare(folder, asked)
        done = subprocess.run(
            command,
            env=environment(folder, asked),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        reap()
        told = folder / "told"
        lines = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()] if told.exists() else []
    problems = [line["problem"] for line in lines if line["problem"]]
    if problems or not lines:
        raise RuntimeError((problems or [done.stderr.strip() or done.stdout.strip()])[0][:300])
    return lines


def reap() -> None:
    """End and wait for what the run left behind."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    for word in children.read_text(encoding="ascii").split():
        with suppress(ProcessLookupError):
            os.kill(int(word), signal.SIGTERM)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


if __name__ == "__main__":
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        sys.exit("prctl")
    serve(run)
