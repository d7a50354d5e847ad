"""A process that appends and sequences is killed again and again."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from storage.accesslog.checkpoint import Head
from storage.accesslog.sequencer import LIFETIME
from storage.schema import events
from tests.storage.accesslog.log_ground import Ground

ROUNDS = 6
PROJECT = Path(__file__).parents[3]


async def test_kills_lose_no_acknowledged_event_and_leave_no_gap(
    ground: Ground, main_url: str
) -> None:
    chance, acknowledged = random.Random(), set[str]()
    for number in range(ROUNDS):
        acknowledged |= await asyncio.to_thread(
            run_until_killed, main_url, ground.directory, number, chance.randint(1, 600)
        )
        result = await ground.verify()
        assert result.ok, result.problem

    ground.time = datetime.now(UTC) + ROUNDS * 2 * LIFETIME
    sequencer = ground.sequencer()
    while await sequencer.step():
        pass

    async with ground.database.reading() as connection:
        found = set(await connection.scalars(select(events.c.id)))
        numbered = await connection.scalar(select(func.count(events.c.index)))
    result, head = await ground.verify(), Head.read(ground.head_path)
    assert len(acknowledged) >= ROUNDS
    assert acknowledged <= found
    assert head
    assert (result.ok, result.pending) == (True, 0)
    assert result.size == head.size == numbered == len(found)


def run_until_killed(url: str, directory: Path, number: int, lines: int) -> set[str]:
    """Let it work, and kill it somewhere after it told of this many events."""
    arguments = [url, str(directory), str(number)]
    command = [sys.executable, "-m", "tests.storage.accesslog.log_child", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as child:
        output = child.stdout
        if output is None:
            raise AssertionError
        told = {output.readline() for _ in range(lines)}
        child.kill()
        told |= set(output)
    # The last line may be cut where the kill hit; the others are whole.
    return {line.strip() for line in told if line.endswith("\n")}
