"""The zygote, as the pool sees it: asked for workers, and replaced if it dies.

Everything here blocks, so it runs in a thread.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from gateway.inspection.errors import InspectionCrashedError, InspectionUnavailableError
from gateway.inspection.report import Confinement
from gateway.inspection.workers.answer import ANSWER_BYTES, read_confinement
from gateway.inspection.workers.zygote import NUMBER

_SECONDS = 30.0  # for a word of the zygote; but for its first one they take a millisecond
# Nothing of our own environment: it may hold secrets. One thread, because memory is counted.
_ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Born:
    """A worker that was just forked: its number, and the descriptor that names it for good."""

    zygote: _Zygote
    number: int
    pidfd: int

    def kill(self) -> None:
        """Kill it; it may have ended already."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def end(self) -> int:
        """Kill it and reap it.

        Returns:
            How it ended: its status, or less the signal that ended it before this could.

        Raises:
            InspectionUnavailableError: It ended because its zygote did.
        """
        try:
            self.kill()
            poll = select.poll()
            poll.register(self.pidfd, select.POLLIN)
            poll.poll()
            return self.zygote.reap(self.number)
        finally:
            os.close(self.pidfd)


class Nursery:
    """Workers for whoever asks, from any thread.

    Args:
        command: What to start as a zygote.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._zygote: _Zygote | None = None
        self._lock = threading.Lock()
        self._ended = False

    def start(self) -> Confinement:
        """Start the zygote unless it lives.

        Returns:
            What confinement its workers are in.

        Raises:
            InspectionUnavailableError: It does not start on this machine, or `end` was called.
        """
        with self._lock:
            return self._living().reached

    def fork(self, jobs: int, answers: int) -> Born:
        """A new worker that reads its job from one descriptor and answers on the other.

        Raises:
            InspectionUnavailableError: None can be had.
        """
        with self._lock:
            return self._living().fork(jobs, answers)

    def end(self) -> None:
        """End the zygote, and with it every worker that is left."""
        with self._lock:
            self._ended = True
            if self._zygote is not None:
                self._zygote.end()
                self._zygote = None

    def _living(self) -> _Zygote:
        if self._zygote is not None and not self._zygote.is_alive():
            self._zygote.end()
            self._zygote = None
        if self._ended:
            raise InspectionUnavailableError
        if self._zygote is None:
            self._zygote = _Zygote(self._command)
        return self._zygote


class _Zygote:
    def __init__(self, command: Sequence[str]) -> None:
        with ExitStack() as undo:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undo.callback(ours.close)
            self._socket = ours
            self._lock = threading.Lock()
            ours.settimeout(_SECONDS)
            try:
                with theirs:
                    self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                        command,
                        stdin=theirs.fileno(),
                        stdout=subprocess.DEVNULL,  # whatever a library prints goes nowhere
                        stderr=subprocess.DEVNULL,  # a traceback could quote the file
                        cwd="/",
                        env=_ENVIRONMENT,
                        start_new_session=True,  # Ctrl-C at a terminal is for the gateway alone
                    )
                undo.callback(self.end)
                self.reached = read_confinement(ours.recv(ANSWER_BYTES))
            except (OSError, InspectionCrashedError) as error:
                raise InspectionUnavailableError from error
            undo.pop_all()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def fork(self, jobs: int, answers: int) -> Born:
        number, pidfds = self._ask(0, [jobs, answers])
        if not number or not pidfds:
            raise InspectionUnavailableError
        return Born(self, number, pidfds[0])

    def reap(self, number: int) -> int:
        """How a worker ended, that has ended.

        Raises:
            InspectionUnavailableError: The zygote has ended too; so it is not the worker's fault.
        """
        return self._ask(number, [])[0]

    def end(self) -> None:
        self._process.kill()  # whoever waits for its word learns of it by this
        with self._lock, self._socket, self._process:
            pass

    def _ask(self, number: int, pipes: list[int]) -> tuple[int, list[int]]:
        try:
            with self._lock:
                socket.send_fds(self._socket, [NUMBER.pack(number)], pipes)
                packet, pidfds, _, _ = socket.recv_fds(
                    self._socket, NUMBER.size, 1, socket.MSG_CMSG_CLOEXEC
                )
            if packet:
                return NUMBER.unpack(packet)[0], pidfds
        except OSError:
            pass
        # It is dead; or its next word would be taken for the answer to another question.
        self._process.kill()
        self._process.wait()
        raise InspectionUnavailableError
