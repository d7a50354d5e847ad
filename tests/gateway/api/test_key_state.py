"""`/readyz` asks the key provider once for all who look, and soon again."""

from __future__ import annotations

import asyncio

import pytest

from gateway.api import house
from gateway.api.house import KeyState
from keys.errors import ProviderUnavailableError


class Provider:
    """Answers when it is let, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.reason = ""
        self.may_answer = asyncio.Event()

    async def check(self) -> None:
        self.asked += 1
        await self.may_answer.wait()
        if self.reason:
            raise ProviderUnavailableError(self.reason, "unseal it")


async def test_all_who_wait_share_one_question_and_one_that_leaves_takes_nothing() -> None:
    provider = Provider()
    state = KeyState(provider.check)
    looks = [asyncio.create_task(state.look()) for _ in range(5)]
    await asyncio.sleep(0)
    looks[0].cancel()
    provider.may_answer.set()

    assert await asyncio.gather(*looks[1:]) == ["ok"] * 4
    assert await state.look() == "ok"
    assert provider.asked == 1


async def test_an_answer_that_is_no_longer_fresh_is_asked_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(house, "FRESH_SECONDS", -1.0)
    provider = Provider()
    provider.may_answer.set()
    state = KeyState(provider.check)
    assert await state.look() == "ok"
    provider.reason = "sealed"
    assert await state.look() == "sealed"
    assert provider.asked == 2
