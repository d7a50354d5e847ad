"""The crash matrix: each call to the kernel that makes something durable, times each way to fail.

strace counts the calls of one act that touch the data directory, and then makes one of them fail,
or kills the process at it, in a run of its own. After each run the directory is opened as it lies
there and looked at: nothing that was acknowledged is lost, nothing is in the clear, everything
that is kept is explained (gateway/inventory), and what was interrupted comes to its end.

A sample is taken, evenly and always the same; KLUIS_CRASH=all takes every point (`make crash`).
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.adversary.nonces import repeated

PROJECT = Path(__file__).parents[2]
WAIT_SECONDS = 60.0
# `?`: not every machine has every one of them.
CALLS = ("write", "pwrite64", "fsync", "fdatasync", "?rename", "renameat", "?renameat2")
NAMES = ("?link", "linkat", "?unlink", "unlinkat")
CALL = re.compile(r"^(\w+)\((.*)")
FAULTS = {
    "EIO": "error=EIO:when={}",  # this once
    "ENOSPC": "error=ENOSPC:when={}+",  # from here on
    "KILL": "signal=KILL:when={}",
}
SEED = 5
SAMPLE = 28  # points of one act and one fault

Point = tuple[str, int]


@dataclass
class Ground:
    """The process that forks victims, one directory that was prepared, and one for each run."""

    directory: Path
    line: socket.socket
    answers: Iterator[bytes]
    prepared: Mapping[str, Any] = field(default_factory=dict)

    @property
    def nonces(self) -> Path:
        return self.directory / "nonces"

    def prepare(self) -> None:
        """Make the directory that all runs begin with."""
        told = self._fork({"do": "prepare", "run": str(self.directory / "prepared")})
        self.prepared = told["found"][0]

    def points(self, act: str) -> Sequence[Point]:
        """Each call of an act that touches its directory: its name, and which of its kind."""
        told, trace = self._run(act)
        assert not told["gave_up"], told
        count: defaultdict[str, int] = defaultdict(int)
        found = []
        for line in trace.splitlines():
            if match := CALL.match(line):
                count[match[1]] += 1
                if str(self.directory) in match[2]:
                    found.append((match[1], count[match[1]]))
        return found

    def strike(self, act: str, point: Point, fault: str) -> list[str]:
        """Do an act in which one call fails; what is wrong afterwards. None if it never came."""
        call, number = point
        inject = f"inject={call}:{FAULTS[fault].format(number)}"
        told, trace = self._run(act, "-e", inject)
        where = f"{act}, {fault} at {call} {number}"
        struck = "(INJECTED)" in trace or "killed by SIGKILL" in trace
        if not struck:
            return [f"{where}: never came"]
        tried = act == "backup" or (act, fault) == ("erasure", "KILL")
        asked = {"do": "check", "promises": told["promise"], "tried": tried}
        asked |= {"prepared": self.prepared}
        seen = self._fork({**asked, "run": str(self.directory / "run")})
        wrong = [*told["failed"], *seen["failed"]]
        for found in seen["found"] or [{"wrong": ["nobody could look"]}]:
            wrong += found["wrong"]
        return [f"{where}: {line}" for line in wrong]

    def _run(self, act: str, *inject: str) -> tuple[Mapping[str, list[Any]], str]:
        run, trace = self.directory / "run", self.directory / "trace"
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(self.directory / "prepared", run)
        asked = {"do": act, "run": str(run), "prepared": self.prepared, "traced": True}
        calls = ",".join((*CALLS, *NAMES))
        command = ("strace", "-q", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={calls}")
        told = self._fork(asked, *command, *inject)
        return told, trace.read_text()

    def _fork(self, asked: Mapping[str, Any], *tracer: str) -> Mapping[str, list[Any]]:
        """Have something done in a fork; all it told, by the first word."""
        told: defaultdict[str, list[Any]] = defaultdict(list)
        self.line.sendall(json.dumps(asked).encode() + b"\n")
        tracing = None
        for answer in self.answers:
            for word, value in json.loads(answer).items():
                told[word].append(value)
                if word == "pid" and tracer:
                    tracing = subprocess.Popen([*tracer, "-p", str(value)])
                if word == "ended":
                    if tracing is not None:
                        tracing.wait(WAIT_SECONDS)
                    if value not in {0, signal.SIGKILL}:
                        told["failed"].append(f"ended with {value}")
                    return told
        pytest.fail("the process that forks ended")


@contextmanager
def open_ground() -> Iterator[Ground]:
    """A directory that is prepared, and the process that forks victims."""
    if shutil.which("strace") is None:
        pytest.fail("no strace: apt-get install strace")
    # In memory, where there is such a place: what dies here is a process, never the machine.
    memory = Path("/dev/shm")  # noqa: S108 - a private directory is made in it
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        ours, theirs = socket.socketpair()
        ours.settimeout(WAIT_SECONDS)
        ground = Ground(Path(directory), ours, ours.makefile("rb"))
        arguments = (str(theirs.fileno()), str(ground.nonces))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.adversary.matrix_victim", *arguments],
            cwd=PROJECT,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        try:
            ground.prepare()
            yield ground
        finally:
            process.kill()
            process.wait()
            ours.close()


def sample(points: Sequence[Point], act: str, fault: str) -> Sequence[Point]:
    """Some points, as many of each call as there are; all where the environment says so."""
    if os.environ.get("KLUIS_CRASH") == "all":
        return points
    chance = random.Random(f"{SEED} {act} {fault}")
    by_call: defaultdict[str, list[Point]] = defaultdict(list)
    for point in points:
        by_call[point[0]].append(point)
    for kind in by_call.values():
        chance.shuffle(kind)
    in_turn = chain.from_iterable(zip_longest(*by_call.values()))
    return list(islice(filter(None, in_turn), SAMPLE))


def strikes(ground: Ground, act: str, fault: str) -> None:
    """The matrix of one act and one fault."""
    points = ground.points(act)
    chosen = sample(points, act, fault)
    wrong = [line for point in chosen for line in ground.strike(act, point, fault)]
    print(f"{act}: {fault} at {len(chosen)} of {len(points)} calls")  # noqa: T201
    assert not wrong, "\n".join(wrong)
    assert repeated(ground.nonces) == []
