"""The report on a scan: ours and five other programs', in one run.

    python -m bench.inspect

Every program has a process of its own and takes its turn, so that a machine that slows down slows
all of them down; medians, and the memory that the report takes beyond the program itself. The
scans are generated arches; a real one is taken as well if it is there. Programs that are not
installed are named and left out. On a machine that others use, the time that processors were busy
says more than the clock.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from bench import intake, photos
from bench.peers import OURS, PROGRAMS, Answer
from gateway.cli import sample

SIZES = 50_000, 200_000, 800_000, 2_000_000
GOALS = {"trimesh": {200_000: 7.0, 800_000: 10.0}, "VTK": {200_000: 4.0, 800_000: 4.0}}
MEMORY_GOAL = 0.35  # of trimesh
ASCII_TRIANGLES, ASCII_GOAL = 200_000, 5.0
CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
_TRIM = ctypes.CDLL(None).malloc_trim  # malloc_trim(3)
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Turn:
    """One report of one program.

    Attributes:
        seconds: How long it took, from the file on disk.
        busy: Seconds of all processors.
        peak_mib: Resident memory at its highest, beyond what it was before.
        answer: What it found.
    """

    seconds: float
    busy: float
    peak_mib: float
    answer: Answer


def _serve(name: str, channel: Connection) -> None:
    """Measure what the channel asks for, until it closes."""
    work = PROGRAMS[name]
    try:
        while True:
            path = Path(channel.recv())
            _TRIM(
                0
            )  # memory that an earlier turn left to the allocator would hide what this one takes
            _RESET.write_text("5")  # proc(5): sets the peak back to what is resident now
            before, begin, idle = _resident("VmRSS"), time.perf_counter(), time.process_time()
            answer = work(path)
            seconds, busy = time.perf_counter() - begin, time.process_time() - idle
            channel.send(Turn(seconds, busy, (_resident("VmHWM") - before) / 1024, answer))
    except ImportError:
        channel.send(None)
    except EOFError:
        return


def _resident(field: str) -> int:
    """A measure of this process in KiB."""
    lines = _STATUS.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


@contextmanager
def _program(name: str) -> Iterator[Callable[[Path], Turn | None]]:
    """A process that measures with one program; None if it is not installed."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(name, theirs), daemon=True)
    process.start()
    theirs.close()

    def turn(path: Path) -> Turn | None:
        ours.send(str(path))
        result: Turn | None = ours.recv()
        return result

    try:
        yield turn
    finally:
        ours.close()
        process.join(10)


def compare(path: Path, rounds: int) -> dict[str, list[Turn]]:
    """All programs on one file, taking turns; the first turn of each warms it up."""
    turns: dict[str, list[Turn]] = {}
    with ExitStack() as stack:
        programs = {name: stack.enter_context(_program(name)) for name in PROGRAMS}
        for number in range(rounds + 1):
            for name in list(programs):
                result = programs[name](path)
                if result is None:
                    del programs[name]
                elif number or rounds == 1:
                    turns.setdefault(name, []).append(result)
    return turns


def _rows(title: str, turns: dict[str, list[Turn]], triangles: int) -> Iterator[str]:
    yield f"{title:34}{'ms':>8}{'of ours':>9}{'busy ms':>9}{'of ours':>9}{'MiB':>6}"
    first, first_busy = _median(turns[OURS]), _median_busy(turns[OURS])
    judge = turns.get("trimesh")
    for name, all_turns in turns.items():
        seconds, busy = _median(all_turns), _median_busy(all_turns)
        peak = max(turn.peak_mib for turn in all_turns)
        goal = GOALS.get(name, {}).get(triangles)
        remark = "" if goal is None else f"   (goal {goal:g})"
        if name == OURS and judge:
            share = peak / max(turn.peak_mib for turn in judge)
            remark = f"   {share:.2f} of trimesh's memory (goal {MEMORY_GOAL})"
        remark += "".join(_differs(turns[OURS][0].answer, all_turns[0].answer))
        times = (
            f"{1000 * seconds:8.0f}{seconds / first:9.1f}{1000 * busy:9.0f}{busy / first_busy:9.1f}"
        )
        yield f"  {name:32}{times}{peak:6.0f}{remark}"
    for name in PROGRAMS.keys() - turns.keys():
        yield f"  {name:32}not installed"


def _differs(ours: Answer, theirs: Answer) -> Iterator[str]:
    for field in ("vertices", "boundary_edges", "components"):
        one, other = getattr(ours, field), getattr(theirs, field)
        if one != other:
            yield f"   {field}: {other}, ours {one}"
    if not math.isclose(ours.area_mm2, theirs.area_mm2, rel_tol=1e-3):
        yield f"   area: {theirs.area_mm2:.0f}, ours {ours.area_mm2:.0f}"


def _median(turns: list[Turn]) -> float:
    return statistics.median(turn.seconds for turn in turns)


def _median_busy(turns: list[Turn]) -> float:
    return statistics.median(turn.busy for turn in turns)


def _ascii_row(folder: Path) -> Iterator[str]:
    """Reading and merging of a text, ours against trimesh, which does what `OURS` does with it."""
    path = folder / "text.stl"
    with path.open("w") as text:
        text.write("solid arch\n")
        for corners in sample.arch(ASCII_TRIANGLES, seed=3).tolist():
            vertices = "".join(f"      vertex {x:.6e} {y:.6e} {z:.6e}\n" for x, y, z in corners)
            text.write(f"  facet normal 0 0 0\n    outer loop\n{vertices}    endloop\n  endfacet\n")
        text.write("endsolid arch\n")
    with _program(OURS) as ours, _program("trimesh") as trimesh:
        pairs = [(ours(path), trimesh(path)) for _ in range(4)][1:]
    one, other = (
        statistics.median(turn.seconds for turn in turns if turn)
        for turns in zip(*pairs, strict=True)
    )
    yield f"ASCII STL, {ASCII_TRIANGLES} triangles"
    yield f"  {OURS:32}{1000 * one:8.0f}"
    yield f"  {'trimesh':32}{1000 * other:8.0f}{other / one:9.1f}   (goal {ASCII_GOAL:g})"


def _photo_rows() -> Iterator[str]:
    for row in photos.rows():
        yield f"{row.what:34}{row.ours_ms:8.2f}"
        yield f"  {row.peer:32}{row.peer_ms:8.2f}{row.factor:9.1f}"


def _table(sizes: tuple[int, ...], rounds: int, folder: Path) -> Iterator[str]:
    yield f"{datetime.now(UTC):%Y-%m-%d}  {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"
    medians = {}
    for triangles in sizes:
        path = folder / f"{triangles}.stl"
        path.write_bytes(sample.scan(triangles, seed=3))
        # The slowest program takes half a minute for the largest scan.
        turns = compare(path, max(1, rounds * 200_000 // max(triangles, 200_000)))
        medians[triangles] = _median(turns[OURS])
        yield from _rows(f"generated arch, {triangles} triangles", turns, triangles)
        path.unlink()
    for path in sorted((CORPUS / "stl" / "dental").glob("*.stl")):
        yield from _rows(f"real {path.stem}", compare(path, rounds), 0)
    small, large = min(medians), max(medians)
    if small < large:
        growth = math.log(medians[large] / medians[small]) / math.log(large / small)
        yield f"time grows from {small} to {large} triangles with the power {growth:.2f}"
    yield from _ascii_row(folder)
    yield from _photo_rows()
    yield from intake.rows(rounds)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each program up to 200k")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="triangles")
    chosen = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the worker has it; none of the peers needs more
    with tempfile.TemporaryDirectory(prefix="kluis-bench-", dir="/dev/shm") as folder:
        for line in _table(tuple(chosen.sizes), chosen.rounds, Path(folder)):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
