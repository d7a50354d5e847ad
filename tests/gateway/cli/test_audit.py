"""`kluis audit` against a real house, honest and lying: what it says, keeps, and exits with."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.cli.audit import export_bundle
from gateway.cli.client import Patience
from gateway.watch.watching import Watching
from tests.gateway.audit.world import cosigning_key
from tests.gateway.cli.conftest import Kluis, Ran
from tests.gateway.cli.lying import Proxy, on_events
from tests.gateway.ground import SQLITE, change
from tests.house import SCAN, WAIT_SECONDS, House

pytestmark = SQLITE

Audit = Callable[..., Awaitable[Ran]]


@pytest.fixture(autouse=True)
def _unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the server's log and the command's answer share one output, and the watch speaks."""

    async def rest(_: Watching) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Watching, "run", rest)


@pytest.fixture
async def proxy(house: House) -> AsyncIterator[Proxy]:
    async with Proxy(house.url).listening() as proxy:
        yield proxy


@pytest.fixture
def audit(house: House, proxy: Proxy, kluis: Kluis, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """Run `kluis audit` as the dentist, through the proxy."""
    assert house.dentist.token is not None
    monkeypatch.setenv("KLUIS_TOKEN", house.dentist.token)
    monkeypatch.setenv("KLUIS_SERVER", proxy.url)
    monkeypatch.setenv("KLUIS_LOG_KEY", str(house.settings.log_key_path))

    async def run(*arguments: object, command: str = "audit") -> Ran:
        return await asyncio.to_thread(kluis, command, *arguments, "--json")

    return run


@pytest.fixture
async def case_id(house: House, audit: Audit, tmp_path: Path) -> str:
    """A case whose scan went in and came out by the command, so there are receipts."""
    case_id = await house.dentist.new_case()
    (tmp_path / "upper.stl").write_bytes(SCAN)
    assert (await audit(case_id, tmp_path / "upper.stl", command="upload")).code == 0
    assert (await audit(case_id, "--to", tmp_path / "back", command="download")).code == 0
    return case_id


@pytest.fixture
async def traffic(house: House) -> None:
    """Some events of the practice, each in its place."""
    for _ in range(4):
        await house.dentist.new_case()
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            async with house.rooms.main.reading() as connection:
                if not await connection.scalar(text("SELECT 1 FROM events WHERE number IS NULL")):
                    break
            await asyncio.sleep(0.05)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for a look that a lying server never takes up."""
    monkeypatch.setattr("gateway.cli.audit.UPTAKE", Patience(0.05, 0.2, 2.0))


def codes(ran: Ran) -> list[str]:
    assert ran.code == 1, ran.out + ran.err
    return [finding["code"] for finding in ran.answer["findings"]]


def state_of(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "state" / "kluis" / "audit").iterdir()
    return path


async def test_an_honest_log_is_right_and_every_receipt_is_found(
    audit: Audit, case_id: str, tmp_path: Path
) -> None:
    ran = await audit()

    assert (ran.code, ran.err) == (0, "")
    assert ran.answer["ok"] is True
    assert ran.answer["findings"] == []
    # One upload, one download, and this audit itself.
    assert ran.answer["receipts"] == 3
    assert 5 < ran.answer["events"] <= ran.answer["size"]
    assert state_of(tmp_path).stat().st_mode & 0o777 == 0o600
    receipts = tmp_path / "state" / "kluis" / "receipts.jsonl"
    assert receipts.stat().st_mode & 0o777 == 0o600
    rows = [json.loads(line) for line in receipts.read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["upload", "download", "audit"]
    assert rows[0]["case"] == case_id
    assert rows[0]["sha256"] == rows[1]["sha256"]


async def test_an_erasure_leaves_a_receipt_that_is_found(
    house: House, audit: Audit, case_id: str
) -> None:
    erasing = ("--reason", "asked for", "--confirm", case_id)
    assert (await audit(case_id, *erasing, command="erase")).code == 0

    assert (await audit()).answer["receipts"] == 4


async def test_a_later_check_builds_on_the_earlier_one(
    house: House, audit: Audit, traffic: None
) -> None:
    first = (await audit()).answer
    await house.dentist.new_case()
    second = (await audit()).answer

    assert first["earlier"] == ""
    assert second["earlier"] == first["checkpoint"]
    assert second["events"] > first["events"]


async def test_the_last_event_cannot_be_withheld_because_the_look_itself_must_be_there(
    audit: Audit, proxy: Proxy, traffic: None, hasty: None
) -> None:
    first = (await audit()).answer["events"]
    proxy.lie = on_events(
        lambda events: events.__setitem__(
            slice(None), [event for event in events if event["number"] <= first]
        )
    )

    assert codes(await audit()) == ["receipt_missing"]


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (lambda events: events.pop(2) if len(events) > 4 else None, "gap"),
        (lambda events: events[2].update(salt=base64.b64encode(bytes(32)).decode()), "altered"),
        (
            lambda events: events[2].update(
                record=events[2]["record"].replace("dentist", "planner")
            ),
            "altered",
        ),
        (lambda events: events[2].update(record=None, salt=None, pruned=True), "pruned_early"),
        (lambda events: events[2].update(index="2"), "foreign"),
    ],
    ids=["gap", "salt", "record", "pruned", "no event"],
)
async def test_a_server_that_lies_about_an_event_is_found_with_the_index(
    audit: Audit, proxy: Proxy, traffic: None, lie: Callable[[Any], object], code: str
) -> None:
    honest: dict[int, int] = {}

    def lying(events: list[dict[str, Any]]) -> None:
        honest.update({event["number"]: event["index"] for event in events})
        if len(events) > 4 and events[0]["number"] == 1:
            lie(events)

    proxy.lie = on_events(lying)
    ran = await audit()

    assert codes(ran)[0] == code
    number = 4 if code == "gap" else 3
    expected = None if code == "foreign" else honest[number]
    assert ran.answer["wrong_index"] == expected


async def test_a_record_altered_in_the_database_is_found(
    house: House, audit: Audit, traffic: None
) -> None:
    await audit()
    async with house.rooms.main.reading() as connection:
        statement = text(
            'SELECT min("index") FROM events WHERE controller_id = :id'
            " AND record LIKE '%case.create%'"
        )
        index = await connection.scalar(statement, {"id": house.practice.id})
    await change(
        house,
        "UPDATE events SET record = replace(record, 'case.create', 'case.erase')"
        ' WHERE "index" = :index',
        index=index,
    )

    ran = await audit()

    assert codes(ran)[0] == "altered"
    assert ran.answer["wrong_index"] == index


async def test_a_false_and_a_missing_tile_are_found(
    audit: Audit, proxy: Proxy, traffic: None
) -> None:
    proxy.lie = lambda path, content: bytes(len(content)) if "/log/tile/" in path else content
    assert codes(await audit()) == ["false_tree"]

    proxy.lie = lambda path, content: None if "/log/tile/" in path else content
    assert codes(await audit()) == ["unproven"]


async def test_a_rolled_back_server_is_found_by_what_was_kept(
    audit: Audit, proxy: Proxy, traffic: None, hasty: None
) -> None:
    old: dict[str, bytes] = {}

    def recording(path: str, content: bytes) -> bytes:
        if "/log/" in path and "limit=1" not in path:
            old.setdefault(path, content)
        return content

    proxy.lie = recording
    small = (await audit()).answer["size"]
    proxy.lie = None
    assert (await audit()).answer["size"] > small

    # What it showed at first, again; the patience for the look is not what is tested here.
    def rolled_back(path: str, content: bytes) -> bytes | None:
        if "/log/" not in path or "limit=1" in path:
            return content
        if path in old:
            return old[path]
        return b'{"events": [], "next": null}' if "events" in path else None

    proxy.lie = rolled_back
    ran = await audit()

    assert "rolled_back" in codes(ran)
    assert ran.answer["wrong_index"] <= small


async def test_a_receipt_that_the_log_does_not_bear_out_is_named(
    audit: Audit, case_id: str, tmp_path: Path
) -> None:
    receipts = tmp_path / "state" / "kluis" / "receipts.jsonl"
    rows = [json.loads(line) for line in receipts.read_text().splitlines()]
    unknown = rows[0] | {"event": "0197e0d4-0000-7000-8000-000000000000"}
    other_case = rows[1] | {"case": "0197e0d4-0000-7000-8000-000000000001"}
    with receipts.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in (unknown, other_case))

    ran = await audit()

    assert sorted(codes(ran)) == ["receipt_contradicted", "receipt_missing"]
    (missing,) = [one for one in ran.answer["findings"] if one["code"] == "receipt_missing"]
    assert missing["subject"] == unknown["event"]


async def test_a_lie_is_not_kept_as_the_truth(
    audit: Audit, proxy: Proxy, traffic: None, tmp_path: Path
) -> None:
    await audit()
    before = state_of(tmp_path).read_bytes()
    proxy.lie = on_events(lambda events: events.pop(2) if len(events) > 4 else None)

    assert "gap" in codes(await audit())

    assert state_of(tmp_path).read_bytes() == before


async def test_a_key_that_is_not_the_logs_finds_nothing_signed(
    audit: Audit, traffic: None, house: House
) -> None:
    ran = await audit("--key", house.settings.certificate_key_path)

    assert codes(ran) == ["unsigned"]


async def test_a_required_witness_that_did_not_cosign_is_missing(
    audit: Audit, traffic: None
) -> None:
    ran = await audit("--witness", cosigning_key(9).verifier)

    assert codes(ran) == ["unwitnessed"]
    assert (await audit("--witness", cosigning_key(9).verifier, "--witnesses", 0)).code == 0


async def test_a_bundle_is_checked_without_the_server(
    house: House, audit: Audit, proxy: Proxy, case_id: str, tmp_path: Path
) -> None:
    file = tmp_path / "log.bundle"
    told = await asyncio.to_thread(lambda: asyncio.run(export_bundle(proxy.url, file)))
    proxy.asked.clear()

    ran = await audit("--bundle", file)

    assert ran.code == 0, ran.out
    assert proxy.asked == []
    assert ran.answer["events"] == told["events"]
    assert file.stat().st_mode & 0o777 == 0o600
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:3] + lines[4:]))
    assert "gap" in codes(await audit("--bundle", file))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--key", "none+00000000+AAAA"), "key"),
        (("--key", "/nowhere"), "key"),
        (("--witness", "no witness"), "witness"),
        (("--witnesses", "1"), "witnesses"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    audit: Audit, arguments: tuple[str, ...], field: str
) -> None:
    ran = await audit(*arguments)

    assert ran.code == 2
    assert ran.failure["field"] == field


async def test_damaged_files_of_ones_own_are_named_and_never_passed_over(
    audit: Audit, traffic: None, tmp_path: Path
) -> None:
    assert (await audit()).code == 0
    state = state_of(tmp_path)
    content = state.read_text()
    for damaged in ("{", content.replace("kluis", "other", 1)):
        state.write_text(damaged)
        ran = await audit()
        assert ran.code == 1
        assert str(state) in ran.failure["message"]
    state.write_text(content)
    bundle = tmp_path / "bundle"
    bundle.write_bytes(b"\xff")
    assert str(bundle) in (await audit("--bundle", bundle)).failure["message"]
    assert str(tmp_path / "none") in (await audit("--bundle", tmp_path / "none")).failure["message"]
    (state.parent.parent / "receipts.jsonl").write_text("{\n")
    assert "receipts.jsonl" in (await audit()).failure["message"]


async def test_a_person_is_told_in_words(
    kluis: Kluis, audit: Audit, proxy: Proxy, traffic: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await asyncio.to_thread(kluis, "audit")
    proxy.lie = on_events(lambda events: events.pop(2) if len(events) > 4 else None)
    english = await asyncio.to_thread(kluis, "audit")
    monkeypatch.setenv("LANG", "nl_NL.UTF-8")
    dutch = await asyncio.to_thread(kluis, "audit")

    assert first.out.startswith("The log is right: ")
    assert "first check" in first.out
    assert english.code == dutch.code == 1
    assert english.out.startswith("The log is NOT right.")
    assert "gap  Of your events, number 3 is withheld." in english.out
    assert dutch.out.startswith("Het logboek klopt NIET.")
