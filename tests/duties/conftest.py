"""An instance with the invented contract, two parties, and procedures that no line of work has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from tests.duties import world
from yunwei.accounts.models import Account, Organisation
from yunwei.assets.models import Asset, Endpoint, Zone
from yunwei.duties import books
from yunwei.ledger import keys
from yunwei.runs.procedure import Procedure, Step, registry


@dataclass(frozen=True)
class People:
    """One of each kind that matters here."""

    client: Account
    client_colleague: Account
    vendor: Account
    vendor_colleague: Account
    officer: Account
    stranger: Account


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder with the invented contract and a signing key, made once."""
    folder = tmp_path_factory.mktemp("duties")
    world.write(world.folder(), folder / "contract")
    keys.create(folder)
    return folder


@pytest.fixture
def contract(written: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The contract folder of the instance; a test that writes another contract into it need not tidy up."""
    monkeypatch.setattr(settings, "INSTANCE", written)
    monkeypatch.setattr(books, "_seen", {})
    before = {path: path.read_bytes() for path in (written / "contract").iterdir()}
    yield written / "contract"
    for path, content in before.items():
        if path.read_bytes() != content:
            path.write_bytes(content)


@pytest.fixture
def procedures() -> Iterator[None]:
    """A look and a result that do nothing; each test says what they proved."""
    known = registry()
    assert isinstance(known, dict)
    step = (Step("nothing", lambda _context: None),)
    extra = {
        "test.look": Procedure("test.look", "看", "look", "look", step),
        "test.result": Procedure("test.result", "做", "do", "result", step),
    }
    known.update(extra)
    yield
    for name in extra:
        del known[name]


@pytest.fixture
def people() -> People:
    units = {p: Organisation.objects.create(code=p, name=p, party=p) for p in ("A", "B", "T")}

    def person(name: str, role: str, party: str) -> Account:
        return Account.objects.create(
            username=name, display_name=name, role=role, organisation=units[party], password="x"
        )

    return People(
        client=person("client", "a_manager", "A"),
        client_colleague=person("client2", "a_leader", "A"),
        vendor=person("vendor", "b_manager", "B"),
        vendor_colleague=person("vendor2", "b_engineer", "B"),
        officer=person("officer", "auditor", "A"),
        stranger=person("stranger", "tenant", "T"),
    )


@pytest.fixture
def assets() -> list[Asset]:
    zone = Zone.objects.create(code="z", name="z")
    made = [Asset.objects.create(code=f"dev-{n}", name=str(n), kind="device", zone=zone) for n in range(10)]
    for asset in made:
        Endpoint.objects.create(asset=asset, protocol="snmp", address="10.0.0.1", port=161)
    return made
