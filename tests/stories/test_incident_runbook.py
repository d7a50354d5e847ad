"""The incident runbook, typed as it stands: a planted breach found, stopped, scoped, registered."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import run
from gateway.ids import now
from storage import alerts
from storage.alerts import Finding
from tests.gateway.ground import SQLITE
from tests.house import API, House
from tests.test_docs import FENCE, text_of

RUNBOOK = "docs/incident-runbook.md"
SINCE, UNTIL = "2026-11-20T08:00", "2026-11-20T09:30"


def typed() -> list[str]:
    """The commands of the runbook, in order."""
    blocks = [body for kind, body in FENCE.findall(text_of(RUNBOOK)) if kind == "sh"]
    return [line for block in blocks for line in block.splitlines() if line.startswith("kluis ")]


@dataclass
class Desk:
    """An officer who types; what the commands printed fills in the words of the next ones."""

    capsys: pytest.CaptureFixture[str]
    words: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)

    async def type(self, line: str) -> None:
        """One command, with --json where its answer is one."""
        given = [self.words.get(word, word) for word in shlex.split(line)[1:]]
        as_text = "--csv" in given
        self.capsys.readouterr()
        code = await asyncio.to_thread(run, given if as_text else [*given, "--json"])
        printed = self.capsys.readouterr()
        assert code == 0, (line, printed.err)
        answer: Any = printed.out if as_text else json.loads(printed.out)
        name = " ".join(word for word in given[:2] if word.isalpha())
        if name == "incident measure":
            name = f"measure {given[3]}"
        self.answers[name] = answer
        if name == "incident open":
            self.words["INCIDENT"] = answer["id"]
        elif name == "incident attach":
            self.words["EVIDENCE"] = answer["id"]


async def raise_alert(house: House) -> str:
    """What the watch would say of the planner; the alert's id."""
    found = Finding("tamper", "planner", 3, now(), 0, 0, 1, account_id=house.planner.id)
    async with house.rooms.main.transaction() as tx:
        await alerts.record(tx, "01a203ae-919b-70c9-a651-9d43dc82770a", found, now())
    return "01a203ae-919b-70c9-a651-9d43dc82770a"


@SQLITE
async def test_the_runbook_finds_exactly_what_a_thief_read_and_stops_it(
    house: House,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mine = [await house.planned_case() for _ in range(3)]
    thief = house.planner
    before, after = now() - timedelta(minutes=1), now() + timedelta(hours=1)
    await thief.get(f"{API}/cases/{mine[0][0]}")
    await thief.download(mine[1][0], mine[1][1]["id"])
    answer = await thief.ask("GET", f"{API}/cases/{await house.dentist.new_case()}")
    assert answer.status == 404
    await house.dentist.get(f"{API}/cases/{mine[2][0]}")
    (tmp_path / "mail.eml").write_bytes(b"Subject: we have your scans\n\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KLUIS_SERVER", house.url)
    monkeypatch.setenv("KLUIS_TOKEN", house.officer.token or "")
    desk = Desk(capsys)
    desk.words |= {
        "ALERT": await raise_alert(house),
        "ACCOUNT": house.planner.id,
        SINCE: _minute(before),
        UNTIL: _minute(after),
    }

    for line in typed():
        await desk.type(line)

    _check_scope(desk.answers["incident scope"], house, mine)
    assert (await thief.ask("GET", f"{API}/cases/{mine[2][0]}")).status == 401
    assert desk.answers["measure accounts"]["result"] == {"accounts": 1, "tokens": 1}
    assert desk.answers["measure assignments"]["result"] == {"cases": 3}
    assert desk.answers["measure freeze"]["result"] == {"cases": 2, "left_out": 0}
    clock = desk.answers["incident show"]["clocks"][0]
    assert (clock["controller_id"], clock["told_at"]) == (house.practice.id, None)
    assert (tmp_path / "copy-of-mail.eml").read_bytes() == (tmp_path / "mail.eml").read_bytes()
    assert desk.answers["incident close"]["state"] == "closed"
    (row,) = csv.DictReader(io.StringIO(desk.answers["incident register"]))
    told = ("practices", "cases", "files", "people", "measures")
    assert [row[name] for name in told] == ["1", "2", "1", "1", "accounts, assignments, freeze"]


def _minute(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M")


def _check_scope(answer: Mapping[str, Any], house: House, mine: list[tuple[str, Any]]) -> None:
    (theirs,) = answer["controllers"]
    assert answer["complete"]
    assert theirs["controller_id"] == house.practice.id
    assert {case["case_id"]: case["files"] for case in theirs["cases"]} == {
        mine[0][0]: [],
        mine[1][0]: [mine[1][1]["id"]],
    }
    assert (theirs["content"], theirs["keys_exposed"]) == (True, False)
