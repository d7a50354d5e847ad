"""Controllers and the people who sign in: rows in, frozen rows out.

A session's secret arrives hashed; what is stored here opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import factors, files, identities, notices, recoveries, signins, throttles, tokens
from storage.rows import at_most_one, every
from storage.schema import accounts, controllers, links, sessions


@dataclass(frozen=True, slots=True)
class Controller:
    """A practice: controller in the sense of GDPR art. 4(7).

    Erasures of `erasure_second_from` cases or more within a day (0: never) wait for a second
    person, at most `erasure_delay_hours` (0: for ever).
    """

    id: str
    name: str
    email: str
    created_at: datetime
    erasure_delay_hours: int = 24
    erasure_second_from: int = 10
    second_factor_required: bool = False
    address: str | None = None
    phone: str | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One person who may sign in. `controller_id` is None for the processor's own people.

    `invited_by` is the account that made this one; None: the operator did, or a sign-on provider.
    """

    id: str
    email: str
    role: str
    controller_id: str | None
    created_at: datetime
    password_hash: str | None = field(default=None, repr=False)
    disabled_at: datetime | None = None
    closed_at: datetime | None = None
    name: str | None = None
    phone: str | None = None
    language: str = "en"
    confidential_at: datetime | None = None
    confidential_version: int | None = None
    invited_by: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser; the cookie's secret is known here only by its hash.

    Attributes:
        device: What it says it is, such as "Firefox on Windows".
        proofs: How the person proved themself, names with a space between.
        restricted: What is missing before the session may do more than mend that; None: nothing.
        provider_session: The sign-on provider's name of its session, where it signed them on.
    """

    secret_hash: bytes = field(repr=False)
    id: str
    account_id: str
    device: str
    address: str | None
    proofs: str
    restricted: str | None
    created_at: datetime
    seen_at: datetime
    confirmed_at: datetime
    expires_at: datetime
    provider_session: str | None = None


async def add_controller(tx: AsyncConnection, controller: Controller) -> None:
    """Insert a controller."""
    await tx.execute(insert(controllers).values(asdict(controller)))


async def list_controllers(connection: AsyncConnection) -> Sequence[Controller]:
    """All controllers by name."""
    rows = await connection.execute(select(controllers).order_by(controllers.c.name))
    return every(Controller, rows)


async def get_controller(connection: AsyncConnection, controller_id: str) -> Controller | None:
    """One controller, or None."""
    rows = await connection.execute(select(controllers).where(controllers.c.id == controller_id))
    return at_most_one(Controller, rows)


async def lock_controller(tx: AsyncConnection, controller_id: str) -> None:
    """Hold a controller's row until the transaction ends: what must be single in it, is.

    Who takes cases as well takes them after it, in the order of their ids. It is FOR NO KEY
    UPDATE: rows that refer to this one are inserted meanwhile.
    """
    statement = select(controllers.c.id).where(controllers.c.id == controller_id)
    await tx.execute(statement.with_for_update(key_share=True))


async def change_controller(tx: AsyncConnection, controller_id: str, **columns: Any) -> None:
    """Set columns of a controller."""
    await tx.execute(update(controllers).where(controllers.c.id == controller_id).values(columns))


async def close_controller(tx: AsyncConnection, controller_id: str, at: datetime) -> None:
    """Close a controller: nothing new comes in, and the accounts of its people end at once."""
    await change_controller(tx, controller_id, closed_at=at, address=None, phone=None)
    theirs = (accounts.c.controller_id == controller_id) & accounts.c.closed_at.is_(None)
    ids = await tx.execute(select(accounts.c.id).where(theirs).order_by(accounts.c.id))
    for account_id in ids.scalars().all():
        await end_account(tx, account_id, at)


async def is_closed(connection: AsyncConnection, controller_id: str) -> bool:
    """Whether a controller was closed."""
    controller = await get_controller(connection, controller_id)
    return controller is None or controller.closed_at is not None


async def add_account(tx: AsyncConnection, account: Account) -> None:
    """Insert an account."""
    await tx.execute(insert(accounts).values(asdict(account)))


async def list_accounts(connection: AsyncConnection) -> Sequence[Account]:
    """All accounts by e-mail address."""
    rows = await connection.execute(select(accounts).order_by(accounts.c.email))
    return every(Account, rows)


async def able_ids(connection: AsyncConnection, role: str) -> Sequence[str]:
    """The ids of accounts of a role that may sign in."""
    able = select(accounts.c.id).where(accounts.c.role == role, accounts.c.disabled_at.is_(None))
    return list((await connection.execute(able.order_by(accounts.c.id))).scalars())


async def get_account(connection: AsyncConnection, account_id: str) -> Account | None:
    """One account by id, or None."""
    rows = await connection.execute(select(accounts).where(accounts.c.id == account_id))
    return at_most_one(Account, rows)


async def lock_account(tx: AsyncConnection, account_id: str) -> Account | None:
    """The same, held until the transaction ends: what must be single in an account, is."""
    held = select(accounts).where(accounts.c.id == account_id).with_for_update(key_share=True)
    return at_most_one(Account, await tx.execute(held))


async def lock_people(tx: AsyncConnection, controller_id: str) -> Sequence[str]:
    """The ids of a controller's accounts, each held until the transaction ends."""
    theirs = select(accounts.c.id).where(accounts.c.controller_id == controller_id)
    held = theirs.order_by(accounts.c.id).with_for_update(key_share=True)
    return list((await tx.execute(held)).scalars())


async def find_account(connection: AsyncConnection, email: str) -> Account | None:
    """One account by its (lower-case) e-mail address, or None."""
    rows = await connection.execute(select(accounts).where(accounts.c.email == email))
    return at_most_one(Account, rows)


async def invited(connection: AsyncConnection, account_id: str, *, by: str) -> bool:
    """Whether this account was made by that one, or by one that it made, and so on.

    Both may be of one person, and so may all between them.
    """
    made: str | None = account_id
    while made is not None:
        maker = select(accounts.c.invited_by).where(accounts.c.id == made)
        if (made := await connection.scalar(maker)) == by:
            return True
    return False


async def emails_of(connection: AsyncConnection, ids: Iterable[str]) -> Mapping[str, str]:
    """The e-mail addresses of these accounts by id; ids of others are left out."""
    statement = select(accounts.c.id, accounts.c.email).where(accounts.c.id.in_(list(ids)))
    return {row.id: row.email for row in await connection.execute(statement)}


async def set_password(tx: AsyncConnection, account_id: str, password_hash: str) -> None:
    """Replace the password's hash; a link by which another one could be chosen works no longer."""
    await change_account(tx, account_id, password_hash=password_hash)
    await tx.execute(delete(links).where(links.c.account_id == account_id))


async def confirm_confidentiality(
    tx: AsyncConnection, account_id: str, version: int, at: datetime
) -> None:
    """Note that somebody confirmed this version of the duty of confidentiality."""
    confirmed = {"confidential_at": at, "confidential_version": version}
    await tx.execute(update(accounts).where(accounts.c.id == account_id).values(confirmed))


async def change_account(tx: AsyncConnection, account_id: str, **columns: Any) -> None:
    """Set columns of an account."""
    await tx.execute(update(accounts).where(accounts.c.id == account_id).values(columns))


async def end_sessions(
    tx: AsyncConnection, account_id: str, *, only: str | None = None, but: bytes | None = None
) -> int:
    """End the sessions of an account, everywhere; how many.

    Args:
        tx: The transaction.
        account_id: Whose.
        only: The id of the only one to end.
        but: The hash of the secret of one to keep.
    """
    statement = delete(sessions).where(sessions.c.account_id == account_id)
    if only is not None:
        statement = statement.where(sessions.c.id == only)
    if but is not None:
        statement = statement.where(sessions.c.secret_hash != but)
    return (await tx.execute(statement)).rowcount


async def replace_password_hash(
    tx: AsyncConnection, account_id: str, known: str, fresh: str
) -> None:
    """Put another hash of the same password in place, unless the password was changed since."""
    of_account = (accounts.c.id == account_id) & (accounts.c.password_hash == known)
    await tx.execute(update(accounts).where(of_account).values(password_hash=fresh))


async def disable(tx: AsyncConnection, account_id: str, at: datetime) -> int:
    """Disable an account, and end for good what opens it: `end_access`; the first time counts.

    Returns:
        How many tokens were revoked.
    """
    await tx.execute(
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.disabled_at.is_(None))
        .values(disabled_at=at)
    )
    await tx.execute(delete(links).where(links.c.account_id == account_id))
    return await end_access(tx, account_id, at)


async def end_access(tx: AsyncConnection, account_id: str, at: datetime) -> int:
    """End every session, sign-in under way, token and running upload of an account, for good.

    Returns:
        How many tokens were revoked.
    """
    await end_sessions(tx, account_id)
    await signins.end_all(tx, account_id)
    await files.expire_of(tx, account_id, at)
    return await tokens.revoke(tx, account_id, at)


async def end_account(tx: AsyncConnection, account_id: str, at: datetime) -> None:
    """Close an account for good: nobody can sign in to it, and what no law keeps is erased.

    Its id stays, for the log names it, with role and times; so do its tokens, revoked and without
    a name. Its key is in another database: whoever calls this drops it, or leaves it to the sweep.
    """
    await disable(tx, account_id, at)
    await factors.remove_all(tx, account_id)
    await identities.unlink(tx, account_id)
    await throttles.forget_devices(tx, account_id)
    await tokens.forget_names(tx, account_id)
    await recoveries.stop_of(tx, account_id, at)
    await notices.remove_of(tx, account_id)
    gone = {"name": None, "phone": None, "password_hash": None}
    email = f"{account_id}@closed.invalid"
    await change_account(tx, account_id, email=email, closed_at=at, **gone)


async def closed_accounts(connection: AsyncConnection) -> Mapping[str, datetime]:
    """When which account was closed, of all that were."""
    closed = select(accounts.c.id, accounts.c.closed_at).where(accounts.c.closed_at.is_not(None))
    return {row.id: row.closed_at for row in await connection.execute(closed)}


async def add_session(tx: AsyncConnection, session: Session) -> None:
    """Insert a session."""
    await tx.execute(insert(sessions).values(asdict(session)))


async def find_session(connection: AsyncConnection, secret_hash: bytes) -> Session | None:
    """The session of this secret, or None."""
    rows = await connection.execute(select(sessions).where(sessions.c.secret_hash == secret_hash))
    return at_most_one(Session, rows)


async def touch_session(tx: AsyncConnection, secret_hash: bytes, seen_at: datetime) -> None:
    """Note that the session was used."""
    await tx.execute(
        update(sessions).where(sessions.c.secret_hash == secret_hash).values(seen_at=seen_at)
    )


async def sessions_of(connection: AsyncConnection, account_id: str) -> Sequence[Session]:
    """Every session of an account, ended ones that were not swept too; last used first."""
    theirs = select(sessions).where(sessions.c.account_id == account_id)
    order = (sessions.c.seen_at.desc(), sessions.c.id)
    return every(Session, await connection.execute(theirs.order_by(*order)))


async def confirm_session(
    tx: AsyncConnection, secret_hash: bytes, fresh_hash: bytes, at: datetime
) -> bool:
    """Note that the person behind the session has just proved themself again.

    From here on it has another secret. False: it ended, or somebody else was faster.
    """
    held = update(sessions).where(sessions.c.secret_hash == secret_hash)
    values = {"secret_hash": fresh_hash, "confirmed_at": at, "seen_at": at}
    return (await tx.execute(held.values(values))).rowcount == 1


async def place_session(
    tx: AsyncConnection, secret_hash: bytes, address: str | None, device: str | None
) -> None:
    """Note where the person behind a session has just proved themself."""
    held = update(sessions).where(sessions.c.secret_hash == secret_hash)
    await tx.execute(held.values(address=address, device=device or ""))


async def lift_restriction(tx: AsyncConnection, secret_hash: bytes, proof: str) -> None:
    """Let a session do everything from here on, for its person has just proved this as well."""
    held = sessions.c.secret_hash == secret_hash
    proofs = (await tx.execute(select(sessions.c.proofs).where(held))).scalar_one_or_none()
    known = {*(proofs or "").split(), proof}
    await tx.execute(
        update(sessions).where(held).values(restricted=None, proofs=" ".join(sorted(known)))
    )


async def end_session(tx: AsyncConnection, secret_hash: bytes) -> None:
    """Delete the session; idempotent."""
    await tx.execute(delete(sessions).where(sessions.c.secret_hash == secret_hash))


async def delete_expired_sessions(tx: AsyncConnection, now: datetime) -> int:
    """Delete what ended by time; how many."""
    result = await tx.execute(delete(sessions).where(sessions.c.expires_at < now))
    return result.rowcount
