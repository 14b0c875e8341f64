"""A scenario's part that must be started anew, because a library is preloaded into it: `python -m chaos.preloaded WORDS`.

The words are a JSON object: which function of which module, and the arguments of `Ask`. The outcome comes back as the last
line of standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from chaos.forks import end_when_asked
from chaos.model import Ask, NotHere, Outcome

ROOT = Path(__file__).resolve().parent.parent
MARK = "outcome: "


def begin(function: str, ask: Ask, environment: Mapping[str, str], **more: str) -> Outcome:
    """Do `module:function(ask, **more)` in a process with that environment. Raises what it says it could not do."""
    words = {"function": function, "seed": ask.seed, "quick": ask.quick, "points": ask.points, "more": more}
    process = subprocess.Popen(
        [sys.executable, "-m", "chaos.preloaded", json.dumps(words)], cwd=ROOT, env={**os.environ, **environment},
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    told: dict[str, Any] | None = None
    try:
        if process.stdout is not None:
            for line in process.stdout:
                if line.startswith(MARK):
                    told = json.loads(line.removeprefix(MARK))
                else:
                    ask.say(line.rstrip("\n"))
        code = process.wait()
    except BaseException:  # what ends us ends it, and it cleans up
        process.terminate()
        process.wait()
        raise
    if told is None:
        raise RuntimeError(f"the preloaded process ended with {code}")
    if "missing" in told:
        raise NotHere(told["missing"])
    return Outcome(**told)


def main() -> None:
    """Do what is asked for."""
    end_when_asked()
    words = json.loads(sys.argv[1])
    module, _colon, name = words["function"].partition(":")

    def say(text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    ask = Ask(words["seed"], words["quick"], words["points"], say)
    try:
        told = getattr(import_module(module), name)(ask, **words["more"]).told()
    except NotHere as missing:
        told = {"missing": str(missing)}
    say(MARK + json.dumps(told, ensure_ascii=False))


if __name__ == "__main__":
    main()
