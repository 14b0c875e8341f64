"""What `make bundle` packs, as far as it can be seen without building it; `make bundle-test` installs it with the network cut."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bundle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundle", ROOT / "scripts" / "bundle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_line_of_the_lock_has_hashes_and_no_address():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    wanted = re.findall(r"^([A-Za-z0-9._-]+)==[^\s;]+", text, flags=re.MULTILINE)
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(wanted) > 40
    assert len(blocks) == len(wanted)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text


def test_the_wheel_takes_every_kind_of_file_that_the_source_has(bundle):
    """By the patterns of package-data: a new kind of file that nobody lists would be missing where it is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["yunwei"]
    kinds = {p.rpartition(".")[2] for p in patterns} | {"py"}
    names = subprocess.run(
        ["git", "ls-files", "src/yunwei"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name for name in names if name.rpartition(".")[2] not in kinds} == set()


def test_what_goes_along_is_there_and_is_what_the_makefile_and_bootstrap_stand_on(bundle):
    assert [name for name in bundle.TREE if not (ROOT / name).exists()] == []
    bootstrap = (ROOT / "scripts" / "bootstrap").read_text(encoding="utf-8")
    assert "lock=requirements.lock" in bootstrap
    install = (ROOT / "scripts" / "offline" / "install.sh").read_text(encoding="utf-8")
    # the stamp by which bootstrap knows that nothing is missing: the same files in the same order
    assert 'want=$(cat "$lock" pyproject.toml | sha256sum)' in bootstrap
    assert (
        'cat "$target/requirements.lock" "$target/pyproject.toml" | (cd "$target" && sha256sum) >"$target/.venv/.yunwei-demo"'
        in install
    )
    for package in re.findall(r'missing="\$missing ([a-z0-9-]+)"', install):
        assert package in bundle.PACKAGES


def test_the_sums_name_every_file_and_the_tar_is_the_same_twice(bundle, tmp_path):
    folder = tmp_path / "x"
    (folder / "sub").mkdir(parents=True)
    (folder / "install.sh").write_text("#!/bin/sh\n")
    (folder / "install.sh").chmod(0o755)
    (folder / "sub" / "a").write_bytes(b"a")
    (folder / "SHA256SUMS").write_text(bundle.sums(folder))
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["install.sh:", "OK", "sub/a:", "OK"]
    (folder / "sub" / "a").write_bytes(b"b")
    assert subprocess.run(
        ["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, check=False
    ).returncode
    bundle.pack(folder, tmp_path / "1.tar")
    bundle.pack(folder, tmp_path / "2.tar")
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    with tarfile.open(tmp_path / "1.tar") as file:
        assert {(m.name, m.mode, m.uid) for m in file if m.isfile()} == {
            ("x/SHA256SUMS", 0o644, 0),
            ("x/install.sh", 0o755, 0),
            ("x/sub/a", 0o644, 0),
        }


def test_a_wheel_without_a_file_of_the_source_is_refused(bundle, tmp_path):
    import zipfile

    package = tmp_path / "src" / "yunwei"
    package.mkdir(parents=True)
    (package / "a.py").write_text("")
    (package / "b.yaml").write_text("")
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as file:
        file.writestr("yunwei/a.py", "")
    assert bundle.missing_in(tmp_path / "w.whl", tmp_path) == ["yunwei/b.yaml"]


def test_the_installed_demo_finds_its_contract_beside_its_environment(tmp_path, monkeypatch):
    import sys

    from yunwei.cli import demo_stage

    (tmp_path / "contracts" / "qingpu-2026").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(demo_stage, "__file__", str(tmp_path / "a" / "b" / "c" / "d" / "demo_stage.py"))
    assert demo_stage.contract_folder() == tmp_path / "contracts" / "qingpu-2026"
