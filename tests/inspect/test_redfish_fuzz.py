"""BMCs whose trees contradict themselves: any value anywhere may be of any type, links lead in circles and abroad."""

from __future__ import annotations

import copy
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.inspect.helpers import look, ring

from yunwei.inspect.collect.redfish import MAX_RESOURCES, clean
from yunwei.inspect.collect.redfish_http import Answer, _path, _retry_after
from yunwei.inspect.observation import DeviceResult, Target

TREE = Path(__file__).parents[2] / "src" / "yunwei" / "lab" / "samples" / "lab-server.tree.json"
STRANGE: list[Any] = [
    None,
    0,
    -1,
    1e308,
    True,
    "",
    "OK",
    "Critical",
    "\u0000",
    [],
    {},
    [[]],
    ["x"],
    {"@odata.id": 7},
    2**53,
]
ABROAD = ["https://127.0.0.9/redfish/v1", "//127.0.0.9/redfish/v1/x", "/etc/passwd", "/redfish/../admin", "/redfish/v1#/x",
          "/redfish/v1/ x", "#/only", ""]  # fmt: skip


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bmc")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "pem").write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / "pem")
    return made


def tree() -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(TREE.read_bytes())
    told = told.get("resources", told)
    return {uri.rstrip("/"): body for uri, body in told.items()}


@asynccontextmanager
async def serving(
    bodies: dict[str, Any], context: ssl.SSLContext, address: str
) -> AsyncIterator[tuple[int, list[str]]]:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.method == "POST":
            return web.Response(
                status=201, headers={"X-Auth-Token": "t", "Location": "/redfish/v1/SessionService/Sessions/1"}
            )
        if request.method == "DELETE":
            return web.Response(status=204)
        body = bodies.get(request.path.rstrip("/"))
        return web.Response(status=404) if body is None else web.Response(body=orjson.dumps(body))

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, address, 0, ssl_context=context)
    await site.start()
    yield runner.addresses[0][1], asked
    await runner.cleanup()


async def seen(bodies: dict[str, Any], context: ssl.SSLContext, address: str) -> tuple[DeviceResult, list[str]]:
    keys = ring()
    async with serving(bodies, context, address) as (port, asked):
        login = keys.seal({"user": "u", "password": "p"})
        (result,) = await look(keys, [Target("b", "redfish", address, port, login, profile="deep")], budget_s=15)
    return result, asked


def spoil(value: Any, dice: random.Random, share: float) -> Any:
    """The same body with some values of another type or word."""
    if dice.random() < share:
        return copy.deepcopy(dice.choice(STRANGE))
    if isinstance(value, dict):
        return {k: spoil(v, dice, share) for k, v in value.items()}
    return [spoil(v, dice, share) for v in value] if isinstance(value, list) else value


async def test_spoilt_trees_end_in_one_result_and_the_session_is_closed(context: ssl.SSLContext):
    dice = random.Random(20260302)
    for share in (0.0, 0.02, 0.05, 0.1, 0.3):
        bodies = {uri: spoil(body, dice, share) for uri, body in tree().items()}
        bodies["/redfish/v1"] = tree()["/redfish/v1"]
        result, asked = await seen(bodies, context, "127.55.0.1")
        assert result.problem is not None or result.observations, share
        assert asked[-1] == "/redfish/v1/SessionService/Sessions/1"
        assert result.session == ""
        if share == 0.0:
            assert result.problem is None


async def test_links_abroad_and_in_circles_are_not_followed(context: ssl.SSLContext):
    bodies = tree()
    systems = next(u for u in bodies if u.endswith("/Systems"))
    wanted = [*({"@odata.id": uri} for uri in ABROAD), {"@odata.id": systems}, *bodies[systems]["Members"]]
    bodies[systems] = {**bodies[systems], "Members": wanted}
    result, asked = await seen(bodies, context, "127.55.0.2")
    assert result.problem is None
    assert all(path.startswith("/redfish/v1") for path in asked)
    assert "/redfish/v1/ x" not in asked
    assert asked.count(systems) == 1


async def test_a_tree_without_end_is_bounded(context: ssl.SSLContext):
    class Endless(dict[str, Any]):
        def get(self, uri: str, default: Any = None) -> Any:
            if uri in self or "/Endless" not in uri:
                return super().get(uri, default)
            return {
                "Members": [{"@odata.id": f"{uri}/Endless{i}"} for i in range(500)],
                "Drives": {"@odata.id": f"{uri}/Endless"},
            }

    bodies = Endless(tree())
    system = next(u for u in bodies if u.count("/") == 4 and "/Systems/" in u)
    bodies[system] = {**bodies[system], "Storage": {"@odata.id": f"{system}/Endless"}}
    result, asked = await seen(bodies, context, "127.55.0.3")
    assert len(asked) <= MAX_RESOURCES + 10
    assert result.problem is not None or len(asked) < MAX_RESOURCES


@pytest.mark.parametrize("uri", [*ABROAD[:4], ABROAD[5], *ABROAD[6:], None, 7, "/redfish/" + "x" * 600])
def test_only_paths_of_the_service_are_asked_for(uri: Any):
    assert clean(uri) == ""


def test_a_fragment_is_cut_off():
    assert clean("/redfish/v1/Chassis/1/Thermal#/Fans/0") == "/redfish/v1/Chassis/1/Thermal"


@pytest.mark.parametrize(
    "location", ["//[", "http://[::1", "https://[x]/redfish/v1/S/1", "/etc/passwd", "", "javascript:x"]
)
def test_an_address_of_a_session_that_is_none_is_not_followed(location: str):
    assert _path(location) in {"", "/redfish/v1/S/1"}


@pytest.mark.parametrize(("said", "seconds"), [("2", 2.0), ("\xb2", 1.0), ("x", 1.0), ("", 1.0), ("9" * 500, 5.0)])
def test_what_a_busy_bmc_asks_to_wait_is_bounded(said: str, seconds: float):
    assert _retry_after(Answer(503, None, {"retry-after": said}, 0)) == seconds
