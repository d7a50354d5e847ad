"""One worker from its start to its end, as the pool sees it.

Everything here blocks, so it runs in a thread, and every wait has a deadline. A worker is not
trusted: it may be silent, say too much or die at any moment. Each of these is an `InspectionError`
here, and nothing of it is left behind.
"""

import fcntl
import json
import os
import select
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Self

from gateway.inspection.errors import InspectionCrashedError, InspectionTimeoutError
from gateway.inspection.report import Kind, Limits, Result
from gateway.inspection.workers.answer import ANSWER_BYTES, read_answer, read_result
from gateway.inspection.workers.nursery import Born, Nursery

Content = bytes | Sequence[bytes | memoryview]

_LENGTH_BYTES = 4
_PIPE_BYTES = 1 << 20  # what an unprivileged user may ask for


class Worker:
    """A worker for one job. `kill` may come from any thread at any time.

    Args:
        nursery: Where it comes from.
    """

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._born: Born | None = None
        self._killed = False
        self._naming = threading.Lock()  # nobody kills by a descriptor that was just closed

    def inspect(self, kind: Kind, content: Content, limits: Limits, seconds: float) -> Result:
        """Start the worker, give it its one job, and see it end.

        Raises:
            InspectionError: The refusal that it answers, or that it does not answer as it should.
            OSError: There are no descriptors left to start it with.
        """
        with _Channel(seconds) as channel:
            born = channel.open(self._nursery)
            result = None
            try:
                self._name(born)
                result = _converse(channel, kind, content, limits)
            except (EOFError, BrokenPipeError):
                pass  # it died; the status says of what
            finally:
                self._name(None)
                status = born.end()
        if result is None:
            raise InspectionTimeoutError if status == -signal.SIGXCPU else InspectionCrashedError
        return result

    def kill(self) -> None:
        """Kill the process; whoever waits for it sees it die."""
        with self._naming:
            self._killed = True
            if self._born is not None:
                self._born.kill()

    def _name(self, born: Born | None) -> None:
        with self._naming:
            self._born = born
            if self._killed and born is not None:
                born.kill()


def _converse(channel: "_Channel", kind: Kind, content: Content, limits: Limits) -> Result:
    pieces = [content] if isinstance(content, bytes) else content
    total = sum(len(piece) for piece in pieces)
    job = json.dumps({"kind": kind, "limits": asdict(limits), "bytes": total}).encode()
    for piece in (len(job).to_bytes(_LENGTH_BYTES, "big"), job, *pieces):
        channel.write(piece)
    accepted = read_answer(channel.read_frame(), kind, total, limits)
    clean = channel.read(accepted.bytes)
    thumbnail = channel.read(accepted.thumbnail_bytes)
    channel.expect_end()
    return read_result(accepted, clean, thumbnail)


class _Channel:
    """A pipe each way to a worker, until a deadline."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._ours: list[int] = []
        self._to = self._from = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._ours:
            os.close(descriptor)

    def open(self, nursery: Nursery) -> Born:
        """Make the pipes, and a worker that has their other ends."""
        jobs, self._to = os.pipe()
        self._ours += [jobs, self._to]
        self._from, answers = os.pipe()
        self._ours += [self._from, answers]
        for pipe in (self._to, self._from):
            with suppress(OSError):  # a smaller pipe is only slower
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        os.set_blocking(self._to, False)
        try:
            return nursery.fork(jobs, answers)
        finally:
            for theirs in (jobs, answers):
                self._ours.remove(theirs)
                os.close(theirs)

    def write(self, content: bytes | memoryview) -> None:
        """Write all of it.

        Raises:
            BrokenPipeError: The worker has died.
        """
        with memoryview(content) as view:
            done = 0
            while done < len(view):
                self._wait(self._to, select.POLLOUT)
                done += os.write(self._to, view[done : done + _PIPE_BYTES])

    def read(self, count: int) -> bytes:
        """Read exactly so many bytes.

        Raises:
            EOFError: The worker has died.
        """
        content = bytearray(count)
        with memoryview(content) as view:
            done = 0
            while done < count:
                self._wait(self._from, select.POLLIN)
                got = os.readv(self._from, [view[done:]])
                if not got:
                    raise EOFError
                done += got
        return bytes(content)

    def read_frame(self) -> bytes:
        """Read one JSON object behind its length."""
        length = int.from_bytes(self.read(_LENGTH_BYTES), "big")
        if length > ANSWER_BYTES:
            raise InspectionCrashedError("answer")
        return self.read(length)

    def expect_end(self) -> None:
        """Nothing may follow the answer."""
        self._wait(self._from, select.POLLIN)
        if os.read(self._from, 1):
            raise InspectionCrashedError("answer")

    def _wait(self, descriptor: int, event: int) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        left = self._deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise InspectionTimeoutError
