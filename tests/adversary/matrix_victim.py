"""What is killed by the crash matrix: one act of a Kluis, in one thread, on a directory of its own.

Run as `python -m tests.adversary.matrix_victim SOCKET NONCES`. For each line on the socket, a JSON
object, it forks a process that does what `do` says in the directory `run`, and tells:

    {"pid": n}                 of the fork; where `traced`, it goes on once somebody traces it
    {"promise": {...}}         what a client was told
    {"found": {...}}           what `prepare` made, or what is `wrong` in what `check` saw
    {"failed": "..."}          what should never have happened
    {"ended": status}          it is gone

All is imported ahead. Everything of the disk happens in the one thread, so that the same act takes
the same calls to the kernel each time, in the same order.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiosqlite.core
import structlog
from argon2 import PasswordHasher

from tests.adversary import nonces
from tests.adversary.matrix_acts import act, check
from tests.adversary.matrix_house import Tell, inspected, prepare

PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)
PATIENCE_SECONDS = 20.0


class InThisThread:
    """In place of aiosqlite's queue and its thread: what is put in is done at once."""

    def __init__(self, **_: object) -> None:
        self.daemon = True

    def start(self) -> None:
        """There is no thread."""

    def put_nowait(self, work: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        future, function = work
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits it
            if future is not None:
                future.set_exception(error)
        else:
            if future is not None:
                future.set_result(result)


def _at_once(
    loop: asyncio.AbstractEventLoop, _executor: object, function: Callable[..., Any], *given: Any
) -> asyncio.Future[Any]:
    future = loop.create_future()
    InThisThread().put_nowait((future, lambda: function(*given)))
    return future


async def _do(asked: Mapping[str, Any], tell: Tell) -> None:
    run = Path(asked["run"])
    async with asyncio.timeout(PATIENCE_SECONDS):
        if asked["do"] == "prepare":
            await prepare(run, tell)
        elif asked["do"] == "check":
            await check(run, asked["prepared"], asked["promises"], tell, tried=asked["tried"])
        else:
            await act(asked["do"], run, asked["prepared"], tell)


def _child(asked: Mapping[str, Any], tell: Tell) -> None:
    if asked.get("traced"):
        # Where only ancestors may trace (Yama), anybody may trace this one.
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
        while "TracerPid:\t0" in Path("/proc/self/status").read_text():
            time.sleep(0.001)
    try:
        asyncio.run(_do(asked, tell))
    except BaseException:  # noqa: BLE001 - told to the test, which fails
        tell(failed=traceback.format_exc())


def main(descriptor: int, nonces_path: Path) -> None:
    """Fork for each line, and wait for its end."""
    vars(aiosqlite.core).update(SimpleQueue=InThisThread, Thread=InThisThread)
    asyncio.base_events.BaseEventLoop.run_in_executor = _at_once  # type: ignore[method-assign,assignment]
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    # Nobody signs in; the stand-in hash of every opening would cost more than the act.
    PasswordHasher.hash = lambda *_: ""  # type: ignore[method-assign]
    nonces.recorded(nonces_path)
    inspected()
    gc.freeze()
    line = socket.socket(fileno=descriptor)

    def tell(**words: Any) -> None:
        # Not write(2): see nonces.
        line.sendall(json.dumps(words).encode() + b"\n")

    for asked in line.makefile():
        if (pid := os.fork()) == 0:
            _child(json.loads(asked), tell)
            os._exit(0)
        tell(pid=pid)
        _, status = os.waitpid(pid, 0)
        tell(ended=status)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
