"""What code that has taken over a worker can still do: each deed is tried from inside."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from gateway.inspection.errors import InspectionError
from gateway.inspection.report import Confinement, Limits
from gateway.inspection.workers import seccomp
from gateway.inspection.workers.pool import WorkerPool
from tests.gateway.inspection.test_pool import OBEDIENT, REFUSES, children, zygote

DEEDS = {
    "open": "libc.open(b'/etc/passwd', 0)",
    "openat2": "libc.syscall(437, -100, b'/etc/passwd', bytes(24), 24)",
    "unlink": "libc.unlink(b'/nowhere')",
    "socket": "libc.socket(1, 1, 0)",
    "connect": "libc.connect(0, bytes(16), 16)",
    "execve": "libc.execve(b'/bin/true', None, None)",
    "fork": "libc.fork()",
    "ptrace": "libc.ptrace(16, 1, None, None)",
    "read another's memory": "libc.process_vm_readv(1, None, 0, None, 0, 0)",
    "kill": "libc.kill(1, 0)",
    "namespace": "libc.unshare(0x10000000)",
    "limits": "libc.setrlimit(7, bytes(16))",
    "prctl": "libc.prctl(4, 1, 0, 0, 0)",
    "anonymous file": "libc.memfd_create(b'x', 0)",
    "duplicate": "libc.dup(0)",
    "io_uring": "libc.syscall(425, 1, bytes(120))",
    "pidfd": "libc.syscall(434, 1, 0)",
    "executable memory": "-1 if libc.mmap(None, 4096, 7, 0x22, -1, 0) == -1 else 0",
    "memory made executable": "libc.mprotect(page, 4096, 5)",
}
PROBE = """
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_ssize_t
page = libc.mmap(None, 4096, 3, 0x22, -1, 0)
def outcome(deed):
    ctypes.set_errno(0)
    failed = eval(deed, {"libc": libc, "page": ctypes.c_void_p(page)}) == -1
    return ctypes.get_errno() if failed else 0
numbers = {name: outcome(deed) for name, deed in DEEDS.items()} | {"triangles": 1, "limit": 1}
answer = {"code": "too_many_triangles", "reason": "triangles", "numbers": numbers}
say(frame(json.dumps(answer).encode()))
"""
OPENED = (
    OBEDIENT
    + "from gateway.inspection.workers import seccomp\n"
    + "seccomp.allow = lambda _: False\n"
)


async def outcomes(program: str) -> dict[str, float]:
    """The errno of every deed, 0 where it was done."""
    async with WorkerPool(1, 30, command=zygote(program)) as pool:
        with pytest.raises(InspectionError) as caught:
            await pool.inspect("scan", f"DEEDS = {DEEDS}\n{PROBE}".encode(), Limits())
    assert caught.value.code == "too_many_triangles"
    return {deed: caught.value.numbers[deed] for deed in DEEDS}


async def test_no_deed_of_a_worker_gets_past_the_kernel() -> None:
    assert await outcomes(OBEDIENT) == dict.fromkeys(DEEDS, errno.EPERM)


async def test_a_worker_may_start_a_thread_but_no_process() -> None:
    program = OBEDIENT.replace("import ", "import threading, ", 1)
    deed = f"thread = threading.Thread(target=say, args=({REFUSES[4:-1]},))\n"
    deed += "thread.start()\nthread.join()"
    async with WorkerPool(1, 30, command=zygote(program)) as pool:
        with pytest.raises(InspectionError) as caught:
            await pool.inspect("scan", deed.encode(), Limits())
    assert caught.value.code == "not_a_scan"


async def test_without_the_list_of_calls_files_network_and_programs_are_closed_all_the_same() -> (
    None
):
    found = await outcomes(OPENED)
    for deed in ("open", "socket", "execve", "anonymous file", "duplicate", "pidfd"):
        assert found[deed] != 0


async def test_the_zygote_shuts_itself_in_before_anything_else() -> None:
    before = children()
    async with WorkerPool(1, 30) as pool:
        (number,) = children() - before
        lines = Path(f"/proc/{number}/status").read_text("ascii").splitlines()
        status = dict(line.split(":\t", 1) for line in lines)
        limits = Path(f"/proc/{number}/limits").read_text("ascii")
        reached = await pool.start()
    assert (status["NoNewPrivs"], status["Seccomp"], status["Threads"]) == ("1", "2", "1")
    assert "Max core file size        0                    0" in limits
    assert "Max file size             0                    0" in limits
    assert reached == Confinement(reached.network, reached.files, reached.memory, calls=True)


async def test_a_zygote_with_a_second_thread_does_not_start() -> None:
    threaded = OBEDIENT + "import threading\nthreading.Thread(target=time.sleep, args=(9,)).start()"
    with pytest.raises(InspectionError) as caught:
        await WorkerPool(1, 30, command=zygote(threaded + "\n")).start()
    assert caught.value.code == "inspection_unavailable"


def test_an_unknown_machine_has_no_list_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = os.uname_result(("Linux", "node", "1", "1", "s390x"))
    monkeypatch.setattr(os, "uname", lambda: unknown)
    assert seccomp._filter(["read"], {}) == b""
    assert not seccomp.allow(b"")


def test_both_machines_have_a_list_and_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = set()
    for machine in ("x86_64", "aarch64"):
        named = os.uname_result(("Linux", "node", "1", "1", machine))
        monkeypatch.setattr(os, "uname", lambda named=named: named)
        programs.add(seccomp._filter(["read", "poll", "clone"], seccomp._A_THREAD))
    assert len(programs) == 2
    assert {len(program) % 8 for program in programs} == {0}
    assert sys.byteorder == "little"  # where the third argument is looked for
