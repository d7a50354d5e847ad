"""Accounts, sessions and tokens as rows; on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from storage import accounts
from storage.accounts import Account, Session, Token
from storage.database import Database
from tests.storage.first_rows import HOUR, NOW, Practice, new_id, practice


@pytest.fixture
async def north(database: Database) -> Practice:
    return await practice(database)


def session_of(north: Practice, digest: bytes, hours: float = 12) -> Session:
    return Session(digest, north.account_id, NOW, NOW, NOW, NOW + hours * HOUR)


async def test_an_address_belongs_to_one_account(north: Practice) -> None:
    twin = Account(new_id("account"), f"{north.account_id}@people.invalid", "planner", None, NOW)
    with pytest.raises(IntegrityError):
        async with north.database.transaction() as tx:
            await accounts.add_account(tx, twin)


async def test_an_account_is_found_by_address_and_by_id(north: Practice) -> None:
    email = f"{north.account_id}@people.invalid"
    async with north.database.reading() as connection:
        account = await accounts.find_account(connection, email)
        assert account is not None
        assert account == await accounts.get_account(connection, north.account_id)
        assert account.controller_id == north.id
        assert await accounts.find_account(connection, "nobody@people.invalid") is None
        emails = await accounts.emails_of(connection, [north.account_id, "system:sweep"])
        assert emails == {north.account_id: email}
        assert [a.id for a in await accounts.list_accounts(connection)] == [north.account_id]
        assert [c.id for c in await accounts.list_controllers(connection)] == [north.id]


async def test_a_session_lives_until_it_is_ended(north: Practice) -> None:
    async with north.database.transaction() as tx:
        await accounts.add_session(tx, session_of(north, b"a"))
        await accounts.add_session(tx, session_of(north, b"b"))
        await accounts.touch_session(tx, b"a", NOW + HOUR)
        await accounts.confirm_session(tx, b"a", NOW + 2 * HOUR)
        found = await accounts.find_session(tx, b"a")
        assert found is not None
        assert (found.seen_at, found.confirmed_at) == (NOW + HOUR, NOW + 2 * HOUR)
        for _ in range(2):
            await accounts.end_session(tx, b"a")
        assert await accounts.find_session(tx, b"a") is None
        assert await accounts.find_session(tx, b"b") == session_of(north, b"b")


async def test_only_sessions_past_their_end_are_deleted(north: Practice) -> None:
    async with north.database.transaction() as tx:
        await accounts.add_session(tx, session_of(north, b"over", 1))
        await accounts.add_session(tx, session_of(north, b"running", 3))
        assert await accounts.delete_expired_sessions(tx, NOW + 2 * HOUR) == 1
        assert await accounts.find_session(tx, b"running") is not None


async def test_who_is_disabled_loses_every_session_and_the_first_time_counts(
    north: Practice,
) -> None:
    async with north.database.transaction() as tx:
        await accounts.add_session(tx, session_of(north, b"a"))
        await accounts.disable(tx, north.account_id, NOW)
        await accounts.disable(tx, north.account_id, NOW + HOUR)
        account = await accounts.get_account(tx, north.account_id)
        assert account is not None
        assert account.disabled_at == NOW
        assert await accounts.find_session(tx, b"a") is None


async def test_tokens_are_revoked_once(north: Practice) -> None:
    async with north.database.transaction() as tx:
        for digest in (b"a", b"b"):
            await accounts.add_token(tx, Token(new_id("token"), digest, north.account_id, NOW))
        assert await accounts.revoke_tokens(tx, north.account_id, NOW + HOUR) == 2
        assert await accounts.revoke_tokens(tx, north.account_id, NOW + 2 * HOUR) == 0
        token = await accounts.find_token(tx, b"a")
        assert token is not None
        assert token.revoked_at == NOW + HOUR
        assert await accounts.find_token(tx, b"c") is None


def test_secrets_are_silent_when_printed() -> None:
    session = Session(b"digest", "account", NOW, NOW, NOW, NOW)
    account = Account("id", "email", "dentist", None, NOW, password_hash="$argon2id$x")

    assert "digest" not in repr(session)
    assert "argon2" not in repr(account)
