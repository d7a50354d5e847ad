"""Accounts and sessions as rows; on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from storage import accounts
from storage.accounts import Account, Session
from storage.database import Database
from tests.storage.first_rows import HOUR, NOW, Practice, new_id, practice


@pytest.fixture
async def north(database: Database) -> Practice:
    return await practice(database)


def session_of(north: Practice, digest: bytes, hours: float = 12) -> Session:
    return Session(
        secret_hash=digest,
        id=new_id("session"),
        account_id=north.account_id,
        device="Firefox on Windows",
        address="192.0.2.1",
        proofs="password totp",
        restricted=None,
        created_at=NOW,
        seen_at=NOW,
        confirmed_at=NOW,
        expires_at=NOW + hours * HOUR,
    )


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
        other = session_of(north, b"b")
        await accounts.add_session(tx, session_of(north, b"a"))
        await accounts.add_session(tx, other)
        await accounts.touch_session(tx, b"a", NOW + HOUR)
        assert await accounts.confirm_session(tx, b"a", b"c", NOW + 2 * HOUR)
        assert not await accounts.confirm_session(tx, b"a", b"d", NOW + 3 * HOUR)
        found = await accounts.find_session(tx, b"c")
        assert found is not None
        assert (found.seen_at, found.confirmed_at) == (NOW + 2 * HOUR, NOW + 2 * HOUR)
        for _ in range(2):
            await accounts.end_session(tx, b"c")
        assert await accounts.find_session(tx, b"c") is None
        assert await accounts.find_session(tx, b"b") == other


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


def test_secrets_are_silent_when_printed(north: Practice) -> None:
    session = session_of(north, b"digest")
    account = Account("id", "email", "dentist", None, NOW, password_hash="$argon2id$x")

    assert "digest" not in repr(session)
    assert "argon2" not in repr(account)
