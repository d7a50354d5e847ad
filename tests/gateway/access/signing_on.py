"""Somebody who signs on at the provider Canaille, and a Kluis that sends them there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Settings
from tests.gateway.ground import Browser, logged
from tests.house import API, Answer, House, open_house
from tests.signon import Canaille

MAIL = {"pat": "pat@house.invalid", "sam": "sam@house.invalid", "noor": "noor@practice.invalid"}


@dataclass
class Visitor(Browser):
    """A browser that keeps the cookie of a sign-on under way as well."""

    canaille: Canaille | None = None
    under_way: str = field(default="", repr=False)

    async def begin(self) -> str:
        """Begin; where to go."""
        begun = await self.ask("POST", f"{API}/session/oidc")
        assert begun.status == 200, begun.text
        morsel = next(iter(SimpleCookie(begun.headers["Set-Cookie"]).values()))
        assert morsel["httponly"]
        assert morsel["samesite"] == "Strict"
        self.under_way = f"{morsel.key}={morsel.value}"
        return str(begun.json()["address"])

    async def bring(self, back: dict[str, str]) -> Answer:
        """Bring back what the provider sent."""
        headers = {"Cookie": self.under_way}
        return await self.ask("POST", f"{API}/session/oidc/callback", json=back, headers=headers)

    def _keep(self, answer: Answer) -> None:
        if "csrf_token" in answer.json():
            super()._keep(answer)

    async def visit(self, name: str) -> dict[str, str]:
        """Begin, sign on at the provider, and come back with its word."""
        assert self.canaille is not None
        return await asyncio.to_thread(self.canaille.visit, await self.begin(), name)

    async def sign_on(self, name: str) -> Answer:
        """All of it."""
        return await self.bring(await self.visit(name))


Opening = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def opening(settings: Settings, canaille: Canaille, tmp_path: Path) -> Opening:
    """Opens a Kluis that signs on at the provider, with these settings."""

    @asynccontextmanager
    async def opened(**more: Any) -> AsyncIterator[House]:
        chosen = canaille.settings(tmp_path, **more)
        async with open_house(settings.model_copy(update=chosen)) as house:
            yield house

    return opened


def visitor(house: House, canaille: Canaille) -> Visitor:
    return Visitor(house, house.url, canaille=canaille)


async def person(house: House, name: str, role: str = "planner", **more: Any) -> str:
    """Somebody who has an account here under the address that they have at the provider."""
    added = await house.rooms.accounts.add_account(email=MAIL[name], role=role, **more)
    return added.id


async def reasons(house: House) -> list[str]:
    """Why sign-ins were refused, as the log tells it."""
    found = [record["event"] for record in await logged(house, "session.open")]
    return [event["detail"]["why"] for event in found if event["stage"] == "refused"]
