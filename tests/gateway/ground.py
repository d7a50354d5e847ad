"""What the gateway's tests share: a refusal looked at closely, a browser, and the log as rows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import pyotp
import pytest
from sqlalchemy import select, text

from gateway.access.policy import PRACTICE_ROLES
from gateway.access.sessions import csrf_token
from gateway.ids import hash_secret, new_id, new_secret, now
from storage import accounts
from storage.accounts import Session
from storage.blobs import Area
from storage.schema import events, wrapped_keys
from tests.house import API, PASSWORD, Answer, House, Person, keep_confidential
from tests.leaks import planted

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
"""For what no database could change: one kind is enough."""

PATIENCE_SECONDS = 60.0
RECOVERY_CODES: dict[str, list[str]] = {}
"""Unused recovery codes of those who signed in, by e-mail address."""
UNKNOWN = "01900000-0000-7000-8000-000000000000"


def refused(answer: Answer, status: int, code: str) -> Any:
    """The problem details of a refusal, in the form that every one has (RFC 9457)."""
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["code"] == code, problem
    assert problem["status"] == status
    assert problem["type"] == f"urn:kluis:problem:{code}"
    assert problem["detail"]
    return problem


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until it holds; not for ever."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


@dataclass
class Browser:
    """Somebody with a session cookie, who sends what a page of the server would send."""

    house: House
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cookie: str = field(default="", repr=False)
    csrf: str = field(default="", repr=False)

    async def sign_in(self, email: str, password: str = PASSWORD, **headers: str) -> Answer:
        """Sign in, and keep the cookie and the token.

        Who must have a second factor sets one up the first time, and later gives its recovery
        codes: a one-time code counts once in 30 seconds.
        """
        answer = await self.ask(
            "POST", f"{API}/session", headers=headers, json={"email": email, "password": password}
        )
        if answer.status == 202:
            code = {"ticket": answer.json()["ticket"], "code": RECOVERY_CODES[email].pop()}
            answer = await self.ask("POST", f"{API}/session/factor", headers=headers, json=code)
        if answer.status == 200 and answer.json()["restricted"] == "second_factor":
            await self.enrol(email)
        return answer

    async def enrol(self, email: str) -> str:
        """Set up one-time codes; their secret, in base32."""
        begun = await self.ask("POST", f"{API}/account/factors", json={"name": "phone"})
        assert begun.status == 201, begun.text
        secret = planted("the secret of one-time codes", begun.json()["secret"])
        path = f"{API}/account/factors/{begun.json()['id']}/activation"
        done = await self.ask("POST", path, json={"code": pyotp.TOTP(secret).now()})
        assert done.status == 200, done.text
        codes = done.json()["recovery_codes"]
        RECOVERY_CODES[email] = [planted("a recovery code", code) for code in codes]
        return secret

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> Answer:
        """One request; a header given as "" is left out."""
        sent = {"Cookie": self.cookie, "X-CSRF-Token": self.csrf, **self.headers, **(headers or {})}
        stranger = Person(self.house.session, self.url)
        present = {name: value for name, value in sent.items() if value}
        answer = await stranger.ask(method, path, headers=present, **more)
        if answer.status == 200 and path.startswith(f"{API}/session"):
            self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        """Keep the cookie and the token of a session that begins or is renewed."""
        if "Set-Cookie" in answer.headers:
            morsel = next(iter(SimpleCookie(answer.headers["Set-Cookie"]).values()))
            self.cookie, self.csrf = f"{morsel.key}={morsel.value}", answer.json()["csrf_token"]


async def employee(house: House, role: str = "dentist") -> str:
    """The e-mail address of somebody new with the password PASSWORD."""
    email = f"{role}-with-password@people.invalid"
    account = await house.rooms.accounts.add_account(
        email=email,
        role=role,
        controller_id=house.practice.id if role in PRACTICE_ROLES else None,
        password=PASSWORD,
    )
    await keep_confidential(house.rooms, account.id)
    return email


async def signed_in(house: House, role: str = "dentist") -> Browser:
    """Somebody new in a browser."""
    browser = Browser(house, house.url)
    answer = await browser.sign_in(await employee(house, role))
    assert answer.status == 200, answer.text
    return browser


async def session_of(house: House, account_id: str, **columns: Any) -> Browser:
    """A session of an account that has just begun; `columns` tell what else it is like."""
    secret, at = planted("a session", new_secret()), now()
    session = Session(
        secret_hash=hash_secret(secret),
        id=new_id(),
        account_id=account_id,
        device="another browser",
        address=None,
        proofs="password totp",
        restricted=None,
        created_at=at,
        seen_at=at,
        confirmed_at=at,
        expires_at=at + timedelta(hours=1),
    )
    async with house.rooms.main.transaction() as tx:
        await accounts.add_session(tx, replace(session, **columns))
    return Browser(house, house.url, cookie=f"kluis={secret}", csrf=csrf_token(secret))


async def logged(house: House, code: str) -> Sequence[Any]:
    """The records of all events with this code, oldest first."""
    async with house.rooms.main.reading() as connection:
        rows = await connection.execute(select(events.c.record).order_by(events.c.at, events.c.id))
        records = [json.loads(record) for record in rows.scalars()]
    return [record for record in records if record["event"]["code"] == code]


async def change(house: House, statement: str, **values: object) -> None:
    """Change rows of the main database behind the server's back, such as a moment in time."""
    async with house.rooms.main.transaction() as tx:
        changed = await tx.execute(text(statement), values)
        assert changed.rowcount > 0


async def break_the_log(house: House) -> None:
    """From here on the database (SQLite) takes no event."""
    async with house.rooms.main.transaction() as tx:
        await tx.execute(
            text("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'x'); END")
        )


async def stored(house: House) -> tuple[frozenset[str], frozenset[str]]:
    """Every blob in both areas, and every wrapped key as "purpose object"."""
    blobs = {stat.blob_id for area in Area async for stat in house.rooms.blobs.list(area)}
    async with house.rooms.keystore.reading() as connection:
        rows = await connection.execute(select(wrapped_keys.c.purpose, wrapped_keys.c.object_id))
        keys = {f"{row.purpose} {row.object_id}" for row in rows}
    return frozenset(blobs), frozenset(keys)
