"""Ways of altering a log behind its back, each at one index."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import rfc8785
from sqlalchemy import delete, insert, null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.accesslog.event import commitment
from storage.accesslog.tree import Tree, extend, leaf_hash
from storage.schema import checkpoints, events, log_entries, tiles

Tamper = Callable[[AsyncConnection, int], Awaitable[None]]


async def value(tx: AsyncConnection, column: Any, index: int) -> Any:
    return await tx.scalar(select(column).where(column.table.c.index == index))


async def set_event(tx: AsyncConnection, at: int, /, **values: object) -> None:
    await tx.execute(update(events).where(events.c.index == at).values(values))


async def flip_record(tx: AsyncConnection, index: int) -> None:
    record: str = await value(tx, events.c.record, index)
    await set_event(tx, index, record=record.replace("dentist", "dentisu"))


async def flip_salt(tx: AsyncConnection, index: int) -> None:
    salt: bytes = await value(tx, events.c.salt, index)
    await set_event(tx, index, salt=salt[:-1] + bytes([salt[-1] ^ 1]))


async def flip_commitment(tx: AsyncConnection, index: int) -> None:
    old: bytes = await value(tx, log_entries.c.commitment, index)
    await tx.execute(
        update(log_entries)
        .where(log_entries.c.index == index)
        .values(commitment=bytes([old[0] ^ 128]) + old[1:])
    )


async def delete_event(tx: AsyncConnection, index: int) -> None:
    await tx.execute(delete(events).where(events.c.index == index))


async def delete_entry(tx: AsyncConnection, index: int) -> None:
    await tx.execute(delete(log_entries).where(log_entries.c.index == index))


async def unsequence(tx: AsyncConnection, index: int) -> None:
    await set_event(tx, index, index=null(), number=null())


async def swap_events(tx: AsyncConnection, index: int) -> None:
    await set_event(tx, index, index=-1)
    await set_event(tx, index + 3, index=index)
    await set_event(tx, -1, index=index + 3)


async def swap_contents(tx: AsyncConnection, index: int) -> None:
    contents = [
        {"record": await value(tx, events.c.record, at), "salt": await value(tx, events.c.salt, at)}
        for at in (index, index + 3)
    ]
    await set_event(tx, index + 3, **contents[0])
    await set_event(tx, index, **contents[1])


async def change_number(tx: AsyncConnection, index: int) -> None:
    number: int = await value(tx, events.c.number, index)
    await set_event(tx, index, number=number + 1)


async def change_case(tx: AsyncConnection, index: int) -> None:
    await set_event(tx, index, case_id="case-hidden")


async def change_controller(tx: AsyncConnection, index: int) -> None:
    await set_event(tx, index, controller_id="c")


async def change_id(tx: AsyncConnection, index: int) -> None:
    await set_event(tx, index, id=f"event-other-{index}")


async def half_prune(tx: AsyncConnection, index: int) -> None:
    await set_event(tx, index, salt=null())


async def change_tile(tx: AsyncConnection, index: int) -> None:
    number, at = divmod(index, 256)
    where = (tiles.c.level == 0, tiles.c.number == number)
    hashes = bytearray(await tx.scalar(select(tiles.c.hashes).where(*where)) or b"")
    hashes[at * 32 + 31] ^= 1
    await tx.execute(update(tiles).where(*where).values(hashes=bytes(hashes)))


async def shorten_tile(tx: AsyncConnection, index: int) -> None:
    number, at = divmod(index, 256)
    where = (tiles.c.level == 0, tiles.c.number == number)
    hashes = await tx.scalar(select(tiles.c.hashes).where(*where)) or b""
    await tx.execute(update(tiles).where(*where).values(hashes=hashes[: at * 32]))


async def recommit(tx: AsyncConnection, index: int) -> None:
    """Change the record, and its commitment with it: the tree still knows."""
    record = json.loads(await value(tx, events.c.record, index))
    record["user"]["role"] = "planner"
    text = rfc8785.dumps(record).decode()
    salt: bytes = await value(tx, events.c.salt, index)
    await set_event(tx, index, record=text)
    await tx.execute(
        update(log_entries)
        .where(log_entries.c.index == index)
        .values(commitment=commitment(salt, text))
    )


async def truncate(tx: AsyncConnection, size: int) -> None:
    """Cut the log back, tiles and checkpoints included, as if the tail had never been."""
    await tx.execute(delete(events).where(events.c.index >= size))
    await tx.execute(delete(log_entries).where(log_entries.c.index >= size))
    await tx.execute(delete(checkpoints).where(checkpoints.c.size > size))
    await retile(tx)


async def retile(tx: AsyncConnection) -> bytes:
    """Write the tiles anew from the entries; give the root."""
    entries = await tx.scalars(select(log_entries.c.commitment).order_by(log_entries.c.index))
    leaves = [leaf_hash(entry) for entry in entries]
    made = extend(0, leaves, lambda _level, _number: b"")
    await tx.execute(delete(tiles))
    await tx.execute(
        insert(tiles),
        [{"level": key[0], "number": key[1], "hashes": made[key]} for key in made],
    )
    return Tree(lambda level, number: made[level, number]).root(len(leaves))
