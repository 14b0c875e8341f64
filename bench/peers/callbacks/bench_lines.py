"""ansible's callback for the bench: one JSON line for every task of every host, into the file of BENCH_LINES."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: bench_lines
    type: stdout
    short_description: one JSON line for every task of every host
    description: one JSON line for every task of every host
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Return code and output of every task, nothing else."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "bench_lines"

    def _tell(self, result: Any, problem: str = "") -> None:
        given = result.result if hasattr(result, "result") else result._result  # noqa: SLF001 - its name until 2.18
        task = result.task if hasattr(result, "task") else result._task  # noqa: SLF001
        host = result.host if hasattr(result, "host") else result._host  # noqa: SLF001
        line = {
            "host": host.get_name(),
            "task": task.get_name(),
            "rc": given.get("rc"),
            "stdout": given.get("stdout", ""),
        }
        line["problem"] = problem and f"{problem}: {given.get('msg', '')}"
        with Path(os.environ["BENCH_LINES"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task that ended."""
        self._tell(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002 - ansible's
        """A task that ended with a return code, or could not be run."""
        self._tell(result, "" if "rc" in self._given(result) else "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host that was not reached."""
        self._tell(result, "unreachable")

    @staticmethod
    def _given(result: Any) -> Any:
        return result.result if hasattr(result, "result") else result._result  # noqa: SLF001
