"""Bearer tokens as rows; on both databases."""

from __future__ import annotations

import pytest

from storage import tokens
from storage.database import Database
from storage.tokens import Token
from tests.storage.first_rows import HOUR, NOW, Practice, new_id, practice


@pytest.fixture
async def north(database: Database) -> Practice:
    return await practice(database)


def token_of(north: Practice, digest: bytes, hours: float | None = None) -> Token:
    ends = None if hours is None else NOW + hours * HOUR
    return Token(new_id("token"), digest, north.account_id, "viewer", "{}", NOW, expires_at=ends)


async def test_tokens_are_revoked_once(north: Practice) -> None:
    async with north.database.transaction() as tx:
        for digest in (b"a", b"b"):
            await tokens.add(tx, token_of(north, digest))
        assert await tokens.revoke(tx, north.account_id, NOW + HOUR) == 2
        assert await tokens.revoke(tx, north.account_id, NOW + 2 * HOUR) == 0
        token = await tokens.find(tx, b"a")
        assert token is not None
        assert token.revoked_at == NOW + HOUR
        assert await tokens.find(tx, b"c") is None


async def test_one_token_is_revoked_and_the_other_stays(north: Practice) -> None:
    one, other = token_of(north, b"a"), token_of(north, b"b")
    async with north.database.transaction() as tx:
        await tokens.add(tx, one)
        await tokens.add(tx, other)
        assert await tokens.revoke(tx, "somebody else", NOW, one.id) == 0
        assert await tokens.revoke(tx, north.account_id, NOW, one.id) == 1
        assert await tokens.running(tx, north.account_id, NOW) == [other]


async def test_a_token_past_its_end_is_not_among_the_running(north: Practice) -> None:
    async with north.database.transaction() as tx:
        await tokens.add(tx, token_of(north, b"a", 1))
        await tokens.add(tx, token_of(north, b"b"))
        assert len(await tokens.running(tx, north.account_id, NOW)) == 2
        assert len(await tokens.running(tx, north.account_id, NOW + HOUR)) == 1


async def test_the_last_use_is_kept(north: Practice) -> None:
    token = token_of(north, b"a")
    async with north.database.transaction() as tx:
        await tokens.add(tx, token)
        await tokens.touch(tx, token.id, NOW + HOUR)
        found = await tokens.find(tx, b"a")

    assert found is not None
    assert found.used_at == NOW + HOUR


def test_a_token_is_silent_when_printed() -> None:
    assert "digest" not in repr(Token("id", b"digest", "account", "viewer", "{}", NOW))
