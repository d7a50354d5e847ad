"""Where workers come from: `python -I -m ...workers.zygote MEMORY_BYTES CPU_SECONDS`.

One process that has imported everything, done a job of each kind, and shut itself in; it forks a
worker for each job, so that starting one costs next to nothing. It holds no key, sees no file that
was sent, and has no environment to speak of. It obeys packets on the socket that is its standard
input, and ends with that socket; its workers end with it.

    -> {"network": true, ...}                  once: what confinement was reached
    <- 0, with two pipes: its job, its answer  fork a worker
    -> its number, with its pidfd              0 if it cannot be forked
    <- the number of a worker that has ended   reap it
    -> how it ended: 0, or less a signal
"""

import contextlib
import gc
import json
import os
import resource
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from gateway.inspection.workers.confine import bound, enclose

NUMBER = struct.Struct(">i")
Work = Callable[[BinaryIO, BinaryIO], None]


def serve(work: Work, memory_bytes: int, cpu_seconds: int) -> None:
    """Fork workers until the socket ends.

    Args:
        work: What each of them does with its two pipes.
        memory_bytes: Address space of a worker beyond what the zygote has.
        cpu_seconds: CPU time of a worker.

    Raises:
        RuntimeError: There are threads: a fork would take their locks along, and not them.
    """
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    space = pages * resource.getpagesize() + memory_bytes
    parent = os.getpid()
    gc.freeze()  # what is there by now is shared, and a collection would copy it
    with socket.socket(fileno=0) as control:
        reached = enclose()

        def worker(jobs: int, answers: int) -> None:
            bound(reached, space=space, cpu_seconds=cpu_seconds, parent=parent)
            work(os.fdopen(jobs, "rb"), os.fdopen(answers, "wb", buffering=0))

        control.sendmsg([json.dumps(asdict(reached)).encode()])
        _obey(control, worker)


def _obey(control: socket.socket, worker: Callable[[int, int], None]) -> None:
    while True:
        packet, pipes, _, _ = socket.recv_fds(control, NUMBER.size, 2)
        if not packet:
            return
        (number,) = NUMBER.unpack(packet)
        if number:
            _, status = os.waitpid(number, 0)
            control.sendmsg([NUMBER.pack(os.waitstatus_to_exitcode(status))])
            continue
        try:
            number = os.fork()
        except OSError:
            control.sendmsg([NUMBER.pack(0)])
        else:
            if not number:
                control.close()
                _be(worker, *pipes)
            pidfd = os.pidfd_open(number)
            socket.send_fds(control, [NUMBER.pack(number)], [pidfd])
            os.close(pidfd)
        for pipe in pipes:
            os.close(pipe)


def _be(worker: Callable[[int, int], None], jobs: int, answers: int) -> None:
    """Be a worker. Does not return."""
    status = 1
    with contextlib.suppress(BaseException):  # whatever it is, its answer ends here
        worker(jobs, answers)
        status = 0
    os._exit(status)


def main() -> None:
    """Serve what the command line asks for."""
    from gateway.inspection.workers.worker import warm_up, work  # noqa: PLC0415 - a probe does without

    warm_up()
    serve(work, *map(int, sys.argv[1:]))


if __name__ == "__main__":
    main()
