from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gateway.inspection.errors import InspectionError
from gateway.inspection.report import Kind, Limits
from gateway.inspection.workers.pool import WorkerPool
from tests.gateway.inspection.hostile import ASCII, BINARY, OBJ, PHOTOS, PLY, SET, Hostile
from tests.scans import ascii_stl, binary_stl, corpus, cube, jpeg

# Five seconds of processor time, however busy the machine is; the clock is there to end a hang.
SECONDS, CLOCK_SECONDS, MEMORY_BYTES = 5, 300, 512 << 20
ZYGOTE = f"""
import sys
from gateway.inspection.workers import worker, zygote
worker.warm_up()
zygote.serve(worker.work, int(sys.argv[1]), {SECONDS})
"""
CODES = {"unreadable_scan", "scan_out_of_range", "unreadable_photo", "not_a_photo"}


def pool_of(size: int) -> WorkerPool:
    """A real pool whose workers have these limits."""
    command = sys.executable, "-I", "-c", ZYGOTE
    return WorkerPool(size, CLOCK_SECONDS, memory_bytes=MEMORY_BYTES, command=command)


async def verdict(pool: WorkerPool, kind: Kind, content: bytes) -> str:
    """A refusal's code, or `accepted`."""
    try:
        await pool.inspect(kind, content, Limits())
    except InspectionError as error:
        return error.code
    return "accepted"


def test_there_are_enough_of_them_and_each_has_its_name() -> None:
    assert len({one.name for one in SET}) == len(SET) >= 60


@pytest.mark.parametrize(
    "files", [BINARY, ASCII, PLY, OBJ, PHOTOS], ids=lambda files: files[0].name
)
async def test_a_hostile_file_gets_the_verdict_that_is_due_and_costs_nothing_else(
    files: list[Hostile],
) -> None:
    async with pool_of(1) as pool:
        found = {one.name: await verdict(pool, one.kind, one.make()) for one in files}
        assert found == {one.name: one.due for one in files}
        # The pool is as it was.
        assert await verdict(pool, "scan", binary_stl(cube())) == "accepted"
        assert await verdict(pool, "photo", jpeg()) == "accepted"


async def test_the_real_files_are_inspected_within_the_same_limits() -> None:
    files: list[tuple[Kind, Path | bytes]] = [("scan", ascii_stl(cube())), ("photo", jpeg())]
    files += [("scan", path) for path in corpus("stl")]
    files += [("photo", path) for path in corpus("photo")]
    async with pool_of(2) as pool:
        for kind, file in files:
            content = file if isinstance(file, bytes) else file.read_bytes()
            assert await verdict(pool, kind, content) in {"accepted", *CODES}, file
