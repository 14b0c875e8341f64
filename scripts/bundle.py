#!/usr/bin/env python3
"""Builds the archive that installs where there is no internet: `make bundle` on a Debian 12 (amd64) with network.

    yunwei-offline-<version>-debian12-amd64.tar
        install.sh  README.txt  SHA256SUMS        SHA256SUMS names every other file; install.sh checks it first
        wheels/     what requirements.lock names, by its hashes, and the product's own wheel
        debs/       an apt repository: Python, make, fonts and all they rest on, back to libc
        tree/       Makefile, scripts, contracts, docs: what `make demo` stands on

What is packed is the last commit, not the working tree. Packages are got by the ordinary clients (pip, uv, apt).
"""

from __future__ import annotations

import argparse
import email
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OFFLINE = ROOT / "scripts" / "offline"
#: what an installation needs of Debian; the rest follows from their dependencies
PACKAGES = ("python3", "python3-venv", "make", "openssl", "ca-certificates", "tzdata", "fonts-noto-cjk")
#: what of the checkout goes along: what runs and what is read
TREE = (
    "Makefile",
    "README.md",
    "CHANGELOG.md",
    "pyproject.toml",
    "requirements.lock",
    "scripts/bootstrap",
    "contracts",
    "docs",
)
SUMS = "SHA256SUMS"


def say(text: str) -> None:
    """Print at once."""
    print(f"· {text}", file=sys.stderr, flush=True)


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Run a program; its output. What it says on standard error is shown; SystemExit when it fails."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"✗ {' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout[-2000:]}")
    return done.stdout


def checkout(folder: Path) -> Path:
    """The last commit as a tree of its own, with the texts of the other language compiled."""
    tree = folder / "src"
    tree.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "-x", "-C", tree], input=archive, check=True)
    env = {**os.environ, "PYTHONPATH": str(tree / "src")}
    run(sys.executable, "scripts/messages.py", "--compile", cwd=tree, env=env)
    return tree


def wheels(tree: Path, out: Path) -> str:
    """Download what the lock names, by hash; build the product's own wheel. Returns the product's version."""
    out.mkdir()
    say("wheels")
    run(sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--only-binary", ":all:",
        "--require-hashes", "-r", tree / "requirements.lock", "-d", out)  # fmt: skip
    run(Path(sys.executable).with_name("uv"), "build", "-q", "--wheel", "--out-dir", out, tree)
    (own,) = out.glob("yunwei-*.whl")
    lacking = missing_in(own, tree)
    if lacking:
        raise SystemExit(f"✗ the wheel lacks files of the source (package-data in pyproject.toml): {lacking[:5]}")
    (out / ".gitignore").unlink(missing_ok=True)  # uv's
    return own.name.split("-")[1]


def missing_in(wheel: Path, tree: Path) -> list[str]:
    """Files of the package's source that a wheel has not."""
    with zipfile.ZipFile(wheel) as file:
        there = set(file.namelist())
    package = tree / "src" / "yunwei"
    source = (p for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc")
    return sorted(name for p in source if (name := f"yunwei/{p.relative_to(package)}") not in there)


def debs(folder: Path, out: Path) -> None:
    """Debian's packages with everything they rest on, as apt resolves it for a machine that has nothing yet."""
    say("Debian packages: " + " ".join(PACKAGES))
    state, cache = folder / "apt", folder / "cache"
    (state / "lists" / "partial").mkdir(parents=True)
    (cache / "archives" / "partial").mkdir(parents=True)
    (state / "status").touch()
    options = [f"-oDir::State={state}", f"-oDir::State::status={state / 'status'}", f"-oDir::Cache={cache}",
               f"-oDir::State::Lists={state / 'lists'}", "-oAPT::Sandbox::User=root", "-oAPT::Architecture=amd64",
               "-oAcquire::Languages=none", "-oDir::Etc::sourceparts=/dev/null", f"-oDir::Etc::sourcelist={folder / 'sources.list'}"]  # fmt: skip
    (folder / "sources.list").write_text(sources(), encoding="ascii")
    run("apt-get", *options, "-qq", "update")
    run("apt-get", *options, "-qq", "-y", "--no-install-recommends", "--download-only", "install", *PACKAGES)
    out.mkdir()
    for deb in sorted((cache / "archives").glob("*.deb")):
        shutil.move(deb, out / deb.name.replace("%3a", "_"))  # an epoch's colon: plain names travel better
    (out / "Packages").write_text(index(out), encoding="utf-8")


def sources() -> str:
    """Debian 12 with its updates, from the mirrors that this machine uses for it."""
    lines = run(
        "apt-get", "indextargets", "--format", "$(SITE) $(CODENAME) $(SUITE) $(COMPONENT)", "Created-By: Packages"
    )
    wanted = ("bookworm", "bookworm-updates", "bookworm-security")
    found = {
        (site, name)
        for site, name, _suite, part in map(str.split, lines.splitlines())
        if part == "main" and name in wanted
    }
    if not {name for _site, name in found} >= {"bookworm"}:
        raise SystemExit(
            "✗ make bundle builds for Debian 12 from a Debian 12 whose apt lists are there (apt-get update)"
        )
    return "".join(f"deb {site} {name} main\n" for site, name in sorted(found))


def index(folder: Path) -> str:
    """apt's index of a folder of packages."""
    return "\n".join(
        f"{run('dpkg-deb', '-f', deb).rstrip()}\nFilename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest(deb)}\n"
        for deb in sorted(folder.glob("*.deb"))
    )


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(folder: Path) -> str:
    """The list that `sha256sum -c` reads: every file but itself, in order."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS)
    return "".join(f"{digest(p)}  {p.relative_to(folder)}\n" for p in files)


def names_of_debs(folder: Path) -> set[str]:
    """The packages that an index names."""
    text = (folder / "Packages").read_text(encoding="utf-8")
    return {str(email.message_from_string(block)["Package"]) for block in text.split("\n\n") if block.strip()}


def pack(folder: Path, archive: Path) -> None:
    """One tar, by name, owned by root, dated by the commit: the same content gives the same bytes."""
    at = int(run("git", "log", "-1", "--format=%ct"))

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        info.mtime = at
        info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
        return info

    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(archive.name + ".part")
    with tarfile.open(part, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.add(path, arcname=f"{folder.name}/{path.relative_to(folder)}", recursive=False, filter=plain)
    part.replace(archive)


def lay(tree: Path, out: Path) -> None:
    """The installer, its words, and what goes along of the checkout."""
    for name in ("install.sh", "README.txt"):
        shutil.copy2(tree / "scripts" / "offline" / name, out / name)
    for name in TREE:
        target = out / "tree" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (tree / name).is_dir() else shutil.copy2)(tree / name, target)
    (out / "tree" / "COMMIT").write_text(run("git", "rev-parse", "HEAD"), encoding="ascii")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build; prints the archive's path, size and SHA-256."""
    parser = argparse.ArgumentParser(prog="make bundle", description="an archive that installs without internet")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "bundle", help="folder of the archive")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="yunwei-bundle-") as place:
        folder = Path(place)
        tree = checkout(folder)
        version = wheels(tree, folder / "wheels")
        out = folder / f"yunwei-offline-{version}"
        out.mkdir()
        (folder / "wheels").rename(out / "wheels")
        debs(folder, out / "debs")
        lay(tree, out)
        (out / SUMS).write_text(sums(out), encoding="utf-8")
        archive = asked.out / f"yunwei-offline-{version}-debian12-amd64.tar"
        say("tar")
        pack(out, archive)
        count = len(names_of_debs(out / "debs")), len(list((out / "wheels").iterdir()))
    print(f"{archive}  {archive.stat().st_size / 2**20:.0f} MB, {count[1]} wheels, {count[0]} Debian packages")
    print(f"SHA-256 {digest(archive)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
