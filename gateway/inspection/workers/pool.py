"""Confined workers: one job each, forked from one that is warm.

    async with WorkerPool(size=2, wall_seconds=30) as pool:
        result = await pool.inspect("scan", content, Limits())

What a file does to its worker (crash, hang, eat memory, lie) costs that file and nothing else: the
worker is killed whatever happened, and the next file has one of its own. Work on the pipes is done
by threads of the pool: the event loop never touches the bytes of a file.
"""

import asyncio
import math
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

from gateway.inspection.errors import InspectionError, InspectionUnavailableError
from gateway.inspection.report import Confinement, Kind, Limits, Result
from gateway.inspection.workers.channel import Content, Worker
from gateway.inspection.workers.nursery import Nursery

ZYGOTE = (sys.executable, "-I", "-m", "gateway.inspection.workers.zygote")
_Answer = TypeVar("_Answer")


class WorkerPool:
    """Confined workers for one event loop.

    Args:
        size: Files inspected at a time.
        wall_seconds: Time for one file; also the CPU time of a worker, rounded up.
        memory_bytes: Memory for one file, beyond what an idle worker has.
        command: What to start as a zygote; two numbers are appended to it, memory and CPU time.
    """

    def __init__(
        self,
        size: int,
        wall_seconds: float,
        *,
        memory_bytes: int = 1 << 30,
        command: Sequence[str] = ZYGOTE,
    ) -> None:
        self._wall_seconds = wall_seconds
        self._nursery = Nursery((*command, str(memory_bytes), str(math.ceil(wall_seconds))))
        self._slots = asyncio.Semaphore(size)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="inspection")
        self._busy: set[Worker] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> Confinement:
        """Start the zygote.

        Returns:
            What confinement the workers reach here.

        Raises:
            InspectionUnavailableError: No worker can be started on this machine.
        """
        return await self._in_thread(self._nursery.start)

    async def inspect(self, kind: Kind, content: Content, limits: Limits) -> Result:
        """Inspect one file in a worker of its own.

        Args:
            kind: What the file claims to be.
            content: All of it, in one piece or in several.
            limits: How large it may be.

        Raises:
            InspectionError: The file is refused; or, as `InspectionUnavailableError`, nothing is
                known about it yet.
        """
        async with self._slots:
            if self._closed:
                raise InspectionUnavailableError
            worker = Worker(self._nursery)
            self._busy.add(worker)
            try:
                return await self._in_thread(
                    lambda: worker.inspect(kind, content, limits, self._wall_seconds)
                )
            except InspectionError:
                if self._closed:  # its worker was killed by us: no verdict
                    raise InspectionUnavailableError from None
                raise
            except OSError:  # no descriptors, no memory: not the fault of the file
                raise InspectionUnavailableError from None
            finally:
                self._busy.discard(worker)
                worker.kill()  # nothing is left of it, or this was cancelled

    async def close(self) -> None:
        """Kill every worker, and wait until nothing is left of them."""
        self._closed = True
        for worker in self._busy:
            worker.kill()
        # Its threads end by themselves now, and fork nothing any more.
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._nursery.end)

    def _in_thread(self, work: Callable[[], _Answer]) -> asyncio.Future[_Answer]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)
