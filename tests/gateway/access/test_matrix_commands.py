"""Every command of `kluis` times everybody: who may do what at the command line.

A command either works at the machine, on the data directory: whoever may run it is the operator,
and the operating system says who that is. Or it is a thin client of the API: it asks the routes
that stand beside it and no others, and where the matrix refuses one of them to somebody the
command says so and fails. A command that typer knows and this table does not is a failure.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from yarl import URL

from gateway.access.scope import Limits
from gateway.cli.client import Client
from gateway.cli.main import app, run
from gateway.ids import ID_PATTERN, SECRET_PATTERN, WEEK_PATTERN
from tests.gateway.access.deriving import REFUSALS, derive
from tests.gateway.access.test_matrix import EXPECTED, WHO, Ground, ground
from tests.gateway.access.test_matrix_policy import ABSENT, ACTS, OF_PEOPLE, own
from tests.gateway.ground import SQLITE
from tests.house import API, Person
from tests.leaks import heard, planted

__all__ = ["ground"]

LOCAL = """
backup list; backup new-key; backup test; client add; client erase; client list; client set; demo;
doctor; init; keys list; keys migrate; keys rotate; keys rotate-root; keys rotate-signing;
log prune; log verify; restore; serve; settings; sweep; token create; token revoke; user add;
user disable; user list; user password; user unlink; watch replay
"""
"""At the machine, on the data directory (`--data`)."""

APART = {
    "audit": "reads what is open to all, and holds it against the receipts of whoever runs it",
    "certificate verify": "reads a file and a public key, and asks nobody",
    "ready": "asks /readyz, which is open to all",
    "witness init": "is run by a witness, on a machine of its own",
    "witness serve": "is run by a witness, on a machine of its own",
}
"""Neither: what they need is open to all, or not of this server."""

NEW = "--patient-name N --birth-date 1990-05-17 --patient-number P"
CHECKPOINT = "GET /log/checkpoint"
EACH = (*WHO, "manager", "service", "limited")
FOLLOWS = {
    "HEAD /uploads/*",
    "PATCH /uploads/*",
    "GET /cases/-/files/*",
}
"""What follows where an upload was let in."""

ASKS: Mapping[str, tuple[str, ...]] = {
    "confidentiality": ("GET /account/confidentiality",),
    f"case create {NEW}": ("POST /cases",),
    "case list": ("GET /cases",),
    "case list --patient-number P": ("POST /cases/search",),
    "case show CASE": ("GET /cases/-",),
    "case assign CASE EXTRA": ("POST /cases/-/assignments",),
    "case place CASE FILE upper": ("PUT /cases/-/files/*/slot",),
    "case hand-over CASE COLLEAGUE": ("POST /cases/-/handover",),
    "case submit CASE": ("POST /cases/-/submission",),
    "case complete CASE": ("POST /cases/-/completion",),
    f"case correct CASE {NEW}": ("PUT /cases/-/patient",),
    "download CASE FILE --to DIR": ("GET /cases/-", "GET /cases/-/files/*/content"),
    "upload CASE DIR/scan.stl": ("POST /cases/-/files",),
    "emergency declare CASE --reason urgent": ("POST /cases/-/emergency",),
    "emergency list": ("GET /emergencies",),
    "emergency review EMERGENCY --verdict justified --words yes": ("POST /emergencies/*/review",),
    "log show CASE": ("GET /cases/-/events",),
    "log export --format csv --out DIR/log --client PRACTICE": (CHECKPOINT, "GET /log/events"),
    "log export --format csv --out DIR/log --client PRACTICE --case CASE": (
        *(CHECKPOINT, "GET /cases/-/events", "GET /log/events"),
    ),
    "watch alerts": ("GET /alerts",),
    "watch review": ("GET /reviews",),
    "watch review WEEK": ("GET /reviews/*",),
    "watch judge WEEK event:0 --verdict explained --words work": ("POST /reviews/*/verdicts",),
    "watch canary CASE --consent manager": ("POST /canaries",),
    "incident open title": ("POST /incidents",),
    "incident list": ("GET /incidents",),
    "incident show INCIDENT": ("GET /incidents/*",),
    "incident note INCIDENT words": ("POST /incidents/*/entries",),
    "incident join INCIDENT ALERT": ("POST /incidents/*/alerts",),
    "incident scope INCIDENT --address 192.0.2.7": ("POST /incidents/*/scope",),
    "incident measure INCIDENT freeze": ("POST /incidents/*/measures",),
    "incident attach INCIDENT DIR/scan.stl": ("POST /incidents/*/evidence",),
    "incident fetch INCIDENT EVIDENCE --to DIR/got": ("GET /incidents/*/evidence/*",),
    "incident contain INCIDENT": ("PATCH /incidents/*",),
    "incident close INCIDENT --risk unlikely --conclusion well": ("PATCH /incidents/*",),
    "incident register": ("GET /incidents/register",),
    "incident register --csv": ("GET /incidents/register.csv",),
    "case restrict CASE --reason doubt": ("POST /cases/-/restriction",),
    "case release CASE --reason settled": ("POST /cases/-/release",),
    "notice compose INCIDENT --contact us": ("POST /incidents/*/notices",),
    "notice send INCIDENT": ("GET /incidents/*/notices",),
    "notice list INCIDENT": ("GET /incidents/*/notices",),
    "notice show NOTICE": ("GET /breach-notices/*",),
    "delivery list": ("GET /deliveries",),
    "delivery retry DELIVERY": ("POST /deliveries/*/retry",),
    "erasure list": ("GET /erasures",),
    "erasure show REQUEST": ("GET /erasures/*",),
    "erasure approve REQUEST": ("POST /erasures/*/approval",),
    "erasure withdraw REQUEST": ("DELETE /erasures/*",),
    "erase CASE --reason asked --confirm CASE": ("POST /cases/-/erasure", "GET /cases/-/erasure"),
}
"""Thin clients, as they are typed, with the routes that they ask, in this order."""

CODES = {401: {"unauthenticated"}, 403: {"forbidden", "out_of_scope"}, 404: {"not_found"}}


def leaves() -> Iterator[tuple[str, Any]]:
    """Every command of typer's tree, by what is typed for it."""

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for name, child in getattr(command, "commands", {}).items():
            yield from walk(child, (*path, name))
        if not hasattr(command, "commands"):
            yield " ".join(path), command

    yield from walk(typer.main.get_command(app), ())


LEAVES = dict(leaves())
MACHINE = {name.strip() for name in LOCAL.replace("\n", " ").strip().split(";")}
CLIENTS = {leaf for typed in ASKS for leaf in LEAVES if f"{typed} ".startswith(f"{leaf} ")}


def test_every_command_of_the_tree_stands_in_one_table() -> None:
    tables = [MACHINE, set(APART), CLIENTS]

    assert set(LEAVES) == set().union(*tables)
    assert sum(map(len, tables)) == len(LEAVES)


def test_what_works_at_the_machine_takes_a_directory_and_what_asks_a_server_an_address() -> None:
    takes = {
        name: {option for parameter in leaf.params for option in parameter.opts}
        for name, leaf in LEAVES.items()
    }

    assert {name for name in takes if "--data" in takes[name]} == MACHINE
    assert {name for name in takes if "--server" in takes[name]} == CLIENTS | {"ready", "audit"}


def test_every_route_that_a_command_asks_is_in_the_matrix() -> None:
    assert {full(route) for routes in ASKS.values() for route in routes} <= set(EXPECTED)


def full(route: str) -> str:
    """A route as the tables write it."""
    return route.replace(" /", f" {API}/", 1)


def refusal(route: str, who: str) -> int | None:
    """With what the matrix refuses somebody, or None."""
    row = full(route)
    is_recorded = who in WHO and row not in ABSENT  # what a row lacks, a command may have
    derived = derive(ACTS[row], OF_PEOPLE[who], own(row, who))
    status = EXPECTED[row][who] if is_recorded else derived
    return status if status in REFUSALS else None


@dataclass
class Terminal:
    """A command line on which everybody takes a turn, and the routes that were asked."""

    ground: Ground
    people: Mapping[str, Person]
    directory: Path
    monkeypatch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    asked: list[str]

    async def type(self, typed: str, who: str) -> tuple[int, Any]:
        """Run a command as somebody; its exit code and what it said of its failure."""
        self.asked.clear()
        self.monkeypatch.setenv("KLUIS_TOKEN", self.people[who].token or "")
        words = [*shlex.split(typed), "--server", self.ground.house.url]
        self.capture.readouterr()
        code = await asyncio.to_thread(run, [*words, "--json"])
        heard(said := self.capture.readouterr().err)
        return code, json.loads(said.splitlines()[-1]) if code else None

    async def filled(self, typed: str) -> str:
        """The command with an id for each word in capitals."""
        ground = self.ground
        made = {
            "EMERGENCY": "/emergencies/*",
            "REQUEST": "/erasures/*",
            "DELIVERY": "/deliveries/*",
            "NOTICE": "/breach-notices/*",
            "INCIDENT": "/incidents/*",
            "ALERT": "/alerts/*",
            "WEEK": "/reviews/*",
        }
        known = {
            "CASE": ground.case_id,
            "FILE": ground.file_id,
            "EXTRA": ground.extra.email,
            "COLLEAGUE": ground.house.planner.email,
            "PRACTICE": ground.house.practice.id,
            "DIR": str(self.directory),
        }
        for word, template in made.items():
            if word in typed:
                known[word] = await ground.star(template)
        if "EVIDENCE" in typed:
            known["EVIDENCE"] = await ground.evidence(known["INCIDENT"])
        return re.sub("[A-Z]{3,}", lambda found: known[found.group()], typed)


@pytest.fixture
async def terminal(
    ground: Ground,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Terminal:
    house, asked = ground.house, list[str]()
    plain = Client.request

    def noted(client: Client, method: str, address: URL, **more: Any) -> Any:
        path = re.sub(f"(?<=/cases/){ID_PATTERN}", "-", address.path.removeprefix(API))
        stars = f"(?<=/)(?:{SECRET_PATTERN}|{ID_PATTERN}|{WEEK_PATTERN})"
        asked.append(f"{method} {re.sub(stars, '*', path)}")
        return plain(client, method, address, **more)

    limited = await house.rooms.accounts.create_token(
        email=house.dentist.email, name="limited", limits=Limits(actions=["case.list"])
    )
    people = {
        **ground.people,
        "manager": await house.add_person("practice_manager", house.practice.id),
        "service": await house.add_person("service", house.practice.id),
        "limited": replace(house.dentist, token=planted("a token", limited)),
    }
    (tmp_path / "scan.stl").write_bytes(b"no scan at all")
    monkeypatch.setattr(Client, "request", noted)
    # Building the tree is nine tenths of what a command costs; it is the same each time.
    monkeypatch.setattr(typer.main, "get_command", cache(typer.main.get_command))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Terminal(ground, people, tmp_path, monkeypatch, capfd, asked)


@SQLITE
async def test_every_command_is_refused_to_whom_the_matrix_refuses_its_routes(
    terminal: Terminal,
) -> None:
    wrong = []
    for typed, routes in ASKS.items():
        refused = {who: [*filter(None, (refusal(r, who) for r in routes))] for who in EACH}
        # Whoever is refused comes first: they must not have changed what the others see.
        line = await terminal.filled(typed)
        for who in sorted(EACH, key=lambda who: not refused[who]):
            if not refused[who]:
                await terminal.ground.reset(full(routes[0]))
                line = await terminal.filled(typed)
            code, failure = await terminal.type(line, who)
            said = failure and failure["code"]
            if not refused[who]:
                fine = said not in set().union(*CODES.values())
            elif who == "nobody":  # who has no token asks nothing at all
                fine = code != 0 and failure["field"] == "KLUIS_TOKEN" and not terminal.asked
            else:
                fine = code == 1 and said in CODES[refused[who][0]] and bool(failure["message"])
            if not fine or set(terminal.asked) - {*routes, *FOLLOWS}:
                wrong.append(f"{typed} by {who}: {code} {said}, asked {terminal.asked}")

    assert not wrong, "\n".join(wrong)
