"""The farm's BMCs over HTTPS, judged by aiohttp and by what DSP0266 says."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime

import aiohttp
import pytest

from tests.lab.conftest import BASIC, BMC, LOGIN, Client, bmc, farm_of
from yunwei.lab.errors import LabError

ROOT, SYSTEM, THERMAL = "/redfish/v1/", "/redfish/v1/Systems/1", "/redfish/v1/Chassis/1/Thermal"
POWER, MANAGER = "/redfish/v1/Chassis/1/Power", "/redfish/v1/Managers/1"
DRIVE, STORAGE = "/redfish/v1/Systems/1/Storage/RAID0/Drives/0", "/redfish/v1/Systems/1/Storage/RAID0"
SESSIONS = "/redfish/v1/SessionService/Sessions"
SECOND = "127.3.0.3"
AT = 1_800_000_000.0


async def test_only_the_root_is_public(https):
    async with farm_of(bmc()) as farm:
        client = Client(https, farm)
        assert (await client.get(ROOT, headers={}))["RedfishVersion"] == "1.11.0"
        refused = await client.get(SYSTEM, headers={}, status=401)
        assert refused["error"]["@Message.ExtendedInfo"][0]["MessageId"].endswith("NoValidSession")
        await client.get(SYSTEM, headers={"Authorization": "Basic Z3Vlc3M6Z3Vlc3M="}, status=401)
        await client.get(SYSTEM, headers={"Authorization": "Basic ???"}, status=401)
        assert (await client.get(SYSTEM))["Model"] == "LAB-2U"
        await client.get("/redfish/v1/Systems/9", status=404)
        async with https.post(client.url(SYSTEM), headers=BASIC) as response:
            assert response.status == 405


async def test_a_session_opens_and_closes(https):
    async with farm_of(bmc()) as farm:
        client = Client(https, farm)
        status, _headers, _body = await client.login(password="guess")
        assert status == 401
        status, headers, body = await client.login()
        assert status == 201
        assert headers["Location"] == body["@odata.id"]
        token = {"X-Auth-Token": headers["X-Auth-Token"]}
        assert (await client.get(SYSTEM, headers=token))["Model"] == "LAB-2U"
        assert (await client.get(SESSIONS, headers=token))["Members@odata.count"] == 1
        async with https.delete(client.url(headers["Location"]), headers=token) as response:
            assert response.status == 204
        await client.get(SYSTEM, headers=token, status=401)
        assert not farm.bmc(BMC).sessions


async def test_the_ninth_session_is_refused_under_the_limit(https):
    async with farm_of(bmc(faults=("session_limit",))) as farm:
        client = Client(https, farm)
        assert [(await client.login())[0] for _i in range(9)] == [201] * 8 + [503]
        farm.set_fault(BMC, "session_limit", on=False)
        assert (await client.login())[0] == 201
        farm.set_fault(BMC, "sessions_taken", on=True)
        status, _headers, body = await client.login()
        assert status == 503
        assert "SessionLimitExceeded" in body["error"]["code"]
        assert await client.get(SYSTEM)  # Basic authentication is the way out


async def test_unauthorized(https):
    async with farm_of(bmc(faults=("unauthorized",))) as farm:
        client = Client(https, farm)
        assert (await client.login())[0] == 401
        await client.get(SYSTEM, status=401)
        assert await client.get(ROOT)


async def test_expand_as_advertised(https):
    async with farm_of(bmc()) as farm:
        client = Client(https, farm)
        one = await client.get("/redfish/v1/Systems?$expand=.($levels=1)")
        assert one["Members"][0]["Model"] == "LAB-2U"
        assert set(one["Members"][0]["Storage"]) == {"@odata.id"}
        assert set(one["Members"][0]["Links"]["Chassis"][0]) == {"@odata.id"}
        two = await client.get("/redfish/v1/Systems?$expand=*($levels=2)")
        assert two["Members"][0]["Storage"]["Members@odata.count"] == 1
        assert two["Members"][0]["Links"]["Chassis"][0]["Id"] == "1"
        await client.get("/redfish/v1/Systems?$expand=.($levels=3)", status=400)
        await client.get("/redfish/v1/Systems?$expand=~", status=501)  # the root says Links: false
        await client.get("/redfish/v1/Systems?$select=Members", status=501)


async def test_expand_is_refused_where_the_root_is_silent_about_it(https, tmp_path):
    tree = {ROOT: {"Systems": {"@odata.id": "/redfish/v1/Systems"}}, "/redfish/v1/Systems": {"Members": []}}
    (tmp_path / "old.tree.json").write_text(json.dumps(tree))
    old = type(bmc())(address=BMC, protocol="redfish", sample="old", login=LOGIN)
    async with farm_of(old, samples=(str(tmp_path),)) as farm:
        client = Client(https, farm)
        assert await client.get("/redfish/v1/Systems/") == {"Members": []}
        await client.get("/redfish/v1/Systems?$expand=.", status=501)


async def test_each_device_has_a_certificate_and_serials_of_its_own_and_keeps_them(https):
    prints, serials = [], []
    for _start in range(2):
        async with farm_of(bmc(), bmc(SECOND, copy=1)) as farm:
            client = Client(https, farm)
            prints.append([await client.fingerprint(address) for address in (BMC, SECOND)])
            serials.append([(await client.get(SYSTEM, address=a))["SerialNumber"] for a in (BMC, SECOND)])
            uuids = [(await client.get(SYSTEM, address=a))["UUID"] for a in (BMC, SECOND)]
            drives = [(await client.get(DRIVE, address=a))["SerialNumber"] for a in (BMC, SECOND)]
    assert prints[0] == prints[1]
    assert serials[0] == serials[1]
    assert prints[0][0] != prints[0][1]
    assert serials[0][0] == "LABS00010001" != serials[0][1]
    assert uuids[0] != uuids[1]
    assert drives[0] != drives[1]


async def test_identity_changed(https):
    async with farm_of(bmc()) as farm:
        client = Client(https, farm)
        before = await client.fingerprint(), (await client.get(SYSTEM))["SerialNumber"]
        farm.set_fault(BMC, "identity_changed", on=True)
        await asyncio.sleep(0.05)
        after = await client.fingerprint(), (await client.get(SYSTEM))["SerialNumber"]
    assert before[0] != after[0]
    assert before[1] != after[1]


async def test_the_clock_moves_unless_frozen(https):
    clock = [AT]
    async with farm_of(bmc(), now=lambda: clock[0]) as farm:
        client = Client(https, farm)
        first = datetime.fromisoformat((await client.get(MANAGER))["DateTime"])
        assert first.timestamp() == AT
        clock[0] += 60
        second = datetime.fromisoformat((await client.get(MANAGER))["DateTime"])
        assert (second - first).total_seconds() == 60
        farm.set_fault(BMC, "frozen", on=True)
        clock[0] += 60
        assert datetime.fromisoformat((await client.get(MANAGER))["DateTime"]) == second
        farm.set_fault(BMC, "frozen", on=False)
        assert datetime.fromisoformat((await client.get(MANAGER))["DateTime"]).timestamp() == AT + 120


async def test_jitter_wanders_inside_the_thresholds(https):
    clock = [AT]
    seen: set[int] = set()
    async with farm_of(bmc(), now=lambda: clock[0], jitter=True) as farm:
        client = Client(https, farm)
        for _step in range(12):
            clock[0] += 400
            body = await client.get(THERMAL)
            seen.add(body["Fans"][0]["Reading"])
            assert all(t["ReadingCelsius"] < t["UpperThresholdNonCritical"] for t in body["Temperatures"])
            assert all(f["Reading"] > f["LowerThresholdCritical"] for f in body["Fans"])
    assert len(seen) > 3
    assert max(seen) - min(seen) < 7200 * 0.03


async def test_fan_failed_shows_at_the_fan_and_in_the_rollups(https):
    async with farm_of(bmc(), bmc(SECOND, copy=1, faults=("fan_failed",))) as farm:
        client = Client(https, farm)
        fan = (await client.get(THERMAL, address=SECOND))["Fans"][0]
        assert fan["Status"]["Health"] == "Critical"
        assert fan["Reading"] == 0
        assert (await client.get(SYSTEM, address=SECOND))["Status"]["HealthRollup"] == "Critical"
        assert (await client.get("/redfish/v1/Chassis/1", address=SECOND))["Status"]["HealthRollup"] == "Critical"
        assert (await client.get(THERMAL))["Fans"][0]["Status"]["Health"] == "OK"  # the neighbour is well
        assert (await client.get(SYSTEM))["Status"]["HealthRollup"] == "OK"


async def test_psu_lost(https):
    async with farm_of(bmc(faults=("psu_lost",))) as farm:
        supply = (await Client(https, farm).get(POWER))["PowerSupplies"][0]
    assert supply["Status"] == {"State": "UnavailableOffline", "Health": "Critical"}
    assert supply["LineInputVoltage"] == 0


async def test_disk_predicted(https):
    async with farm_of(bmc(faults=("disk_predicted", "fan_failed"))) as farm:
        client = Client(https, farm)
        drive = await client.get(DRIVE)
        assert drive["FailurePredicted"] is True
        assert drive["Status"]["Health"] == "Warning"
        assert (await client.get(STORAGE))["Status"]["HealthRollup"] == "Warning"
        assert (await client.get(SYSTEM))["Status"]["HealthRollup"] == "Critical"  # the worst rolls up


async def test_port_errors_and_health_misplaced(https):
    async with farm_of(bmc(faults=("port_errors", "health_misplaced"))) as farm:
        client = Client(https, farm)
        port = await client.get("/redfish/v1/Systems/1/EthernetInterfaces/1")
        assert port["Status"]["Health"] == "Warning"
        assert (await client.get(MANAGER))["Status"] == {"Health": "Enabled", "State": "OK"}


async def test_a_new_tree_and_a_tree_without_parts(tmp_path, https):
    new = {
        "/redfish/v1/Chassis/A": {"@odata.type": "#Chassis.v1_20_0.Chassis", "Status": {"Health": "OK"}},
        "/redfish/v1/Chassis/A/ThermalSubsystem/Fans/F1": {
            "@odata.type": "#Fan.v1_2_0.Fan",
            "Status": {"State": "Absent"},
        },
        "/redfish/v1/Chassis/A/ThermalSubsystem/Fans/F2": {
            "@odata.type": "#Fan.v1_2_0.Fan",
            "Status": {"State": "Enabled", "Health": "OK"},
            "SpeedPercent": {"Reading": 40, "SpeedRPM": 8000},
        },
    }
    (tmp_path / "new.tree.json").write_text(json.dumps(new))
    fields = {"protocol": "redfish", "sample": "new", "login": LOGIN}
    async with farm_of(type(bmc())(address=BMC, **fields), samples=(str(tmp_path),)) as farm:
        farm.set_fault(BMC, "fan_failed", on=True)
        fan = await Client(https, farm).get("/redfish/v1/Chassis/A/ThermalSubsystem/Fans/F2")
        assert fan["Status"]["Health"] == "Critical"
        assert fan["SpeedPercent"]["SpeedRPM"] == 0
        chassis = await Client(https, farm).get("/redfish/v1/Chassis/A")
        assert chassis["Status"]["Health"] == "Critical"  # it has no rollup
        with pytest.raises(LabError, match="psu_lost"):
            farm.set_fault(BMC, "psu_lost", on=True)
        assert farm.faults("redfish", BMC) == {"fan_failed"}


async def test_a_recipe_beside_the_tree(tmp_path, https):
    (tmp_path / "own.tree.json").write_text(json.dumps({ROOT: {"Name": "r"}, "/redfish/v1/Oem": {"States": [1, 2]}}))
    (tmp_path / "own.faults.yaml").write_text(
        """
faults:
  fan_failed:
    redfish: [{uri: /redfish/v1/Oem, pointer: /States/1, value: 9}]
  psu_lost:
    redfish: [{uri: /redfish/v1/Oem, remove: true}]
  port_errors:
    redfish: [{uri: /redfish/v1/Oem, pointer: /States/7/x, value: 9}]
"""
    )
    device = type(bmc())(address=BMC, protocol="redfish", sample="own", login=LOGIN)
    async with farm_of(device, samples=(str(tmp_path),)) as farm:
        client = Client(https, farm)
        farm.set_fault(BMC, "fan_failed", on=True)
        assert await client.get("/redfish/v1/Oem") == {"States": [1, 9]}
        with pytest.raises(LabError, match="/States/7/x"):
            farm.set_fault(BMC, "port_errors", on=True)
        farm.set_fault(BMC, "psu_lost", on=True)
        await client.get("/redfish/v1/Oem", status=404)


async def test_dead_gives_no_connection_and_comes_back(https):
    async with farm_of(bmc(), bmc(SECOND, copy=1)) as farm:
        client = Client(https, farm)
        await client.get(SYSTEM)
        farm.set_fault(BMC, "dead", on=True)
        await asyncio.sleep(0.05)
        with pytest.raises((TimeoutError, aiohttp.ClientError)):
            await client.get(SYSTEM, timeout=aiohttp.ClientTimeout(total=0.5))
        assert await client.get(SYSTEM, address=SECOND)
        farm.set_fault(BMC, "dead", on=False)
        assert await client.get(SYSTEM)


async def test_latency_slow_and_loss(https):
    async with farm_of(bmc(latency_ms=250), bmc(SECOND, loss=1.0)) as farm:
        client = Client(https, farm)
        start = time.monotonic()
        await client.get(SYSTEM)
        assert time.monotonic() - start >= 0.25
        quick = aiohttp.ClientTimeout(total=0.4)
        with pytest.raises(TimeoutError):
            await client.get(SYSTEM, address=SECOND, timeout=quick)
        farm.set_fault(BMC, "slow", on=True)
        assert farm.delay_s("redfish", BMC) == pytest.approx(3.25)
        with pytest.raises(TimeoutError):
            await client.get(SYSTEM, timeout=quick)


async def test_garbage_and_half_answers(https):
    async with farm_of(bmc(faults=("garbage",))) as farm:
        client = Client(https, farm)
        with pytest.raises(aiohttp.ClientError):
            await client.get(SYSTEM)
        farm.set_fault(BMC, "garbage", on=False)
        farm.set_fault(BMC, "half", on=True)
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.get(SYSTEM)
        farm.set_fault(BMC, "half", on=False)
        assert await client.get(SYSTEM)


async def test_wrong_encoding(https):
    async with farm_of(bmc(faults=("wrong_encoding",))) as farm:
        client = Client(https, farm)
        async with https.get(client.url(SYSTEM), headers=BASIC) as response:
            body = await response.read()
    with pytest.raises(UnicodeDecodeError):
        body.decode("utf-8")
    assert b'"Model":"LAB-2U"' in body


async def test_endless_collection_always_promises_a_next_page(https):
    async with farm_of(bmc(faults=("endless",))) as farm:
        client = Client(https, farm)
        uri, seen = "/redfish/v1/Systems/1/Memory", set()
        for _page in range(20):
            body = await client.get(uri)
            seen |= {member["@odata.id"] for member in body["Members"]}
            uri = body["Members@odata.nextLink"]
        assert len(seen) == 5 + 19 * 5
        farm.set_fault(BMC, "endless", on=False)
        assert "Members@odata.nextLink" not in await client.get("/redfish/v1/Systems/1/Memory")


async def test_endless_body_is_white_space_for_ever(https):
    async with farm_of(bmc(faults=("endless_body",))) as farm:
        client = Client(https, farm)
        async with https.get(client.url(SYSTEM), headers=BASIC) as response:
            assert response.status == 200
            read = await response.content.readexactly(200_000)
        assert not read.strip()


async def test_a_client_that_talks_nonsense_is_dropped_and_the_farm_goes_on(https):
    async with farm_of(bmc()) as farm:
        client = Client(https, farm)
        reader, writer = await asyncio.open_connection(BMC, farm.redfish_port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")  # no TLS
        assert len(await reader.read()) < 16  # at most a TLS alert, then the end
        writer.close()
        assert await client.get(SYSTEM)


async def test_sample_that_is_no_tree(tmp_path):
    (tmp_path / "bad.tree.json").write_text("[1, 2")
    device = type(bmc())(address=BMC, protocol="redfish", sample="bad", login=LOGIN)
    with pytest.raises(LabError, match=r"bad\.tree\.json"):
        async with farm_of(device, samples=(str(tmp_path),)):
            pass
