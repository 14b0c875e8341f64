"""The ledger: what an append costs over a bare insert, its flushes, and what the client's verifier costs over SM3 alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import env
from bench.ledger_work import A_COMMIT, COMMITS
from bench.measure import Sample, Side, alternate, timed
from bench.model import Claim, Figure, Row, RowFunction, Spread, at_least, at_most

ROOT = env.ROOT
VERIFY = ROOT / "src" / "yunwei" / "ledger" / "verify.py"
NOTE = (
    f"{COMMITS} commits of {A_COMMIT} records a round, then the sequencer once, as a worker does every second;"
    " SQLite, WAL, synchronous=FULL on both sides"
)
FLUSH = re.compile(r"\b(?:fsync|fdatasync|sync_file_range)\(")
#: what the format asks for, of the same bytes, and nothing else: a leaf a record, a node a record, a hash a head
SM3_ALONE = """
import hashlib, json, sys, time, zipfile
sizes, records = [], 0
with zipfile.ZipFile(sys.argv[1]) as z:
    with z.open("entries.jsonl") as lines:
        bodies = [json.loads(line)["body"].encode() for line in lines]
    heads = z.read("heads.jsonl").splitlines()
new, node = hashlib.new, bytes(65)
start, cpu = time.perf_counter(), time.process_time()
for body in bodies:
    new("sm3", b"\\0" + body).digest()
for _ in range(len(bodies) - 1):
    new("sm3", node).digest()
for head in heads:
    new("sm3", head).digest()
print(json.dumps({"wall_s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu, "records": len(bodies),
                  "heads": len(heads), "bytes": sum(map(len, bodies))}))
"""
#: what bounds the verifier, of the same bytes: reading a line and the body in it, and SM3 where OpenSSL has none
PIECES = """
import importlib.util, json, sys, time, zipfile
given = importlib.util.spec_from_file_location("verify", sys.argv[2])
verify = importlib.util.module_from_spec(given)
given.loader.exec_module(verify)
with zipfile.ZipFile(sys.argv[1]) as z:
    lines = z.read("entries.jsonl").splitlines()
cpu = time.process_time()
for line in lines:
    row = verify.parse(line)
    verify.parse(row["body"])
reading = time.process_time() - cpu
some = [verify.parse(line)["body"].encode() for line in lines[:200]]
cpu = time.process_time()
for body in some:
    verify.sm3_pure(b"\\0" + body)
    verify.sm3_pure(bytes(65))
print(json.dumps({"reading_s": reading, "pure_s": (time.process_time() - cpu) * len(lines) / len(some)}))
"""


class Worker:
    """The measured process, asked word by word."""

    def __init__(self, folder: Path, prefix: tuple[str, ...] = ()) -> None:
        command = [*prefix, sys.executable, "-m", "bench.ledger_work", str(folder)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=clean(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *words: str) -> dict[str, Any]:
        """Its answer to a word. Raises RuntimeError when it ended instead."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("no pipes")
        stdin.write(" ".join(words) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"the measured process ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def sample(self, word: str) -> Sample:
        """One run of a side; a unit is a record."""
        told = self.ask(word)
        rows = told["rows"]
        return Sample(len(rows), told["cpu_s"], told["wall_s"], {str(i): row for i, row in enumerate(rows)})

    def end(self) -> None:
        """No more words: it ends by itself."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()


def clean() -> dict[str, str]:
    """The environment without another instance in it."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("YUNWEI", "DJANGO"))}


def yunwei(*words: str | Path, stdin: str = "") -> None:
    """A command of the product. Raises CalledProcessError."""
    command = [sys.executable, "-m", "yunwei.cli.main", *map(str, words)]
    subprocess.run(command, cwd=ROOT, env=clean(), input=stdin, capture_output=True, text=True, check=True, timeout=600)


@contextmanager
def instance() -> Iterator[Path]:
    """A new instance on the embedded database, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="yunwei-bench-") as parent:
        folder = Path(parent) / "instance"
        contract = next(path for path in sorted((ROOT / "contracts").iterdir()) if path.is_dir())
        words = (
            "init",
            folder,
            "--contract",
            contract,
            "--client",
            "甲",
            "--vendor",
            "乙",
            "--password-stdin",
            "--json",
        )
        yunwei(*words, stdin="correct horse battery\n")
        yield folder


def append(quick: bool) -> Row:
    """Ledger append at 100 a commit, hashed, numbered and signed"""
    with instance() as folder:
        worker = Worker(folder)
        try:
            # the same rows in every round: what is compared is what the second side was given to write
            sides = [Side("ledger", lambda: unnamed(worker.sample("ours"))), Side("raw insert", lambda: unnamed(worker.sample("raw")))]  # fmt: skip
            found = alternate(sides, 5 if quick else 15)
        finally:
            worker.end()
    ratio = found.ratio("raw insert", "ledger", lambda s: s.wall)
    return Row(
        claims=(Claim("records per second", at_least(0.5), ratio, "raw batch insert of the same rows with SM3"),),
        figures=found.figures("wall per record", lambda s: s.wall, "µs", 1e6)
        + found.figures("CPU per record", lambda s: s.cpu, "µs", 1e6),
        equal=found.equal,
        void=found.void,
        bound="Python per record: canonical JSON, one statement a claim (its row id goes into the state change)",
        notes=(NOTE,),
    )


def unnamed(sample: Sample) -> Sample:
    """Leaf and body without the running number in the subject, which grows from round to round."""
    told = {
        unit: re.sub(r"run:\d+", "run:", text.rpartition(" ")[0]) + f" {len(text.rpartition(' ')[2])}"
        for unit, text in sample.results.items()
    }
    return Sample(sample.units, sample.cpu_s, sample.wall_s, told)


def flushes(quick: bool) -> Row:
    """Flushes to disk per ledger record at 100 a commit"""
    strace = env.program("strace", "strace")
    rounds = 2 if quick else 5
    with instance() as folder:
        log = folder.parent / "strace.txt"
        worker = Worker(folder, (strace, "-f", "-e", "trace=fsync,fdatasync,sync_file_range", "-o", str(log)))
        per_record = []
        try:
            worker.ask("ours")
            for _round in range(rounds):
                before = len(FLUSH.findall(log.read_text(errors="replace")))
                rows = worker.ask("ours")["rows"]
                per_record.append((len(FLUSH.findall(log.read_text(errors="replace"))) - before) / len(rows))
        finally:
            worker.end()
    found = Spread.of(per_record)
    return Row(
        claims=(Claim("flushes per record", at_most(1 / 50, ""), found, "strace's own count"),),
        figures=(Figure("ledger", "flushes per 100 records", Spread.of(v * 100 for v in per_record), ""),),
        bound="one flush of the write-ahead log a commit, one for the numbers of all that waits, and checkpoints",
    )


def verify(quick: bool) -> Row:
    """Verifying a bundle of 100,000 records (10,000 when quick), alone, as the client does"""
    count, rounds = (10_000, 2) if quick else (100_000, 3)
    with instance() as folder:
        worker = Worker(folder)
        try:
            worker.ask("fill", str(count), "2000")
        finally:
            worker.end()
        bundle = folder.parent / "bundle.zip"
        yunwei("--instance", folder, "evidence", "export", "--from", "1", "--to", str(count), "--out", bundle)
        yunwei("--instance", folder, "evidence", "handover", folder.parent / "kit")
        fingerprint = (folder.parent / "kit" / "key-fingerprint.txt").read_text().split()[0]
        check = [sys.executable, "-I", "-S", str(VERIFY), str(bundle), "--key-fingerprint", fingerprint, "--json"]
        pieces = json.loads(run([sys.executable, "-I", "-c", PIECES, str(bundle), str(VERIFY)]))
        ratios, ours, alone = [], [], []
        for _round in range(rounds):
            told = json.loads(run([sys.executable, "-I", "-c", SM3_ALONE, str(bundle)]))
            done, cpu, _wall = timed(lambda: json.loads(run(check)))
            if not done["ok"]:
                return Row(void=f"the bundle does not verify: {done}")
            ratios.append(cpu / told["cpu_s"])
            ours.append(cpu)
            alone.append(told["cpu_s"])
    return Row(
        claims=(Claim("CPU", at_most(2), Spread.of(ratios), "the hashlib SM3 calls that the format needs"),),
        figures=(
            Figure("verify.py", "CPU", Spread.of(ours), "s"),
            Figure("SM3 alone", "CPU", Spread.of(alone), "s"),
            Figure(
                "verify.py",
                "of that, reading each line and the body in it as JSON",
                Spread.of([pieces["reading_s"]]),
                "s",
            ),
            Figure(
                "SM3 alone",
                "in plain Python, where OpenSSL has none (from 200 records)",
                Spread.of([pieces["pure_s"]]),
                "s",
            ),
        ),
        equal=f"{told['records']} records, {told['heads']} heads, {told['bytes']} bytes of bodies",
        bound=(
            f"reading JSON, which alone costs {pieces['reading_s'] / alone[-1]:.1f} times the hashing, and checking every field of"
            " a record in Python; a head's SM2 signature is pure Python too"
        ),
    )


def run(command: list[str]) -> str:
    """The output of a command of ours. Raises CalledProcessError."""
    done = subprocess.run(command, cwd=ROOT, env=clean(), capture_output=True, text=True, check=True, timeout=600)
    return done.stdout


ROWS: dict[str, RowFunction] = {"ledger-append": append, "ledger-flushes": flushes, "ledger-verify": verify}
