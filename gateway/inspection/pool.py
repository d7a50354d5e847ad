"""Workers started ahead, one job each, replaced in the background.

    async with WorkerPool(size=2, wall_seconds=30) as pool:
        result = await pool.inspect("scan", content, Limits())

What a file does to its worker (crash, hang, eat memory, lie) costs that file and nothing else: the
worker is killed whatever happened, and the next file has one of its own. As many spares wait as
files may be inspected at a time. Work on the pipes is done by threads of the pool: the event loop
never touches the bytes of a file.
"""

import asyncio
import math
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self, TypeVar

from gateway.inspection.channel import Content, Worker
from gateway.inspection.errors import InspectionError, InspectionUnavailableError
from gateway.inspection.report import Confinement, Kind, Limits, Result

WORKER = (sys.executable, "-I", "-m", "gateway.inspection.worker")
_START_SECONDS = 30.0
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Spare:
    """A worker, and the task that starts it; its result is None if it did not start."""

    worker: Worker
    started: asyncio.Task[Confinement | None]


class WorkerPool:
    """Confined workers for one event loop.

    Args:
        size: Files inspected at a time; as many workers wait.
        wall_seconds: Time for one file; also the CPU time of a worker, rounded up.
        memory_bytes: Memory for one file, beyond what an idle worker has.
        command: What to start as a worker; two numbers are appended to it, memory and CPU time.
    """

    def __init__(
        self,
        size: int,
        wall_seconds: float,
        *,
        memory_bytes: int = 1 << 30,
        command: Sequence[str] = WORKER,
    ) -> None:
        self._size = size
        self._wall_seconds = wall_seconds
        self._command = (*command, str(memory_bytes), str(math.ceil(wall_seconds)))
        self._slots = asyncio.Semaphore(size)
        # Each file may keep a thread busy with its job, with a new spare, and with an end.
        self._threads = ThreadPoolExecutor(3 * size, thread_name_prefix="inspection")
        self._spares: deque[_Spare] = deque()
        self._busy: set[Worker] = set()
        self._ends: set[asyncio.Future[None]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> Confinement:
        """Start the spares.

        Returns:
            What confinement the workers reach here.

        Raises:
            InspectionUnavailableError: No worker can be started on this machine.
        """
        self._spares.extend(self._new_spare() for _ in range(self._size))
        reached = [await spare.started for spare in self._spares]
        if reached[0] is None:
            await self.close()
            raise InspectionUnavailableError
        return reached[0]

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
            worker = await self._take_spare()
            self._busy.add(worker)
            try:
                return await self._in_thread(
                    lambda: worker.inspect(kind, content, limits, self._wall_seconds)
                )
            except InspectionError:
                if self._closed:  # its worker was killed by us: no verdict
                    raise InspectionUnavailableError from None
                raise
            finally:
                self._busy.discard(worker)
                self._end(worker)

    async def close(self) -> None:
        """Kill every worker, and wait until nothing is left of them."""
        self._closed = True
        while self._spares:
            self._end(self._spares.popleft().worker)
        for worker in self._busy:
            worker.kill()
        while self._ends or self._busy:
            await asyncio.gather(*self._ends)
            await asyncio.sleep(0)
        self._threads.shutdown()

    async def _take_spare(self) -> Worker:
        """A worker that waits for its job. A spare that died meanwhile is not the file's fault."""
        for _ in range(self._size + 1):
            if self._closed:
                break
            spare = self._spares.popleft()
            self._spares.append(self._new_spare())
            reached = None
            try:
                reached = await asyncio.shield(spare.started)
            finally:
                usable = reached is not None and not self._closed and spare.worker.is_alive()
                if not usable:
                    self._end(spare.worker)
            if usable:
                return spare.worker
        raise InspectionUnavailableError

    def _new_spare(self) -> _Spare:
        worker = Worker(self._command)
        return _Spare(worker, asyncio.create_task(self._start(worker)))

    async def _start(self, worker: Worker) -> Confinement | None:
        try:
            return await self._in_thread(lambda: worker.start(_START_SECONDS))
        except (InspectionError, OSError):
            return None  # whoever takes this spare takes the next one instead

    def _end(self, worker: Worker) -> None:
        worker.kill()
        end = self._in_thread(worker.end)
        self._ends.add(end)
        end.add_done_callback(self._ends.discard)

    def _in_thread(self, work: Callable[[], _Answer]) -> asyncio.Future[_Answer]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)
