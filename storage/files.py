"""Files of a case, from the first byte in quarantine to the vault; and the parts they arrive in.

A file's state is the queue: `receiving` (bytes arrive), `received` (whole, to be inspected by
whoever claims it), then `accepted` or `refused`; `removed` was taken away again by a person,
`erased` for good, `expired` and `cancelled` never became whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.rows import at_most_one, every
from storage.schema import files, nodes, parts, thumbnails


@dataclass(frozen=True, slots=True)
class File:
    """One file of a case.

    `length` is what the sender declared; `size` is of the canonical file in the vault,
    `sealed_sha256` of its ciphertext there. The plaintext's own hash is in the sealed verdict:
    in the clear it would tell whoever has a copy of a scan which case it is. `slot` is the place
    that the file fills among those that the treatment asks for, such as "upper". `warnings` counts
    the findings that a person should look at: what they are is in the sealed verdict.
    """

    id: str
    case_id: str
    controller_id: str
    kind: str
    state: str
    created_by: str
    created_at: datetime
    length: int
    received: int = 0
    writer: int = 0
    attempts: int = 0
    number: int | None = None
    slot: str | None = None
    finished_at: datetime | None = None
    capability_hash: bytes | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    sealed_name: bytes | None = field(default=None, repr=False)
    sealed_verdict: bytes | None = field(default=None, repr=False)
    warnings: int | None = None
    problem: str | None = None
    media_type: str | None = None
    size: int | None = None
    blob_id: str | None = None
    sealed_sha256: bytes | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A durable piece of an upload: bytes [start, start + length) sealed in its own blob."""

    file_id: str
    number: int
    start: int
    length: int
    blob_id: str


async def add(tx: AsyncConnection, file: File) -> None:
    """Insert a file."""
    await tx.execute(insert(files).values(asdict(file)))


async def get(connection: AsyncConnection, file_id: str) -> File | None:
    """One file, or None."""
    return at_most_one(File, await connection.execute(select(files).where(files.c.id == file_id)))


async def find_by_capability(connection: AsyncConnection, digest: bytes) -> File | None:
    """The file whose upload address hashes to this, or None."""
    return at_most_one(
        File, await connection.execute(select(files).where(files.c.capability_hash == digest))
    )


async def of_case(connection: AsyncConnection, case_id: str) -> Sequence[File]:
    """All files of a case in the order they were begun."""
    statement = select(files).where(files.c.case_id == case_id).order_by(files.c.id)
    return every(File, await connection.execute(statement))


async def of_cases(connection: AsyncConnection, case_ids: Sequence[str]) -> Sequence[File]:
    """The files of several cases, in the order in which they came."""
    statement = select(files).where(files.c.case_id.in_(case_ids)).order_by(files.c.id)
    return every(File, await connection.execute(statement))


async def change(tx: AsyncConnection, file_id: str, **columns: Any) -> None:
    """Set columns of a file."""
    await tx.execute(update(files).where(files.c.id == file_id).values(**columns))


async def change_from(tx: AsyncConnection, file_id: str, current: str, **columns: Any) -> bool:
    """Set columns of a file that is (still) in this state; whether it was."""
    statement = update(files).where(files.c.id == file_id, files.c.state == current)
    return (await tx.execute(statement.values(**columns))).rowcount == 1


async def next_number(tx: AsyncConnection, case_id: str, kind: str) -> int:
    """The next running number of this kind in the case, from 1."""
    statement = select(func.max(files.c.number)).where(
        files.c.case_id == case_id, files.c.kind == kind
    )
    return ((await tx.execute(statement)).scalar_one_or_none() or 0) + 1


async def take_over_writing(tx: AsyncConnection, file_id: str) -> int | None:
    """Become the one writer of an upload; whoever wrote before can commit nothing more.

    Returns:
        The writer's number to hand to `add_part`, or None when the upload is not receiving.
    """
    statement = (
        update(files)
        .where(files.c.id == file_id, files.c.state == "receiving")
        .values(writer=files.c.writer + 1)
        .returning(files.c.writer)
    )
    writer: int | None = (await tx.execute(statement)).scalar_one_or_none()
    return writer


async def add_part(tx: AsyncConnection, part: Part, writer: int) -> bool:
    """Insert a durable part and advance the offset, if this writer is still the one.

    Returns:
        False when another writer took over or the upload ended: nothing was written.
    """
    statement = update(files).where(
        files.c.id == part.file_id,
        files.c.state == "receiving",
        files.c.writer == writer,
        files.c.received == part.start,
    )
    advanced = await tx.execute(statement.values(received=part.start + part.length))
    if advanced.rowcount != 1:
        return False
    await tx.execute(insert(parts).values(asdict(part)))
    return True


async def parts_of(connection: AsyncConnection, file_id: str) -> Sequence[Part]:
    """The parts of an upload in order."""
    statement = select(parts).where(parts.c.file_id == file_id).order_by(parts.c.number)
    return every(Part, await connection.execute(statement))


async def delete_parts(tx: AsyncConnection, file_id: str) -> None:
    """Delete the part rows; the sweep removes blobs that no row names."""
    await tx.execute(delete(parts).where(parts.c.file_id == file_id))


async def add_thumbnail(tx: AsyncConnection, file_id: str, sealed_picture: bytes) -> None:
    """Insert the sealed picture of a file."""
    row = {"file_id": file_id, "sealed_picture": sealed_picture}
    await tx.execute(insert(thumbnails).values(row))


async def thumbnail_of(connection: AsyncConnection, file_id: str) -> bytes | None:
    """The sealed picture of a file, or None where there is none."""
    statement = select(thumbnails.c.sealed_picture).where(thumbnails.c.file_id == file_id)
    sealed: bytes | None = (await connection.execute(statement)).scalar_one_or_none()
    return sealed


async def change_thumbnail(tx: AsyncConnection, file_id: str, sealed_picture: bytes) -> None:
    """Put another sealed picture in place of a file's."""
    statement = update(thumbnails).where(thumbnails.c.file_id == file_id)
    await tx.execute(statement.values(sealed_picture=sealed_picture))


async def delete_thumbnail(tx: AsyncConnection, file_id: str) -> None:
    """Delete the picture of a file; idempotent."""
    await tx.execute(delete(thumbnails).where(thumbnails.c.file_id == file_id))


async def any_received(connection: AsyncConnection, now: datetime) -> bool:
    """Whether a received file waits for somebody to claim it."""
    return (await connection.execute(_claimable(now))).first() is not None


async def claim_received(
    tx: AsyncConnection, node_id: str, now: datetime, until: datetime
) -> File | None:
    """Claim one received file that nobody works on, or None."""
    free = _claimable(now).with_for_update(skip_locked=True, of=files)
    file_id = (await tx.execute(free)).scalar_one_or_none()
    if file_id is None:
        return None
    claimed = {"claimed_by": node_id, "claimed_until": until, "attempts": files.c.attempts + 1}
    await change(tx, file_id, **claimed)
    return await get(tx, file_id)


async def give_back(
    tx: AsyncConnection, file_id: str, node_id: str, attempts: int, until: datetime
) -> None:
    """End a claim without a verdict, if it is still this one; nobody claims it before `until`."""
    await tx.execute(
        update(files)
        .where(
            files.c.id == file_id,
            files.c.state == "received",
            files.c.claimed_by == node_id,
            files.c.attempts == attempts,
        )
        .values(claimed_until=until, attempts=attempts - 1)
    )


async def expired(connection: AsyncConnection, now: datetime) -> Sequence[File]:
    """Uploads whose time ran out before they were whole."""
    statement = select(files).where(files.c.state == "receiving", files.c.expires_at < now)
    return every(File, await connection.execute(statement))


async def expire_of(tx: AsyncConnection, account_id: str, at: datetime) -> None:
    """Let the uploads that an account began and did not finish end now; idempotent."""
    theirs = (files.c.created_by == account_id) & (files.c.state == "receiving")
    running = theirs & (files.c.expires_at > at)
    await tx.execute(update(files).where(running).values(expires_at=at))


async def known_blobs(connection: AsyncConnection, blob_ids: Sequence[str]) -> frozenset[str]:
    """Which of these blobs a row points at."""
    in_parts = await connection.execute(
        select(parts.c.blob_id).where(parts.c.blob_id.in_(blob_ids))
    )
    in_files = await connection.execute(
        select(files.c.blob_id).where(files.c.blob_id.in_(blob_ids))
    )
    return frozenset(in_parts.scalars()) | frozenset(in_files.scalars())


async def stored_blobs(connection: AsyncConnection) -> Sequence[tuple[str, int, bytes]]:
    """Every object in the vault: blob, bytes of the file in it, SHA-256 of the ciphertext."""
    columns = (files.c.blob_id, files.c.size, files.c.sealed_sha256)
    statement = select(*columns).where(files.c.blob_id.is_not(None)).order_by(files.c.blob_id)
    return [tuple(row) for row in await connection.execute(statement)]


async def known_uploads(connection: AsyncConnection, file_ids: Sequence[str]) -> frozenset[str]:
    """Which of these files still need their upload key."""
    statement = select(files.c.id).where(
        files.c.id.in_(file_ids), files.c.state.in_(["receiving", "received"])
    )
    return frozenset((await connection.execute(statement)).scalars())


async def delete_of_case(tx: AsyncConnection, case_id: str) -> None:
    """Delete every row of a case's files, their parts and thumbnails; idempotent."""
    of_case_ids = select(files.c.id).where(files.c.case_id == case_id)
    await tx.execute(delete(parts).where(parts.c.file_id.in_(of_case_ids)))
    await tx.execute(delete(thumbnails).where(thumbnails.c.file_id.in_(of_case_ids)))
    await tx.execute(delete(files).where(files.c.case_id == case_id))


def _claimable(now: datetime) -> Select[Any]:
    # A claim ends by its time, or with the node that made it.
    living = select(nodes.c.id).where(nodes.c.expires_at > now)
    free = or_(
        files.c.claimed_by.is_(None),
        files.c.claimed_until < now,
        files.c.claimed_by.not_in(living),
    )
    received = select(files.c.id).where(files.c.state == "received", free)
    return received.order_by(files.c.id).limit(1)
