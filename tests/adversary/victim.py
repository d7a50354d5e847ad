"""Forks `kluis serve` again and again, each to be killed: with all imported, a start costs little.

Run as `python -m tests.adversary.victim FILE`. For each line on its input, the arguments of
`kluis` as a JSON list, it forks a process that is that command from its first line on, and tells:

    {"pid": n}             the process to be killed
    {"listening": url}     by the command itself
    {"ended": status}      once it is gone

When FILE is there, it holds a number: so many durable steps (a commit, an fsync, a link, an
unlink, a rename) the process may take from then on; at the next one it is gone, as by kill -9.
Every nonce that any of them uses is a line of the file with the suffix `.nonces`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

import gateway.serve  # noqa: F401 - imported ahead, so that no fork imports it again
from gateway.cli.main import run
from tests.adversary.nonces import recorded

STEPS = ("fsync", "link", "unlink", "replace", "rename")


class Countdown:
    """Counts durable steps once its file is there, and kills its own process before the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left: int | None = None
        self._lock = threading.Lock()

    def step(self) -> None:
        """One durable step is about to happen."""
        with self._lock:
            if self._left is None:
                try:
                    self._left = int(self._path.read_text())
                except (FileNotFoundError, ValueError):
                    return
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Stand before everything that makes something durable."""
        for name in STEPS:
            setattr(os, name, self._counted(getattr(os, name)))
        event.listen(Engine, "commit", lambda _: self.step())

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.step()
            return call(*arguments, **options)

        return counted


def main(path: Path) -> None:
    """Fork a server for each line, and wait for its end."""
    recorded(path.with_suffix(".nonces"))
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            Countdown(path).install()
            sys.exit(run(json.loads(line)))
        _tell(pid=pid)
        _, status = os.waitpid(pid, 0)
        _tell(ended=status)


def _tell(**words: int) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
