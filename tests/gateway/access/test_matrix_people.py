"""Who may do what with accounts, factors, sessions, tokens and programs: every route by everybody.

Beside test_matrix.py, which has the routes about cases. A column is somebody with a token, or (with
an @) somebody in a browser; "limited" has a token for one act, "locked" is a planner whose screen
was left alone, "bare" an administrator without the second factor that they must have. A star stands
for something of the dentist's practice: an account is a colleague's, a program the practice's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from gateway.access.scope import Limits, scope_of
from gateway.access.signin import SECOND_FACTOR
from gateway.access.tokens import make_token
from gateway.ids import new_id, now
from gateway.settings import Settings
from storage import accounts, factors, recoveries, tokens
from storage.factors import Factor
from storage.recoveries import FactorRecovery
from storage.schema import throttles
from tests.gateway.access.test_matrix import EXPECTED as OF_CASES
from tests.gateway.access.test_matrix import routed
from tests.gateway.ground import SQLITE, UNKNOWN, Browser, change, session_of
from tests.house import API, Answer, House, Person
from tests.leaks import planted

WHO = (
    *("nobody", "disabled", "expired", "limited", "service", "dentist", "manager", "planner"),
    *("coordinator", "officer", "administrator"),
    *("dentist@", "manager@", "administrator@", "locked@", "bare@"),
)
TABLE = """
DELETE /account/factors/*
    401 401 401 403 403 403 403 403 403 403 403 204 204 204 401 409
DELETE /account/sessions
    401 401 401 403 403 403 403 403 403 403 403 200 200 200 401 403
DELETE /account/sessions/*
    401 401 401 403 403 403 403 403 403 403 403 204 204 204 401 403
DELETE /account/tokens/*
    401 401 401 403 403 403 403 403 403 403 403 204 204 204 401 403
DELETE /accounts/*/sessions
    401 401 401 403 403 403 403 403 403 403 403 403 200 200 401 403
DELETE /practice/services/*
    401 401 401 403 403 403 403 403 403 403 403 403 204 403 401 403
DELETE /practice/services/*/tokens/*
    401 401 401 403 403 403 403 403 403 403 403 403 204 403 401 403
GET /account
    401 401 401 403 403 200 200 200 200 200 200 200 200 200 401 200
GET /account/events
    401 401 401 403 403 200 200 200 200 200 200 200 200 200 401 403
GET /sessions
    401 401 401 403 403 403 403 403 403 403 403 403 200 200 401 403
DELETE /sessions
    401 401 401 403 403 403 403 403 403 403 403 403 200 200 401 403
DELETE /sessions/*
    401 401 401 403 403 403 403 403 403 403 403 204 204 204 401 403
GET /account/export
    401 401 401 403 403 200 200 200 200 200 200 200 200 200 401 403
GET /account/factors
    401 401 401 403 403 403 403 403 403 403 403 200 200 200 401 200
GET /account/sessions
    401 401 401 403 403 403 403 403 403 403 403 200 200 200 401 200
GET /account/tokens
    401 401 401 403 403 200 200 200 200 200 200 200 200 200 401 403
GET /accounts
    401 401 401 403 403 403 200 403 403 403 200 403 200 200 401 403
GET /factor-recoveries
    401 401 401 403 403 403 200 403 403 200 200 403 200 200 401 403
GET /practice
    401 401 401 403 403 200 200 403 403 403 403 200 200 403 401 403
GET /practice/services
    401 401 401 403 403 403 200 403 403 403 403 403 200 403 401 403
GET /sign-on
    200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
PATCH /account
    401 401 401 403 403 200 200 200 200 200 200 200 200 200 401 403
PATCH /accounts/*
    401 401 401 403 403 403 403 403 403 403 403 403 200 200 401 403
PATCH /practice
    401 401 401 403 403 403 403 403 403 403 403 403 200 403 401 403
POST /account/factors
    401 401 401 403 403 403 403 403 403 403 403 201 201 201 401 201
POST /account/factors/*/activation
    401 401 401 403 403 403 403 403 403 403 403 404 404 404 401 404
POST /account/passkeys
    401 401 401 403 403 403 403 403 403 403 403 401 401 401 401 401
POST /account/passkeys/options
    401 401 401 403 403 403 403 403 403 403 403 200 200 200 401 200
POST /account/password
    401 401 401 403 403 403 403 403 403 403 403 401 401 401 401 401
POST /account/recovery-codes
    401 401 401 403 403 403 403 403 403 403 403 200 200 200 401 403
POST /account/tokens
    401 401 401 403 403 403 403 403 403 403 403 201 201 201 401 403
POST /accounts
    401 401 401 403 403 403 403 403 403 403 403 403 201 201 401 403
POST /accounts/*/factor-recovery
    401 401 401 403 403 403 403 403 403 403 403 403 409 403 401 403
POST /accounts/*/invitation
    401 401 401 403 403 403 403 403 403 403 403 403 200 200 401 403
POST /factor-recoveries/*/agreement
    401 401 401 403 403 403 403 403 403 403 403 403 403 200 401 403
POST /factor-recoveries/*/objection
    401 401 401 403 403 403 403 403 403 403 403 403 204 204 401 403
POST /invitations
    410 410 410 410 410 410 410 410 410 410 410 410 410 410 410 410
POST /password/reset-requests
    202 202 202 202 202 202 202 202 202 202 202 202 202 202 202 202
POST /password/resets
    410 410 410 410 410 410 410 410 410 410 410 410 410 410 410 410
POST /practice/services
    401 401 401 403 403 403 403 403 403 403 403 403 201 403 401 403
POST /practice/services/*/tokens
    401 401 401 403 403 403 403 403 403 403 403 403 201 403 401 403
POST /session/confirmation/passkey
    401 401 401 401 401 401 401 401 401 401 401 401 401 401 401 401
POST /session/confirmation/passkey/options
    401 401 401 403 403 403 403 403 403 403 403 404 404 404 404 404
POST /session/factor
    401 401 401 401 401 401 401 401 401 401 401 401 401 401 401 401
POST /session/oidc
    404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404
POST /session/oidc/callback
    404 404 404 404 404 404 404 404 404 404 404 404 404 404 404 404
POST /session/oidc/logout
    422 422 422 422 422 422 422 422 422 422 422 422 422 422 422 422
POST /session/passkey
    401 401 401 401 401 401 401 401 401 401 401 401 401 401 401 401
POST /session/passkey/options
    200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200
DELETE /account
    401 401 401 403 403 403 403 403 403 403 403 204 409 204 401 403
"""
END = (now() + timedelta(days=9)).isoformat()
WEAK = "not the right one"
TICKET = "A" * 43
CREDENTIAL = {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "clientExtensionResults": {}}
ANSWER = {"clientDataJSON": "AAAA", "authenticatorData": "AAAA", "signature": "AAAA"}
MADE = {"clientDataJSON": "AAAA", "attestationObject": "AAAA"}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "POST /session": {"email": "who@people.invalid", "password": WEAK},
    "POST /session/factor": {"ticket": TICKET, "code": "123456"},
    "POST /session/confirmation": {"password": WEAK},
    "POST /session/passkey/options": {},
    "POST /session/passkey": {"ticket": TICKET, "credential": {**CREDENTIAL, "response": ANSWER}},
    "POST /session/confirmation/passkey": {
        "ticket": TICKET,
        "credential": {**CREDENTIAL, "response": ANSWER},
    },
    "POST /account/passkeys": {
        "ticket": TICKET,
        "name": "key",
        "credential": {**CREDENTIAL, "response": MADE},
    },
    "POST /session/oidc/callback": {"code": "x", "state": "x"},
    "POST /session/oidc/logout": {"logout_token": "x"},
    "POST /accounts": {"email": "new@people.invalid", "role": "dentist"},
    "PATCH /accounts/*": {"name": "Another"},
    "POST /accounts/*/factor-recovery": {"reason": "lost"},
    "PATCH /account": {"phone": "+31 20 555 0100"},
    "PATCH /practice": {"phone": "+31 20 555 0100"},
    "POST /invitations": {"secret": TICKET, "password": WEAK},
    "POST /password/reset-requests": {"email": "who@people.invalid"},
    "POST /password/resets": {"secret": TICKET, "password": WEAK},
    "POST /account/password": {"password": WEAK, "new_password": WEAK},
    "POST /account/tokens": {"name": "x", "expires_at": END},
    "POST /account/factors": {"name": "phone"},
    "POST /account/factors/*/activation": {"code": "123456"},
    "POST /practice/services": {"name": "x"},
    "POST /practice/services/*/tokens": {"name": "x", "expires_at": END},
}


def _rows() -> Mapping[str, Mapping[str, int]]:
    lines = TABLE.strip().splitlines()
    return {
        row: dict(zip(WHO, map(int, cells.split()), strict=True))
        for row, cells in zip(lines[::2], lines[1::2], strict=True)
    }


EXPECTED = _rows()


@dataclass
class Ground:
    """Everybody, with what the stars stand for."""

    house: House
    people: Mapping[str, Person]

    async def ask(self, who: str, row: str, *, star: str | None = None) -> Answer:
        """One request of the table, in a session of its own if it is by browser."""
        method, template = row.split()
        more: dict[str, Any] = {"json": BODIES[row]} if row in BODIES else {}
        path = f"{API}{template}"
        for part in template.split("/"):
            if part == "*":
                path = path.replace("*", star or await self.star(path, self.people[who]), 1)
        if row == "POST /accounts":
            fresh = {"email": f"{new_id()}@people.invalid"}
            if not who.startswith("manager"):
                fresh["controller_id"] = self.house.practice.id
            more["json"] = {**BODIES[row], **fresh}
        if who.endswith("@"):
            return await (await self.browser(who)).ask(method, path, **more)
        return await self.people[who].ask(method, path, **more)

    async def recovery_of(self, person: Person) -> str:
        """A request to take a lost factor off somebody's account; its id."""
        officer = self.house.officer.id
        asked = FactorRecovery(new_id(), person.id, "lost", "asked", officer, now())
        async with self.house.rooms.main.transaction() as tx:
            await recoveries.add(tx, asked)
        return asked.id

    async def forget_tries(self) -> None:
        """Let nobody wait for what the row before tried."""
        async with self.house.rooms.main.transaction() as tx:
            await tx.execute(delete(throttles))

    async def browser(self, who: str) -> Browser:
        """A session that has just begun, or just been left alone."""
        seen = now() - timedelta(minutes=20 if who == "locked@" else 0)
        lacks = SECOND_FACTOR if who == "bare@" else None
        return await session_of(self.house, self.people[who].id, seen_at=seen, restricted=lacks)

    async def star(self, path: str, who: Person) -> str:
        """A fresh thing of the kind that stands at the first star."""
        before, practice = path.partition("*")[0], self.house.practice.id
        match before.split("/")[-2]:
            case "services":
                return (await self.house.add_person("service", practice)).id
            case "accounts":
                return (await self.house.add_person("dentist", practice)).id
            case "factor-recoveries":
                return await self.recovery_of(await self.house.add_person("dentist", practice))
            case "tokens":
                return await self._token_of(before.split("/")[-3], who)
            case kind:
                return await self._own(kind, who, waits="/activation" in path)

    async def _token_of(self, account: str, who: Person) -> str:
        """A token of the account that the address names; where it names none, of who asks."""
        named = account if account != "account" else who.id
        _, token = make_token(named or self.house.dentist.id, "x", scope_of(Limits()), None)
        async with self.house.rooms.main.transaction() as tx:
            await tokens.add(tx, token)
        return token.id

    async def _own(self, kind: str, who: Person, *, waits: bool) -> str:
        """A session or a factor of who asks; of nobody, and where one waits for a code, none."""
        if not who.id or waits:
            return new_id()
        if kind == "sessions":
            await session_of(self.house, who.id)
            async with self.house.rooms.main.reading() as connection:
                return (await accounts.sessions_of(connection, who.id))[-1].id
        factor = Factor(new_id(), who.id, "totp", "phone", now(), activated_at=now())
        async with self.house.rooms.main.transaction() as tx:
            await factors.add(tx, factor)
        return factor.id


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    """With an address that passkeys are bound to, so that their routes are there."""
    return settings.model_copy(update={"public_url": "https://kluis.example.invalid"})


@pytest.fixture
async def ground(house: House) -> Ground:
    practice = house.practice.id
    people = {
        "nobody": house.stranger,
        "disabled": await house.add_person("dentist", practice),
        "expired": await house.add_person("dentist", practice),
        "limited": await house.add_person("dentist", practice),
        "service": await house.add_person("service", practice),
        "dentist": house.dentist,
        "manager": await house.add_person("practice_manager", practice),
        "planner": house.planner,
        "coordinator": house.coordinator,
        "officer": house.officer,
        "administrator": await house.add_person("administrator"),
    }
    people |= {f"{name}@": people[name] for name in ("dentist", "manager", "administrator")}
    people |= {"locked@": house.planner, "bare@": await house.add_person("administrator")}
    limited = await house.rooms.accounts.create_token(
        email=people["limited"].email, name="limited", limits=Limits(actions=["case.list"])
    )
    people["limited"] = replace(people["limited"], token=planted("a token", limited))
    await change(
        house,
        "UPDATE accounts SET disabled_at = created_at WHERE id = :id",
        id=people["disabled"].id,
    )
    await change(
        house,
        "UPDATE tokens SET expires_at = created_at WHERE account_id = :id",
        id=people["expired"].id,
    )
    return Ground(house, people)


def test_the_two_tables_have_every_operation_of_the_router_once() -> None:
    people = {row.replace(" ", f" {API}", 1) for row in EXPECTED}

    assert people | set(OF_CASES) == routed()
    assert people & set(OF_CASES) == set()


@SQLITE
async def test_every_cell_about_people_answers_as_the_table_says(ground: Ground) -> None:
    wrong = []
    for row, cells in EXPECTED.items():
        await ground.forget_tries()
        for who in WHO:
            answer = await ground.ask(who, row)
            if answer.status != cells[who]:
                wrong.append(f"{row} by {who}: {answer.status}, not {cells[who]}")

    assert wrong == []


@SQLITE
async def test_what_is_of_others_answers_like_what_does_not_exist(ground: Ground) -> None:
    south, dentist = await ground.house.add_practice()
    theirs = {
        "/accounts/": dentist.id,
        "/services/": (await ground.house.add_person("service", south.id)).id,
        **{
            part: await ground.star(f"{part}*", dentist)
            for part in ("/account/tokens/", "/account/factors/", "/account/sessions/")
        },
        "/factor-recoveries/": await ground.recovery_of(dentist),
        " /sessions/": await ground.star("/account/sessions/*", dentist),
    }
    compared = 0
    for row in EXPECTED:
        if row.count("*") != 1:
            continue
        star = next(there for part, there in theirs.items() if part in row)
        for who in WHO:
            if who.startswith("administrator") and "/account/" not in row:
                continue  # of the house: every account is theirs to run
            foreign = await ground.ask(who, row, star=star)
            unknown = await ground.ask(who, row, star=UNKNOWN)
            assert foreign.status >= 400, (row, who)
            assert (foreign.status, foreign.body) == (unknown.status, unknown.body), (row, who)
            compared += 1
    assert compared > 100
