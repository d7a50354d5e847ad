"""Requests for erasure and the punctures that serve them: the state of a row is the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import accounts, erasures, punctures


@dataclass(frozen=True, slots=True)
class Erasure:
    """One thing that is erased, and ends in one certificate.

    Kinds: `case`; `file` and `rectification`, for which the case was given another key; `client`.
    Steps: waiting (for a second person, or until `waits_until`), frozen, punctured, proved,
    deleted, recorded, done; or withdrawn. What was asked for at once shares its `request_id`.

    `key_id` names the key that must open nothing afterwards, `facts` is JSON of what is gone.
    """

    id: str
    request_id: str
    kind: str
    controller_id: str
    case_id: str | None
    step: str
    requested_by: str
    requested_at: datetime
    reason: str
    file_id: str | None = None
    key_id: str | None = None
    waits_until: datetime | None = None
    second_by: str | None = None
    facts: str | None = None
    puncture_id: str | None = None
    evidence: str | None = field(default=None, repr=False)
    body: str | None = None
    event_id: str | None = None
    certificate: str | None = None
    finished_at: datetime | None = None

    def of_case(self, erasure_id: str, case_id: str, key_id: str) -> Erasure:
        """The erasure of a case that this one of a client takes along."""
        return replace(self, id=erasure_id, kind="case", case_id=case_id, key_id=key_id)


@dataclass(frozen=True, slots=True)
class Puncture:
    """One move of a controller's key from an old version to a new one.

    Steps: begun, created, rewrapped, backed_up, dropped, destroyed. Causes: erasure, rotation.
    `key_backups` is a JSON list of the registered places that confirmed the destruction.
    """

    id: str
    controller_id: str
    step: str
    old_version: int
    new_version: int
    cause: str
    requested_by: str
    created_at: datetime
    finished_at: datetime | None = None
    key_backups: str | None = None


async def add(tx: AsyncConnection, erasure: Erasure) -> None:
    """Insert a request."""
    await tx.execute(insert(erasures).values(asdict(erasure)))


async def of_case(connection: AsyncConnection, case_id: str) -> Erasure | None:
    """The erasure of a case as a whole, or None."""
    whole = erasures.c.kind == "case"
    return at_most_one(Erasure, await connection.execute(_about(case_id, whole)))


async def of_file(connection: AsyncConnection, case_id: str, file_id: str) -> Erasure | None:
    """The erasure of one file, or None."""
    one = (erasures.c.kind == "file") & (erasures.c.file_id == file_id)
    return at_most_one(Erasure, await connection.execute(_about(case_id, one)))


async def keys_left_behind(connection: AsyncConnection, case_id: str) -> frozenset[str]:
    """Keys that a case left behind, and that no puncture has begun to make useless yet."""
    statement = select(erasures.c.key_id).where(
        erasures.c.case_id == case_id,
        erasures.c.kind.in_(("file", "rectification")),
        erasures.c.puncture_id.is_(None),
    )
    return frozenset((await connection.execute(statement)).scalars())


async def of_client(connection: AsyncConnection, controller_id: str) -> Erasure | None:
    """The end of a client, or None."""
    statement = select(erasures).where(
        erasures.c.controller_id == controller_id, erasures.c.kind == "client"
    )
    return at_most_one(Erasure, await connection.execute(statement))


async def certificates_of(
    connection: AsyncConnection, controller_id: str
) -> Sequence[tuple[str, str]]:
    """Every case of a controller that was erased, with its erasure, which its certificate names."""
    statement = select(erasures.c.case_id, erasures.c.id).where(
        erasures.c.controller_id == controller_id,
        erasures.c.kind == "case",
        erasures.c.step == "done",
    )
    rows = await connection.execute(statement.order_by(erasures.c.id))
    return [(row.case_id, row.id) for row in rows]


async def of_request(connection: AsyncConnection, request_id: str) -> Sequence[Erasure]:
    """What was asked for at once, oldest first."""
    statement = select(erasures).where(erasures.c.request_id == request_id)
    return every(Erasure, await connection.execute(statement.order_by(erasures.c.id)))


async def cases_of(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    """The cases that these erasures are of."""
    found = await connection.scalars(select(erasures.c.case_id).where(erasures.c.id.in_(ids)))
    return {case_id for case_id in found if case_id is not None}


async def unfinished(connection: AsyncConnection) -> Sequence[Erasure]:
    """Every erasure that is to be carried out and not done, oldest first."""
    idle = ("done", "waiting", "withdrawn")
    statement = select(erasures).where(erasures.c.step.not_in(idle)).order_by(erasures.c.id)
    return every(Erasure, await connection.execute(statement))


async def pending(connection: AsyncConnection, controller_id: str | None) -> Sequence[Erasure]:
    """Every erasure that waits or is under way, of one controller or of all, oldest first."""
    statement = select(erasures).where(erasures.c.step.not_in(("done", "withdrawn")))
    if controller_id is not None:
        statement = statement.where(erasures.c.controller_id == controller_id)
    return every(Erasure, await connection.execute(statement.order_by(erasures.c.id)))


async def due(connection: AsyncConnection, now: datetime) -> Sequence[Erasure]:
    """Every erasure that has waited long enough, oldest first.

    Those that an account asked for which was disabled meanwhile are not due by time alone: that
    may be why it was disabled.
    """
    disabled = select(accounts.c.id).where(accounts.c.disabled_at.is_not(None))
    statement = select(erasures).where(
        erasures.c.step == "waiting",
        erasures.c.waits_until <= now,
        erasures.c.requested_by.not_in(disabled),
    )
    return every(Erasure, await connection.execute(statement.order_by(erasures.c.id)))


async def start(tx: AsyncConnection, erasure_id: str, **columns: Any) -> bool:
    """End the waiting of an erasure; whether it (still) waited."""
    waiting = update(erasures).where(erasures.c.id == erasure_id, erasures.c.step == "waiting")
    return (await tx.execute(waiting.values(step="frozen", **columns))).rowcount == 1


async def withdraw(tx: AsyncConnection, erasure_id: str, **columns: Any) -> bool:
    """Take back an erasure that waits; whether it (still) waited."""
    waiting = update(erasures).where(erasures.c.id == erasure_id, erasures.c.step == "waiting")
    return (await tx.execute(waiting.values(step="withdrawn", **columns))).rowcount == 1


async def cases_since(connection: AsyncConnection, controller_id: str, since: datetime) -> int:
    """Of how many cases of a controller the erasure was asked for since then."""
    statement = select(func.count()).where(
        erasures.c.controller_id == controller_id,
        erasures.c.kind == "case",
        erasures.c.step != "withdrawn",
        erasures.c.requested_at > since,
    )
    asked: int = (await connection.execute(statement)).scalar_one()
    return asked


async def of_puncture(connection: AsyncConnection, puncture_id: str) -> Sequence[Erasure]:
    """The erasures that share this puncture."""
    statement = select(erasures).where(erasures.c.puncture_id == puncture_id)
    return every(Erasure, await connection.execute(statement))


def _about(case_id: str, which: ColumnElement[bool]) -> Select[Any]:
    living = erasures.c.step != "withdrawn"
    return select(erasures).where(erasures.c.case_id == case_id, living, which)


async def change(tx: AsyncConnection, erasure_id: str, **columns: Any) -> None:
    """Set columns of an erasure."""
    await tx.execute(update(erasures).where(erasures.c.id == erasure_id).values(**columns))


async def any_rekeyed(connection: AsyncConnection, since: datetime) -> bool:
    """Whether a case was given another key since: one of its files erased, or it was corrected."""
    statement = select(erasures.c.id).where(
        erasures.c.kind.in_(["file", "rectification"]), erasures.c.requested_at > since
    )
    return (await connection.execute(statement.limit(1))).first() is not None


async def add_puncture(tx: AsyncConnection, puncture: Puncture) -> None:
    """Insert a puncture."""
    await tx.execute(insert(punctures).values(asdict(puncture)))


async def get_puncture(connection: AsyncConnection, puncture_id: str) -> Puncture:
    """One puncture."""
    rows = await connection.execute(select(punctures).where(punctures.c.id == puncture_id))
    return every(Puncture, rows)[0]


async def puncture_under_way(connection: AsyncConnection, controller_id: str) -> Puncture | None:
    """The one puncture of this controller that is not finished, or None."""
    statement = select(punctures).where(
        punctures.c.controller_id == controller_id, punctures.c.finished_at.is_(None)
    )
    return at_most_one(Puncture, await connection.execute(statement))


async def unfinished_punctures(connection: AsyncConnection) -> Sequence[Puncture]:
    """Every puncture that is not finished, oldest first."""
    statement = select(punctures).where(punctures.c.finished_at.is_(None))
    return every(Puncture, await connection.execute(statement.order_by(punctures.c.id)))


async def change_puncture(tx: AsyncConnection, puncture_id: str, **columns: Any) -> None:
    """Set columns of a puncture."""
    await tx.execute(update(punctures).where(punctures.c.id == puncture_id).values(**columns))


async def punctures_at(connection: AsyncConnection, step: str) -> Sequence[Puncture]:
    """Every puncture at this step."""
    statement = select(punctures).where(punctures.c.step == step)
    return every(Puncture, await connection.execute(statement))
