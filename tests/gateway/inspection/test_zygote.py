"""The zygote: replaced when it dies, and never survived by a worker, nor the gateway by either."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.inspection.errors import InspectionError, InspectionUnavailableError
from gateway.inspection.report import Limits
from gateway.inspection.workers.pool import WorkerPool
from tests.gateway.inspection.test_pool import (
    HOSTILE,
    OBEDIENT,
    REFUSES,
    SCAN,
    UNCONFINED,
    children,
    hangs_and_says_so,
    processes,
    session,
    zygote,
)

LIMITS = Limits()


async def test_a_zygote_that_was_killed_while_it_waited_is_replaced() -> None:
    before = children()
    async with WorkerPool(1, 30) as pool:
        (killed,) = children() - before
        os.kill(killed, signal.SIGKILL)
        await asyncio.to_thread(os.waitid, os.P_PID, killed, os.WEXITED | os.WNOWAIT)
        assert await pool.inspect("scan", SCAN, LIMITS)
        assert killed not in children()


async def test_a_zygote_that_dies_takes_its_worker_along_and_gives_no_verdict(
    tmp_path: Path,
) -> None:
    bell = tmp_path / "bell"
    bound_all_the_same = "\nfrom gateway.inspection.workers.confine import _prctl"
    bound_all_the_same += "\nfrom gateway.inspection.workers.confine import _PR_SET_PDEATHSIG\n"
    bound_all_the_same += "zygote.bound = lambda *_, **__: _prctl(_PR_SET_PDEATHSIG, 9)\n"
    program = OBEDIENT + UNCONFINED + bound_all_the_same
    before = children()
    async with WorkerPool(1, 600, command=zygote(program)) as pool:
        (killed,) = children() - before
        task = asyncio.create_task(pool.inspect("scan", hangs_and_says_so(bell), LIMITS))
        await asyncio.to_thread(bell.read_bytes)
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(InspectionUnavailableError):
            await task
        with pytest.raises(InspectionError) as caught:
            await pool.inspect("scan", REFUSES.encode(), LIMITS)
        assert caught.value.code == "not_a_scan"


async def test_a_machine_that_forks_no_more_gives_no_verdict_and_keeps_its_zygote() -> None:
    full = OBEDIENT + "def fork(): raise BlockingIOError\nos.fork = fork\n"
    before = children()
    async with WorkerPool(1, 30, command=zygote(full)) as pool:
        zygotes = children() - before
        for _ in range(2):
            with pytest.raises(InspectionUnavailableError):
                await pool.inspect("scan", SCAN, LIMITS)
        assert children() - before == zygotes


GATEWAY = """
import asyncio, sys
from gateway.inspection.workers.pool import WorkerPool
from gateway.inspection.report import Limits
async def main():
    async with WorkerPool(2, 600, command=sys.argv[2:]) as pool:
        jobs = [pool.inspect("scan", b"time.sleep(999)", Limits()) for _ in range(2)]
        await asyncio.gather(*jobs)
asyncio.run(main())
"""


def test_a_gateway_that_is_killed_leaves_no_process_behind() -> None:
    gateway = subprocess.Popen([sys.executable, "-c", GATEWAY, "-", *HOSTILE])
    family: set[int] = set()
    while len(family) < 3:  # a zygote with two workers
        assert gateway.poll() is None
        family = {found for child in processes(1, gateway.pid) for found in session(child)}
    names = [os.pidfd_open(number) for number in family]
    gateway.kill()
    gateway.wait()
    for name in names:
        assert select.select([name], [], [], 30)[0]
        os.close(name)
