from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import sample
from gateway.inspection import inspect as pure
from gateway.inspection.answer import read_report
from gateway.inspection.errors import (
    InspectionCrashedError,
    InspectionError,
    InspectionOutOfMemoryError,
    InspectionTimeoutError,
    InspectionUnavailableError,
)
from gateway.inspection.pool import WorkerPool
from gateway.inspection.report import Kind, Limits
from tests.scans import arch, ascii_stl, binary_stl, corpus, cube, jpeg, png

LIMITS = Limits()
SCAN = binary_stl(cube())

# A worker that does what its file says, where the real one would inspect it.
OBEDIENT = """
import json, os, resource, signal, struct, sys, time
def frame(text): return struct.pack(">I", len(text)) + text
def say(content): os.write(1, content)
say(frame(b'{"network": false, "files": false, "memory": false}'))
jobs = sys.stdin.buffer
head = jobs.read(4)
if not head: sys.exit()
job = json.loads(jobs.read(int.from_bytes(head, "big")))
exec(jobs.read(job["bytes"]))
"""
HOSTILE = (sys.executable, "-I", "-c", OBEDIENT)


def children() -> set[int]:
    """Our child processes, those that nobody has reaped too."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended while we looked
            parent = stat.read_text("utf-8").rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.add(int(stat.parent.name))
    return found


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
    "segfaults": ("os.kill(os.getpid(), signal.SIGSEGV)", InspectionCrashedError),
    "raises": ("raise RuntimeError", InspectionCrashedError),
    "hangs": ("time.sleep(999)", InspectionTimeoutError),
    "hangs after half an answer": ("say(frame(b'{}' * 9)[:-1]); time.sleep(999)",
                                   InspectionTimeoutError),
    "dies after half an answer": ("say(frame(b'{}' * 9)[:-1])", InspectionCrashedError),
    "is out of processor time": (
        "resource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass",
        InspectionTimeoutError,
    ),
    "closes its answer and stays": ("os.close(1); time.sleep(999)", InspectionCrashedError),
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


REFUSES = """say(frame(b'{"code": "not_a_scan", "reason": "not_stl", "numbers": {}}'))"""


async def test_a_worker_that_does_not_read_its_file_is_stopped() -> None:
    deaf = OBEDIENT[: OBEDIENT.index("jobs =")] + "time.sleep(999)"
    async with WorkerPool(1, 0.5, command=(sys.executable, "-I", "-c", deaf)) as pool:
        with pytest.raises(InspectionTimeoutError):
            await pool.inspect("scan", bytes(8 << 20), LIMITS)


async def test_a_worker_that_dies_while_it_is_given_its_file_costs_that_file() -> None:
    brief = OBEDIENT[: OBEDIENT.index("job =")] + "jobs.read(1)"
    async with WorkerPool(1, 30, command=(sys.executable, "-I", "-c", brief)) as pool:
        with pytest.raises(InspectionCrashedError):
            await pool.inspect("scan", bytes(8 << 20), LIMITS)


async def test_what_a_worker_answers_beyond_its_answer_is_refused() -> None:
    result = pure.inspect("scan", SCAN, LIMITS)
    honest = (
        "import base64\n"
        f"report = json.dumps({{'report': {result.report.to_json()!r}, 'bytes': 684}}).encode()\n"
        f"clean = {result.clean!r}\n"
    )
    async with WorkerPool(1, 30, command=HOSTILE) as pool:
        assert await pool.inspect("scan", (honest + "say(frame(report) + clean)").encode(), LIMITS)
        with pytest.raises(InspectionCrashedError):
            await pool.inspect(
                "scan", (honest + "say(frame(report) + clean + b'x')").encode(), LIMITS
            )


async def test_a_file_that_eats_memory_is_refused_for_it() -> None:
    # The text and its copy in lower case are more than a worker may have here.
    content = b"solid\n" + b"\n" * 80_000_000 + b"endsolid\n"
    async with WorkerPool(1, 60, memory_bytes=160 << 20) as pool:
        with pytest.raises(InspectionOutOfMemoryError):
            await pool.inspect("scan", content, LIMITS)
        assert await pool.inspect("scan", SCAN, LIMITS)


def hangs_and_says_so(bell: Path) -> bytes:
    """A program for the obedient worker; whoever opens the pipe waits until it runs."""
    os.mkfifo(bell)
    return f"open({str(bell)!r}, 'w').close(); time.sleep(999)".encode()


async def test_a_cancelled_inspection_kills_its_worker(tmp_path: Path) -> None:
    program = hangs_and_says_so(tmp_path / "bell")
    async with WorkerPool(1, 600, command=HOSTILE) as pool:
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
    pool = WorkerPool(2, 600, command=HOSTILE)
    await pool.start()
    task = asyncio.create_task(pool.inspect("scan", program, LIMITS))
    await asyncio.to_thread((tmp_path / "bell").read_bytes)
    await pool.close()
    with pytest.raises(InspectionUnavailableError):
        await task
    with pytest.raises(InspectionUnavailableError):
        await pool.inspect("scan", SCAN, LIMITS)
    assert descriptors() <= before


async def test_a_spare_that_was_killed_while_it_waited_is_not_the_fault_of_the_file() -> None:
    before = children()
    async with WorkerPool(1, 30) as pool:
        for worker in children() - before:
            os.kill(worker, signal.SIGKILL)
            await asyncio.to_thread(os.waitid, os.P_PID, worker, os.WEXITED | os.WNOWAIT)
        assert await pool.inspect("scan", SCAN, LIMITS)


@pytest.mark.parametrize(
    "command",
    [
        ("/nonexistent/python",),
        (sys.executable, "-c", "print('no frame')"),
        (sys.executable, "-c", "import sys; sys.exit(1)"),
        (sys.executable, "-c", "import sys; sys.stdout.write('\\0\\0\\0\\2{}')"),
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


PROBE = """
import os, socket, sys
from gateway.inspection.confine import confine
reached = confine(1 << 30, 10)
def tries(name, deed):
    try:
        deed()
    except (OSError, MemoryError) as error:
        print(name, "refused")
    else:
        print(name, "done")
tries("read", lambda: open("/etc/passwd"))
tries("write", lambda: os.write(os.open("/tmp/x", os.O_CREAT | os.O_WRONLY), b"x"))
tries("socket", lambda: socket.socket())
tries("memory", lambda: bytearray(3 << 30))
tries("within memory", lambda: bytearray(1 << 29))
tries("execute", lambda: os.execv("/bin/true", ["true"]))
print("reached", reached.network, reached.files, reached.memory)
"""


def test_a_confined_worker_reaches_no_file_no_network_and_no_more_memory() -> None:
    ran = subprocess.run(
        [sys.executable, "-I", "-c", PROBE], capture_output=True, text=True, check=True
    )
    lines = dict(line.rsplit(" ", 1) for line in ran.stdout.splitlines()[:-1])
    files = ran.stdout.splitlines()[-1].split()[2] == "True"
    assert lines == {
        "read": "refused",
        "write": "refused",
        "socket": "refused",
        "memory": "refused",
        "within memory": "done",
    } | ({"execute": "refused"} if files else {})


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
