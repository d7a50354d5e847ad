"""What one sign-in costs us, and so what a guess costs: Argon2id by its parameters.

`python -m bench.passwords` runs it and prints one table. Every row is measured in a process of its
own, so that its peak of memory is its own. What the CPUs did does not depend on who else ran.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import resource
import statistics
import sys
import time
from dataclasses import dataclass

from argon2 import PasswordHasher

from gateway.access.passwords import LANES, MEMORY_KIB, PASSES
from gateway.access.strength import check_strength
from gateway.errors import WeakPasswordError

PASSWORD = "a password of the benchmark alone"  # noqa: S105 - of nobody
HARD_TO_JUDGE = "@0$5!1|7+2" * 8  # what zxcvbn takes long for: everything stands for a letter


@dataclass(frozen=True, slots=True)
class Cost:
    """Parameters of Argon2id (RFC 9106): passes, KiB of memory, lanes; and where they are from."""

    passes: int
    kib: int
    lanes: int
    source: str


ROWS = (
    Cost(PASSES, MEMORY_KIB, LANES, "ours"),
    Cost(3, 64 * 1024, 4, "RFC 9106, second"),
    Cost(2, 19 * 1024, 1, "OWASP, least memory"),
    Cost(1, 46 * 1024, 1, "OWASP, most memory"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one check: milliseconds on the clock (the fastest) and of the CPUs, and MiB."""

    clock: float
    work: float
    mib: float


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=15, help="checks of each row")
    turns = parser.parse_args().turns
    say("| passes | MiB asked | lanes | | ms | ms of CPU | MiB taken |")
    say("|---|---|---|---|---|---|---|")
    for cost in ROWS:
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            found = alone.apply(measure, (cost, turns))
        say(
            f"| {cost.passes} | {cost.kib // 1024} | {cost.lanes} | {cost.source} "
            f"| {found.clock:.0f} | {found.work:.0f} | {found.mib:.0f} |"
        )
    for name, password in (("a usual", PASSWORD), ("a hard", HARD_TO_JUDGE)):
        say(f"judging {name} password: {judged(password):.0f} ms of CPU")


def measure(cost: Cost, turns: int) -> Measured:
    """One row, in a process of its own."""
    hasher = PasswordHasher(cost.passes, cost.kib, cost.lanes)
    before = _peak_mib()
    kept = hasher.hash(PASSWORD)
    added = _peak_mib() - before
    clocks, works = [], []
    for _ in range(turns):
        began, worked = time.perf_counter(), time.process_time()
        hasher.verify(kept, PASSWORD)
        clocks.append(time.perf_counter() - began)
        works.append(time.process_time() - worked)
    return Measured(min(clocks) * 1000, statistics.median(works) * 1000, added)


def judged(password: str) -> float:
    """Milliseconds that the strength of a new password takes to judge."""
    began = time.process_time()
    with contextlib.suppress(WeakPasswordError):
        check_strength(password, ())
    return (time.process_time() - began) * 1000


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
