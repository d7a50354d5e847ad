"""A whole house on OpenBao: upload, work, outages, erasure. The keys are never on its disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.access.actors import operator
from gateway.app import initialise
from gateway.ids import now
from gateway.privacy.erasure import LEASE, LEASE_TIME
from gateway.settings import Settings, load
from keys.context import Context
from keys.errors import ProviderUnavailableError, UnknownKeyVersionError
from keys.providers.openbao import OpenBao
from keys.secret import SecretKey
from storage import leases
from tests.gateway.ground import until
from tests.house import (
    API,
    BYTES,
    SCAN,
    TUS,
    WAIT_SECONDS,
    Answer,
    House,
    Person,
    ServerProcess,
    open_house,
)
from tests.openbao import BaoMount, BaoServer, running_bao
from tests.stories.test_erasure import Kept
from tests.stories.test_erasure_certificate import public_keys, verified_body


@pytest.fixture
def own_bao(tmp_path: Path) -> Iterator[BaoServer]:
    """A server that the test may seal and kill."""
    (tmp_path / "server").mkdir()
    with running_bao(tmp_path / "server") as server:
        yield server


@pytest.fixture
def own_mount(own_bao: BaoServer, tmp_path: Path) -> BaoMount:
    return own_bao.mount(tmp_path)


@pytest.fixture
async def remote(own_mount: BaoMount, data_directory: Path) -> Settings:
    """A data directory whose keys are on the server; the settings are in its file."""
    lines = [f'{name} = "{value}"' for name, value in own_mount.chosen().items()]
    lines += ["inspection_workers = 1", "disk_reserve_bytes = 65536", ""]
    (data_directory / "kluis.toml").write_text("\n".join(lines))
    settings = load(data=data_directory)
    await initialise(settings, "", "officer@lab.example")
    return settings


@pytest.fixture
async def far_house(remote: Settings) -> AsyncIterator[House]:
    async with open_house(remote) as opened:
        yield opened


async def test_a_case_goes_its_way_and_its_erasure_names_what_the_server_may_keep(
    far_house: House, own_mount: BaoMount
) -> None:
    case_id, scan = await far_house.planned_case()
    living, other = await far_house.submitted_case()
    assert await far_house.planner.download(case_id, scan["id"])
    before = await Kept.of(far_house)
    owner = f"c.{far_house.practice.id}"
    assert own_mount.keys() == {f"{owner}.1"}

    certificate = await far_house.dentist.erase(case_id)

    body = verified_body(certificate, await public_keys(far_house))
    assert (body["key"]["provider"], body["key"]["destroyed_version"]) == ("openbao", 1)
    assert any(OpenBao.residual in rest for rest in body["not_covered"])
    assert not any("keyring file" in rest for rest in body["not_covered"])
    assert own_mount.keys() == {f"{owner}.2"}
    attacker = own_mount.provider()
    for row in before.keys:
        if row["version"] is not None:
            place = Context(
                row["purpose"], row["controller_id"], row["case_id"] or "", row["object_id"]
            )
            with pytest.raises(UnknownKeyVersionError):
                await attacker.unwrap(row["version"], row["wrapped"], place)
    await attacker.close()
    assert await far_house.dentist.download(living, other["id"])


async def test_every_practice_gets_a_new_key_on_the_server(
    far_house: House, own_mount: BaoMount
) -> None:
    case_id, scan = await far_house.submitted_case()
    punctures = await far_house.rooms.rotations.request(operator(), None)

    async def is_done() -> bool:
        return (await far_house.rooms.rotations.progress(punctures)).practices == 0

    await until(is_done)
    assert own_mount.keys() == {f"c.{far_house.practice.id}.2"}
    assert await far_house.dentist.download(case_id, scan["id"])


async def test_while_the_server_is_sealed_nothing_is_shown_and_afterwards_nothing_is_lost(
    far_house: House, own_bao: BaoServer
) -> None:
    case_id, scan = await far_house.submitted_case()
    original = await far_house.dentist.download(case_id, scan["id"])
    draft = await far_house.dentist.new_case()
    half = len(SCAN) // 2
    address, file_id = await far_house.dentist.begin_upload(draft, len(SCAN))
    assert (await far_house.dentist.append(address, 0, SCAN[:half])).status == 204

    own_bao.seal()
    refusals = [
        await far_house.dentist.ask("GET", f"{API}/cases/{case_id}"),
        await far_house.dentist.ask("GET", f"{API}/cases/{case_id}/files/{scan['id']}/content"),
        await far_house.dentist.ask("PATCH", address, headers=_at(half), data=SCAN[half:]),
    ]
    ready = await far_house.stranger.ask("GET", "/readyz")
    own_bao.unseal()

    for refusal in refusals:
        assert_try_again(refusal)
    assert (ready.status, ready.json()["parts"]["keys"]) == (503, "sealed")
    assert await far_house.dentist.offset(address) == half
    assert (await far_house.dentist.append(address, half, SCAN[half:])).status == 204
    assert (await far_house.dentist.verdict(draft, file_id))["state"] == "accepted"
    assert await far_house.dentist.download(case_id, scan["id"]) == original


async def test_an_erasure_waits_for_the_server_and_then_ends(
    far_house: House, own_bao: BaoServer, own_mount: BaoMount
) -> None:
    case_id, _ = await far_house.submitted_case()
    lease = await leases.acquire(far_house.rooms.main, LEASE, "a busy node", LEASE_TIME, now())
    assert lease is not None
    body = {"reason": "asked for in a test", "confirm": case_id}
    await far_house.dentist.post(f"{API}/cases/{case_id}/erasure", body, 202)

    own_bao.seal()
    await leases.release(far_house.rooms.main, lease)
    assert await far_house.rooms.erasures.advance()
    waiting = await far_house.dentist.get(f"{API}/cases/{case_id}/erasure")
    own_bao.unseal()
    certificate = await far_house.dentist.erase(case_id)

    assert waiting["step"] == "frozen"
    assert certificate["body"]["key"]["versions_left"] == [2]
    assert own_mount.keys() == {f"c.{far_house.practice.id}.2"}


async def test_a_server_that_is_away_proves_no_erasure(
    far_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, _ = await far_house.submitted_case()
    whole, tried = far_house.rooms.keyring.unwrap, asyncio.Event()

    async def away(version: int, wrapped: bytes, context: Context) -> SecretKey:
        if version == 2 and context.case_id == case_id:
            tried.set()
            raise ProviderUnavailableError("sealed", "unseal it")
        return await whole(version, wrapped, context)

    monkeypatch.setattr(far_house.rooms.keyring, "unwrap", away)
    body = {"reason": "asked for in a test", "confirm": case_id}
    await far_house.dentist.post(f"{API}/cases/{case_id}/erasure", body, 202)
    async with asyncio.timeout(WAIT_SECONDS):
        await tried.wait()
        tried.clear()
        await tried.wait()  # it is tried again, not taken for proof
    step = (await far_house.dentist.get(f"{API}/cases/{case_id}/erasure"))["step"]
    monkeypatch.undo()

    assert step == "punctured"
    assert await far_house.dentist.erase(case_id)


async def test_kluis_serve_outlives_a_server_that_was_killed(
    remote: Settings, own_bao: BaoServer
) -> None:
    token = await _dentist_of(remote)
    server = await ServerProcess.start(remote)
    try:
        async with ClientSession() as session:
            dentist = Person(session, server.url, token)
            case_id = await dentist.new_case()
            file = await dentist.upload(case_id, SCAN)

            own_bao.kill()
            refused = await dentist.ask("GET", f"{API}/cases/{case_id}")
            own_bao.start()
            still = await dentist.ask("GET", f"{API}/cases/{case_id}")
            own_bao.unseal()
            content = await dentist.download(case_id, file["id"])

        assert_try_again(refused)
        assert_try_again(still)
        assert len(content) >= len(SCAN)
        assert await server.stop() == 0
    finally:
        if server.process.returncode is None:
            await server.kill()


async def _dentist_of(settings: Settings) -> str:
    async with open_house(settings) as house:
        return house.dentist.token or ""


def assert_try_again(answer: Answer) -> Any:
    assert (answer.status, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert int(answer.headers["Retry-After"]) > 0


def _at(offset: int) -> dict[str, str]:
    return {**TUS, **BYTES, "Upload-Offset": str(offset)}
