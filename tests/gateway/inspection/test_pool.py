from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import sample
from gateway.inspection import inspect as pure
from gateway.inspection.errors import (
    InspectionCrashedError,
    InspectionError,
    InspectionOutOfMemoryError,
    InspectionTimeoutError,
    InspectionUnavailableError,
)
from gateway.inspection.report import Kind, Limits
from gateway.inspection.workers.answer import read_report
from gateway.inspection.workers.pool import WorkerPool
from tests.scans import arch, ascii_stl, binary_stl, corpus, cube, jpeg, png

LIMITS = Limits()
SCAN = binary_stl(cube())

# A zygote whose workers do what their file says, where real ones would inspect it.
OBEDIENT = """
import ctypes, json, os, resource, signal, struct, sys, time
from gateway.inspection.workers import zygote
def frame(text): return struct.pack(">I", len(text)) + text
def work(jobs, answers):
    def say(content): os.write(answers.fileno(), content)
    head = jobs.read(4)
    job = json.loads(jobs.read(int.from_bytes(head, "big")))
    exec(jobs.read(job["bytes"]), globals() | locals())
"""
SERVE = "zygote.serve(work, *map(int, sys.argv[1:]))"
UNCONFINED = """
from gateway.inspection.report import Confinement
zygote.enclose = lambda: Confinement(False, False, False, False)
zygote.bound = lambda *_, **__: None
"""


def zygote(program: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", program + SERVE)


HOSTILE = zygote(OBEDIENT)


def processes(field: int, value: int) -> set[int]:
    """Every process whose line in /proc says this, those that nobody has reaped too."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended while we looked
            if int(stat.read_text("utf-8").rpartition(")")[2].split()[field]) == value:
                found.add(int(stat.parent.name))
    return found


def children() -> set[int]:
    """Our child processes."""
    return processes(1, os.getpid())


def session(zygote: int) -> set[int]:
    """A zygote and its workers."""
    return processes(3, zygote)


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Every test here leaves neither a worker nor the remains of one."""
    before = children()
    yield
    assert children() <= before


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("scan", SCAN),
        ("scan", ascii_stl(cube())),
        ("scan", binary_stl(arch(30_000, seed=1))),
        ("photo", jpeg(orientation=6)),
        ("photo", png(orientation=3)),
        ("photo", sample.photo("front", seed=1)),
    ],
    ids=["binary", "ascii", "arch", "jpeg", "png", "sample"],
)
async def test_a_confined_worker_answers_what_the_pure_function_answers(
    kind: Kind, content: bytes
) -> None:
    async with WorkerPool(1, 30) as pool:
        assert await pool.inspect(kind, content, LIMITS) == pure.inspect(kind, content, LIMITS)


async def test_a_file_in_pieces_is_the_same_file() -> None:
    content = binary_stl(arch(5_000, seed=1))
    pieces = [
        memoryview(content)[start : start + 10_007] for start in range(0, len(content), 10_007)
    ]
    async with WorkerPool(1, 30) as pool:
        assert await pool.inspect("scan", pieces, LIMITS) == pure.inspect("scan", content, LIMITS)


async def test_a_refusal_arrives_with_its_reason_and_its_words() -> None:
    async with WorkerPool(1, 30) as pool:
        with pytest.raises(InspectionError) as caught:
            await pool.inspect("scan", SCAN[:-1], LIMITS)
    with pytest.raises(InspectionError) as expected:
        pure.inspect("scan", SCAN[:-1], LIMITS)
    for name in ("code", "reason", "numbers", "message_en", "message_nl", "remedy", "remedy_nl"):
        assert getattr(caught.value, name) == getattr(expected.value, name)


async def test_the_limits_reach_the_worker() -> None:
    async with WorkerPool(1, 30) as pool:
        with pytest.raises(InspectionError) as caught:
            await pool.inspect("scan", SCAN, Limits(triangles=11))
    assert caught.value.code == "too_many_triangles"


@pytest.mark.slow
async def test_every_real_file_is_accepted_or_refused_and_none_breaks_its_worker() -> None:
    generated: list[tuple[Kind, bytes]] = [("scan", SCAN), ("photo", jpeg()), ("photo", SCAN)]
    scans: list[tuple[Kind, bytes]] = [("scan", path.read_bytes()) for path in corpus("stl")]
    photos: list[tuple[Kind, bytes]] = [("photo", path.read_bytes()) for path in corpus("photo")]

    async with WorkerPool(2, 30) as pool:

        async def code(kind: Kind, content: bytes) -> str:
            try:
                result = await pool.inspect(kind, content, LIMITS)
            except InspectionError as error:
                return error.code
            assert result == pure.inspect(kind, content, LIMITS)
            return "accepted"

        files = [*generated, *scans, *photos]
        codes = await asyncio.gather(*(code(kind, content) for kind, content in files))
    assert codes[:3] == ["accepted", "accepted", "not_a_photo"]
    assert set(codes) <= {"accepted", "not_a_photo", "unreadable_scan"}


MISDEEDS: dict[str, tuple[str, type[InspectionError]]] = {
    "exits": ("os._exit(0)", InspectionCrashedError),
    "segfaults": ("ctypes.string_at(0)", InspectionCrashedError),
    "raises": ("raise RuntimeError", InspectionCrashedError),
    "hangs": ("time.sleep(999)", InspectionTimeoutError),
    "hangs after half an answer": ("say(frame(b'{}' * 9)[:-1]); time.sleep(999)",
                                   InspectionTimeoutError),
    "dies after half an answer": ("say(frame(b'{}' * 9)[:-1])", InspectionCrashedError),
    "eats memory": ("held = []\nwhile True: held.append(bytearray(1 << 24))",
                    InspectionCrashedError),
    "eats descriptors": ("while True: os.dup(0)", InspectionCrashedError),
    "eats processes": ("while True: os.fork()", InspectionCrashedError),
    "kills its zygote": ("os.kill(os.getppid(), 9)", InspectionCrashedError),
    "closes its answer and stays": ("os.close(answers.fileno()); time.sleep(999)",
                                    InspectionCrashedError),
    "answers garbage": ("say(b'garbage' * 99)", InspectionCrashedError),
    "answers no JSON": ("say(frame(b'{nonsense'))", InspectionCrashedError),
    "answers another object": ("say(frame(b'{}'))", InspectionCrashedError),
    "answers an endless frame": ("say(b'\\xff' * 9)", InspectionCrashedError),
    "never stops answering": ("while True: say(b'\\0' * 65536)", InspectionCrashedError),
    "invents a code": (
        "say(frame(b'{\"code\": \"x\", \"reason\": \"x\", \"numbers\": {}}'))",
        InspectionCrashedError,
    ),
}  # fmt: skip


@pytest.mark.parametrize("misdeed", MISDEEDS)
async def test_a_hostile_worker_costs_one_file_and_never_the_pool(misdeed: str) -> None:
    program, expected = MISDEEDS[misdeed]
    before = descriptors()
    seconds = 1.5 if expected is InspectionTimeoutError else 30
    async with WorkerPool(1, seconds, command=HOSTILE) as pool:
        for _ in range(2):
            with pytest.raises(InspectionError) as caught:
                await pool.inspect("scan", program.encode(), LIMITS)
            assert type(caught.value) is expected
        with pytest.raises(InspectionError) as caught:
            await pool.inspect("scan", REFUSES.encode(), LIMITS)
        assert caught.value.code == "not_a_scan"
    assert descriptors() <= before


REFUSES = """say(frame(b'{"code": "not_a_scan", "reason": "signature", "numbers": {}}'))"""


async def test_a_worker_that_does_not_read_its_file_is_stopped() -> None:
    deaf = OBEDIENT + "work = lambda jobs, answers: time.sleep(999)\n"
    async with WorkerPool(1, 0.5, command=zygote(deaf)) as pool:
        with pytest.raises(InspectionTimeoutError):
            await pool.inspect("scan", bytes(8 << 20), LIMITS)


async def test_a_worker_that_dies_while_it_is_given_its_file_costs_that_file() -> None:
    brief = OBEDIENT + "work = lambda jobs, answers: jobs.read(1)\n"
    async with WorkerPool(1, 30, command=zygote(brief)) as pool:
        with pytest.raises(InspectionCrashedError):
            await pool.inspect("scan", bytes(8 << 20), LIMITS)


async def test_what_a_worker_answers_beyond_its_answer_is_refused() -> None:
    result = pure.inspect("scan", SCAN, LIMITS)
    honest = (
        f"report = {{'report': {result.report.to_json()!r}, 'bytes': {len(result.clean)}}}\n"
        f"report |= {{'thumbnail_bytes': {len(result.thumbnail)}, 'texts': []}}\n"
        "report = json.dumps(report).encode()\n"
        f"clean = {result.clean + result.thumbnail!r}\n"
    )
    async with WorkerPool(1, 30, command=HOSTILE) as pool:
        assert await pool.inspect("scan", (honest + "say(frame(report) + clean)").encode(), LIMITS)
        with pytest.raises(InspectionCrashedError):
            await pool.inspect(
                "scan", (honest + "say(frame(report) + clean + b'x')").encode(), LIMITS
            )


async def test_a_file_that_eats_memory_is_refused_for_it() -> None:
    content = binary_stl(arch(400_000, seed=1))  # 20 MB, and its report takes several times that
    async with WorkerPool(1, 60, memory_bytes=64 << 20) as pool:
        with pytest.raises(InspectionOutOfMemoryError):
            await pool.inspect("scan", content, LIMITS)
        assert await pool.inspect("scan", SCAN, LIMITS)


def hangs_and_says_so(bell: Path) -> bytes:
    """A program for the obedient worker; whoever opens the pipe waits until it runs."""
    os.mkfifo(bell)
    return f"open({str(bell)!r}, 'w').close(); time.sleep(999)".encode()


async def test_a_worker_that_is_out_of_processor_time_is_refused_for_it() -> None:
    program = b"resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass"
    async with WorkerPool(1, 30, command=zygote(OBEDIENT + UNCONFINED)) as pool:
        with pytest.raises(InspectionTimeoutError):
            await pool.inspect("scan", program, LIMITS)


async def test_a_cancelled_inspection_kills_its_worker(tmp_path: Path) -> None:
    program = hangs_and_says_so(tmp_path / "bell")
    async with WorkerPool(1, 600, command=zygote(OBEDIENT + UNCONFINED)) as pool:
        task = asyncio.create_task(pool.inspect("scan", program, LIMITS))
        await asyncio.to_thread((tmp_path / "bell").read_bytes)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(InspectionError) as caught:
            await pool.inspect("scan", REFUSES.encode(), LIMITS)
        assert caught.value.code == "not_a_scan"


async def test_closing_ends_every_worker_and_gives_no_verdict(tmp_path: Path) -> None:
    program = hangs_and_says_so(tmp_path / "bell")
    before = descriptors()
    pool = WorkerPool(2, 600, command=zygote(OBEDIENT + UNCONFINED))
    await pool.start()
    task = asyncio.create_task(pool.inspect("scan", program, LIMITS))
    await asyncio.to_thread((tmp_path / "bell").read_bytes)
    await pool.close()
    with pytest.raises(InspectionUnavailableError):
        await task
    with pytest.raises(InspectionUnavailableError):
        await pool.inspect("scan", SCAN, LIMITS)
    assert descriptors() <= before


def test_texts_are_cut_to_what_an_answer_may_carry() -> None:
    assert list(pure._cut(["\u00e9" * (1 << 14), "x" * (1 << 16), "y"])) == [
        "\u00e9" * (1 << 14),
        "x" * (1 << 15),
        "",
    ]
    assert len(list(pure._cut(["x"] * 2000))) == 1000
    assert list(pure._cut(["\ud800"])) == ["?"]


@pytest.mark.parametrize(
    "command",
    [
        ("/nonexistent/python",),
        (sys.executable, "-c", "print('no frame')"),
        (sys.executable, "-c", "import sys; sys.exit(1)"),
        (sys.executable, "-c", "import os; os.write(0, b'{}')"),
    ],
)
async def test_a_machine_that_starts_no_worker_says_so(command: tuple[str, ...]) -> None:
    with pytest.raises(InspectionUnavailableError):
        await WorkerPool(1, 30, command=command).start()


async def test_no_more_files_are_inspected_at_a_time_than_the_size() -> None:
    async with WorkerPool(2, 30, command=HOSTILE) as pool:
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, len(pool._busy))
                await asyncio.sleep(0)

        watcher = asyncio.create_task(watch())
        files = [pool.inspect("scan", REFUSES.encode(), LIMITS) for _ in range(7)]
        answers = await asyncio.gather(*files, return_exceptions=True)
        watcher.cancel()
    assert most == 2
    assert [answer.code for answer in answers if isinstance(answer, InspectionError)] == [
        "not_a_scan"
    ] * 7


async def test_a_worker_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLUIS_PASSPHRASE", "not for workers")
    before = children()
    async with WorkerPool(1, 30, command=HOSTILE):
        (worker,) = children() - before
        seen = Path(f"/proc/{worker}/environ").read_text("utf-8").rstrip("\0").split("\0")
    assert {variable.partition("=")[0] for variable in seen} == {
        "PATH",
        "LANG",
        "OPENBLAS_NUM_THREADS",
    }


def test_a_report_that_was_kept_is_read_again() -> None:
    for kind, content in (("scan", SCAN), ("photo", jpeg())):
        report = pure.inspect(kind, content, LIMITS).report  # type: ignore[arg-type]
        assert read_report(json.dumps(report.to_json())) == report
