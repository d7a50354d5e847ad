"""One worker process from its start to its end, as the pool sees it.

Everything here blocks, so it runs in a thread, and every wait has a deadline. A worker is not
trusted: it may be silent, say too much or die at any moment. Each of these is an `InspectionError`
here, and `end` leaves neither a process nor a descriptor behind.
"""

import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict

from gateway.inspection.answer import ANSWER_BYTES, read_answer, read_confinement, read_result
from gateway.inspection.errors import (
    InspectionCrashedError,
    InspectionError,
    InspectionTimeoutError,
)
from gateway.inspection.report import Confinement, Kind, Limits, Result

Content = bytes | Sequence[bytes | memoryview]

_LENGTH_BYTES = 4
_PIPE_BYTES = 1 << 20  # what an unprivileged user may ask for
# Nothing of our own environment: it may hold secrets. One thread, because memory is counted.
_ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}


class Worker:
    """A worker process: started, given one job, ended. `kill` may come from any thread at any time.

    Args:
        command: What to start.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._in_use = threading.Lock()  # one thread at a time reads, writes or closes the pipes

    def start(self, seconds: float) -> Confinement:
        """Start the process and wait until it is confined.

        Returns:
            What confinement it reached.

        Raises:
            InspectionError: It did not get that far.
            OSError: It could not be started at all.
        """
        with self._in_use:
            self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # a traceback could quote the file
                bufsize=0,
                pipesize=_PIPE_BYTES,
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,  # Ctrl-C at a terminal is for the gateway alone
            )
            if self._killed:  # while it was being started
                self._process.kill()
            frame = _Pipes(self._process, seconds).read_frame()
        return read_confinement(frame)

    def is_alive(self) -> bool:
        """Whether the process still runs; a spare may have been killed while it waited."""
        return self._process is not None and self._process.poll() is None

    def inspect(self, kind: Kind, content: Content, limits: Limits, seconds: float) -> Result:
        """Give the worker its one job.

        Raises:
            InspectionError: The refusal that it answers, or that it does not answer as it should.
        """
        pieces = [content] if isinstance(content, bytes) else content
        total = sum(len(piece) for piece in pieces)
        job = json.dumps({"kind": kind, "limits": asdict(limits), "bytes": total}).encode()
        with self._in_use:
            if self._process is None:
                raise InspectionCrashedError
            pipes = _Pipes(self._process, seconds)
            for piece in (len(job).to_bytes(_LENGTH_BYTES, "big"), job, *pieces):
                pipes.write(piece)
            accepted = read_answer(pipes.read_frame(), kind, total)
            clean = pipes.read(accepted.bytes)
            pipes.expect_end()
        return read_result(accepted, clean)

    def kill(self) -> None:
        """Kill the process; whoever waits for it sees it die."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def end(self) -> None:
        """Kill the process, reap it, close its pipes."""
        self.kill()
        with self._in_use:
            if self._process is not None:
                with self._process:  # closes the pipes, then waits
                    self._process.kill()


class _Pipes:
    """Both directions to a worker, until a deadline."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        if process.stdin is None or process.stdout is None:
            raise InspectionCrashedError
        self._process = process
        self._to, self._from = process.stdin.fileno(), process.stdout.fileno()
        self._deadline = time.monotonic() + seconds
        os.set_blocking(self._to, False)

    def write(self, content: bytes | memoryview) -> None:
        """Write all of it."""
        with memoryview(content) as view:
            done = 0
            while done < len(view):
                self._wait(self._to, select.POLLOUT)
                try:
                    done += os.write(self._to, view[done : done + _PIPE_BYTES])
                except BrokenPipeError:
                    raise self._death() from None

    def read(self, count: int) -> bytes:
        """Read exactly so many bytes."""
        content = bytearray(count)
        with memoryview(content) as view:
            done = 0
            while done < count:
                self._wait(self._from, select.POLLIN)
                got = os.readv(self._from, [view[done:]])
                if not got:
                    raise self._death()
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

    def _death(self) -> InspectionError:
        """Why the process closed its end: a worker that is out of CPU time is killed for it."""
        self._process.kill()
        if self._process.wait() == -signal.SIGXCPU:
            return InspectionTimeoutError()
        return InspectionCrashedError()
