"""Cases, their patients' pseudonyms, and who is assigned: SQL as functions, frozen rows out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import assignments, cases, erasures, subject_index, subjects


@dataclass(frozen=True, slots=True)
class Case:
    """One treatment of one data subject: the unit of access.

    States: draft, submitted, planning, completed, erased. `frozen_at` is set while an erasure is
    under way: stored, and nothing else; `restricted_at` while a doubt is settled (GDPR article 18).
    `key_id` names its case key in the keystore; `due_on` is the day that its plan is wanted by, as
    ISO 8601 writes it.
    """

    id: str
    controller_id: str
    key_id: str
    pseudonym: str | None
    state: str
    treatment: str
    created_by: str
    created_at: datetime
    submitted_at: datetime | None = None
    completed_at: datetime | None = None
    frozen_at: datetime | None = None
    restricted_at: datetime | None = None
    due_on: str | None = None
    sealed_identity: bytes | None = field(default=None, repr=False)
    sealed_notes: bytes | None = field(default=None, repr=False)
    sealed_brief: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A planner's access to one case, from and until."""

    id: str
    case_id: str
    account_id: str
    assigned_by: str
    starts_at: datetime
    ends_at: datetime | None = None

    def is_over(self, at: datetime) -> bool:
        """Whether it has ended, or will never begin."""
        return self.ends_at is not None and self.ends_at <= max(at, self.starts_at)


async def add(tx: AsyncConnection, case: Case) -> None:
    """Insert a case."""
    await tx.execute(insert(cases).values(asdict(case)))


async def get(connection: AsyncConnection, case_id: str) -> Case | None:
    """One case, or None."""
    return at_most_one(Case, await connection.execute(select(cases).where(cases.c.id == case_id)))


async def lock(tx: AsyncConnection, case_id: str) -> Case | None:
    """One case under a row lock until the transaction ends, or None.

    Several are locked in the order of their ids, and after their controller
    (accounts.lock_controller, whose kind of lock it is).
    """
    statement = select(cases).where(cases.c.id == case_id).with_for_update(key_share=True)
    return at_most_one(Case, await tx.execute(statement))


async def change(tx: AsyncConnection, case_id: str, **columns: Any) -> None:
    """Set columns of a case."""
    await tx.execute(update(cases).where(cases.c.id == case_id).values(**columns))


async def freeze(tx: AsyncConnection, case_id: str, at: datetime) -> None:
    """Store the case and nothing else from here on: an erasure is under way."""
    await change(tx, case_id, frozen_at=at)
    await end_assignments(tx, case_id, at)


async def list_cases(
    connection: AsyncConnection,
    now: datetime,
    *,
    controller_id: str | None = None,
    assigned_to: str | None = None,
    pseudonyms: Iterable[str] | None = None,
    state: str | None = None,
    before: str | None = None,
    limit: int,
) -> Sequence[Case]:
    """Cases, newest first.

    Args:
        connection: Where to read.
        now: Which assignments count as running.
        controller_id: Only this controller's.
        assigned_to: Only those with a running assignment of this account.
        pseudonyms: Only of these data subjects.
        state: Only in this state.
        before: Only older than this case id (ids are UUIDv7, so they sort by time).
        limit: At most so many.
    """
    statement: Select[Any] = select(cases).order_by(cases.c.id.desc()).limit(limit)
    if controller_id is not None:
        statement = statement.where(cases.c.controller_id == controller_id)
    if assigned_to is not None:
        mine = and_(assignments.c.case_id == cases.c.id, assignments.c.account_id == assigned_to)
        statement = statement.where(
            exists().where(mine, _running(now)), cases.c.restricted_at.is_(None)
        )
    if pseudonyms is not None:
        statement = statement.where(cases.c.pseudonym.in_(list(pseudonyms)))
    if state is not None:
        statement = statement.where(cases.c.state == state)
    if before is not None:
        statement = statement.where(cases.c.id < before)
    return every(Case, await connection.execute(statement))


async def known_keys(connection: AsyncConnection, key_ids: Sequence[str]) -> frozenset[str]:
    """Which of these case keys a case has, or an erasure still needs as its evidence."""
    living = await connection.execute(select(cases.c.key_id).where(cases.c.key_id.in_(key_ids)))
    doomed = await connection.execute(
        select(erasures.c.key_id).where(
            erasures.c.key_id.in_(key_ids), erasures.c.puncture_id.is_(None)
        )
    )
    return frozenset(living.scalars()) | frozenset(doomed.scalars())


async def of_controller(connection: AsyncConnection, controller_id: str) -> Sequence[Case]:
    """Every case of a controller, oldest first."""
    statement = select(cases).where(cases.c.controller_id == controller_id).order_by(cases.c.id)
    return every(Case, await connection.execute(statement))


async def shares_pseudonym(tx: AsyncConnection, case: Case) -> bool:
    """Whether other cases are of the same data subject."""
    others = select(cases.c.id).where(cases.c.pseudonym == case.pseudonym, cases.c.id != case.id)
    return (await tx.execute(others.limit(1))).first() is not None


async def assign(tx: AsyncConnection, assignment: Assignment) -> None:
    """Insert an assignment."""
    await tx.execute(insert(assignments).values(asdict(assignment)))


async def end_assignments(
    tx: AsyncConnection,
    case_id: str,
    at: datetime,
    *,
    account_id: str | None = None,
    assignment_id: str | None = None,
) -> None:
    """End the assignments of a case (of one account; this one alone) that would outlast `at`.

    One that begins later never does.
    """
    lasting = update(assignments).where(assignments.c.case_id == case_id, _outlasts(at))
    if account_id is not None:
        lasting = lasting.where(assignments.c.account_id == account_id)
    if assignment_id is not None:
        lasting = lasting.where(assignments.c.id == assignment_id)
    await tx.execute(lasting.values(ends_at=at))


async def assignments_of(connection: AsyncConnection, case_id: str) -> Sequence[Assignment]:
    """All assignments of a case, ended ones too, oldest first."""
    statement = (
        select(assignments).where(assignments.c.case_id == case_id).order_by(assignments.c.id)
    )
    return every(Assignment, await connection.execute(statement))


async def running_assignment(
    connection: AsyncConnection, case_id: str, account_id: str, now: datetime
) -> Assignment | None:
    """The assignment by which this account may see this case now, or None."""
    statement = (
        select(assignments)
        .where(
            assignments.c.case_id == case_id,
            assignments.c.account_id == account_id,
            _running(now),
        )
        .limit(1)
    )
    return at_most_one(Assignment, await connection.execute(statement))


async def open_assignment(
    connection: AsyncConnection, case_id: str, account_id: str, now: datetime
) -> Assignment | None:
    """The assignment of this account to this case that is not over, begun or not; or None."""
    statement = select(assignments).where(
        assignments.c.case_id == case_id, assignments.c.account_id == account_id, _open(now)
    )
    return at_most_one(Assignment, await connection.execute(statement.limit(1)))


async def open_assignments(
    connection: AsyncConnection, case_ids: Sequence[str], now: datetime
) -> Sequence[Assignment]:
    """The assignments to these cases that are not over, begun or not, oldest first."""
    statement = select(assignments).where(assignments.c.case_id.in_(case_ids), _open(now))
    return every(Assignment, await connection.execute(statement.order_by(assignments.c.id)))


async def assigned_to(
    connection: AsyncConnection, account_id: str, now: datetime
) -> Sequence[Assignment]:
    """The assignments of an account that are not over, begun or not, oldest first."""
    statement = select(assignments).where(assignments.c.account_id == account_id, _open(now))
    return every(Assignment, await connection.execute(statement.order_by(assignments.c.id)))


async def planned_by(connection: AsyncConnection, now: datetime) -> Mapping[str, int]:
    """How many cases each account plans, by its id: those in planning that it is assigned to."""
    planned = (
        select(assignments.c.account_id, func.count(cases.c.id.distinct()).label("planned"))
        .join(cases, cases.c.id == assignments.c.case_id)
        .where(cases.c.state == "planning", cases.c.frozen_at.is_(None), _open(now))
        .group_by(assignments.c.account_id)
    )
    return {row.account_id: row.planned for row in await connection.execute(planned)}


async def list_assignments(
    connection: AsyncConnection, now: datetime | None, *, before: str | None, limit: int
) -> Sequence[tuple[Assignment, str]]:
    """Assignments, the newest first, each with its case's controller.

    Args:
        connection: Where to read.
        now: Only those that are not over then; None: all.
        before: Only older than this assignment's id.
        limit: At most so many.
    """
    statement = (
        select(assignments, cases.c.controller_id)
        .join(cases, cases.c.id == assignments.c.case_id)
        .order_by(assignments.c.id.desc())
        .limit(limit)
    )
    if now is not None:
        statement = statement.where(_open(now))
    if before is not None:
        statement = statement.where(assignments.c.id < before)
    rows = [dict(row) for row in (await connection.execute(statement)).mappings()]
    return [
        (Assignment(**row), controller_id)
        for row in rows
        if (controller_id := row.pop("controller_id"))
    ]


async def add_subject(
    tx: AsyncConnection, pseudonym: str, controller_id: str, created_at: datetime
) -> None:
    """Insert a data subject under its pseudonym."""
    await tx.execute(
        insert(subjects).values(
            pseudonym=pseudonym, controller_id=controller_id, created_at=created_at
        )
    )


async def index_subject(
    tx: AsyncConnection, pseudonym: str, controller_id: str, digests: Iterable[tuple[str, bytes]]
) -> None:
    """Add blind index entries (field, digest); those that are there already stay."""
    for index_field, digest in digests:
        if pseudonym not in await find_subjects(tx, controller_id, index_field, digest):
            await tx.execute(
                insert(subject_index).values(
                    controller_id=controller_id,
                    field=index_field,
                    digest=digest,
                    pseudonym=pseudonym,
                )
            )


async def delete_subjects(tx: AsyncConnection, controller_id: str) -> None:
    """Forget every data subject of a controller that has no case any more; idempotent."""
    await tx.execute(delete(subject_index).where(subject_index.c.controller_id == controller_id))
    await tx.execute(delete(subjects).where(subjects.c.controller_id == controller_id))


async def unindex_subject(tx: AsyncConnection, pseudonym: str) -> None:
    """Delete every blind index entry of a data subject; idempotent."""
    await tx.execute(delete(subject_index).where(subject_index.c.pseudonym == pseudonym))


async def find_subjects(
    connection: AsyncConnection, controller_id: str, index_field: str, digest: bytes
) -> frozenset[str]:
    """Pseudonyms of this controller that carry this digest in this field."""
    statement = select(subject_index.c.pseudonym).where(
        subject_index.c.controller_id == controller_id,
        subject_index.c.field == index_field,
        subject_index.c.digest == digest,
    )
    return frozenset((await connection.execute(statement)).scalars())


async def delete_subject_without_cases(tx: AsyncConnection, pseudonym: str) -> None:
    """Forget a data subject whose last case is gone; idempotent."""
    left = select(func.count()).select_from(cases).where(cases.c.pseudonym == pseudonym)
    if (await tx.execute(left)).scalar_one() == 0:
        await unindex_subject(tx, pseudonym)
        await tx.execute(delete(subjects).where(subjects.c.pseudonym == pseudonym))


def _running(now: datetime) -> Any:
    return and_(assignments.c.starts_at <= now, _outlasts(now))


def _open(now: datetime) -> Any:
    """Running, or still to begin. One that was ended before it began ends before it begins."""
    begins = or_(assignments.c.ends_at.is_(None), assignments.c.ends_at > assignments.c.starts_at)
    return and_(_outlasts(now), begins)


def _outlasts(at: datetime) -> Any:
    return or_(assignments.c.ends_at.is_(None), assignments.c.ends_at > at)
