"""`kluis watch`: what was found, and finding it again."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from gateway.cli.main import run
from gateway.ids import new_id
from keys.providers import local
from keys.providers.keyfile import ScryptCost
from tests.gateway.cli.conftest import Kluis
from tests.gateway.cli.stand_in import listening

PASSPHRASE = "a passphrase for tests alone"
ALERT = {
    "id": new_id(),
    "rule": "tamper",
    "severity": "high",
    "state": "open",
    "at": "2026-11-22T20:00:00Z",
    "count": 2,
    "account_id": None,
    "controller_id": None,
    "case_id": "a-case",
    "address": None,
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)
    monkeypatch.setattr(local, "ScryptCost", lambda: ScryptCost(n=2**10, r=8, p=1))
    assert run(["init", "--data", str(tmp_path / "data"), "--json"]) == 0
    return tmp_path / "data"


def test_a_replay_answers_how_noisy_the_rules_are_and_leaves_an_event(
    kluis: Kluis, data: Path
) -> None:
    before = kluis("log", "verify", "--data", data, "--json").answer["pending"]
    again = ["watch", "replay", "--from", "2020-01-01", "--data", data]

    ran, shown = kluis(*again, "--json"), kluis(*again)

    assert ran.code == 0, ran.err
    assert ran.answer == {
        "events": 0,  # they get their places from a server
        "altered": 0,
        "user_days": 0,
        "per_1000_user_days": {"notice": 0.0, "warning": 0.0, "high": 0.0},
        "alerts": [],
    }
    assert "In a thousand user-days" in shown.out
    assert kluis("log", "verify", "--data", data, "--json").answer["pending"] == before + 2


def test_a_day_that_is_none_is_refused(kluis: Kluis, data: Path) -> None:
    assert kluis("watch", "replay", "--from", "yesterday", "--data", data).code == 2


def test_open_alerts_are_listed_with_what_they_are_about(
    kluis: Kluis, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.query["state"])
        return web.json_response({"alerts": [ALERT], "next": None})

    app = web.Application()
    app.router.add_get("/api/v1/alerts", answer)
    monkeypatch.setenv("KLUIS_TOKEN", "token-of-an-officer")
    with listening(app) as address:
        ran = kluis("watch", "alerts", "--server", address, "--json")
        shown = kluis("watch", "alerts", "--all", "--server", address)

    assert ran.code == 0, ran.err
    assert ran.answer == [ALERT]
    assert "a-case" in shown.out
    assert asked == ["open", "any"]


def test_a_week_is_shown_as_its_page_and_judged_and_a_case_made_a_canary(
    kluis: Kluis, monkeypatch: pytest.MonkeyPatch
) -> None:
    week, sent = {"week": "2026-W47", "state": "open", "reviewed": 1, "items": 2, "due": "soon"}, []

    async def listed(_: web.Request) -> web.Response:
        return web.json_response({"weeks": [week]})

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="Looked at: 1 of 2.\n")

    async def take(request: web.Request) -> web.Response:
        sent.append(await request.json())
        return web.json_response(week, status=201)

    app, case_id = web.Application(), new_id()
    app.router.add_get("/api/v1/reviews", listed)
    app.router.add_get("/api/v1/reviews/2026-W47/report", page)
    app.router.add_post("/api/v1/reviews/2026-W47/verdicts", take)
    app.router.add_post("/api/v1/canaries", take)
    monkeypatch.setenv("KLUIS_TOKEN", "token-of-an-officer")
    judge = ["judge", "2026-W47", "event:7", "--verdict", "explained", "--words", "on call"]
    with listening(app) as address:
        weeks = kluis("watch", "review", "--server", address)
        shown = kluis("watch", "review", "2026-W47", "--server", address)
        judged = kluis("watch", *judge, "--server", address)
        made = kluis("watch", "canary", case_id, "--consent", "by phone", "--server", address)

    assert "2026-W47" in weeks.out
    assert "Looked at: 1 of 2." in shown.out
    assert "1 of 2" in judged.out
    assert case_id in made.out
    assert sent == [
        {"item": "event:7", "verdict": "explained", "words": "on call"},
        {"case_id": case_id, "consent": "by phone"},
    ]
