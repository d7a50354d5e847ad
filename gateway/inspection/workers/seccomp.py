"""Which calls to the kernel a worker may still make: an allow-list, compiled to a seccomp filter.

What is not on the list fails with EPERM, so a library that asks for too much goes on without it.
No list has a call that opens a file or a socket, starts a program, looks into another process or
sends a signal; no memory becomes executable any more. A call of another architecture's table ends
the process: the numbers below would mean something else there.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2  # linux/prctl.h, linux/seccomp.h
_KILL_PROCESS, _ERRNO, _ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000  # linux/seccomp.h
_LOAD, _EQUAL, _BITS, _RETURN = 0x20, 0x15, 0x45, 0x06  # linux/filter.h: LD|W|ABS, JEQ, JSET, RET
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_PROT_EXEC, _CLONE_THREAD = 4, 0x1_0000  # asm/mman.h, linux/sched.h
# A filter cannot see what clone3 is asked for; where it is missing, libraries fall back to clone.
_CLONE3 = 435

_INSTRUCTION = struct.Struct("=HBBI")  # struct sock_filter
_libc = ctypes.CDLL(None, use_errno=True)

# linux/audit.h, and the column of the table
_MACHINES = {"x86_64": (0xC000_003E, 0), "aarch64": (0xC000_00B7, 1)}

# asm/unistd_64.h (x86-64) and asm-generic/unistd.h (aarch64, which lacks the older calls)
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "brk": (12, 214),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "clone": (56, 220),
    "close": (3, 57),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "fstat": (5, 80),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "lseek": (8, 62),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    "mlockall": (151, 230),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "pidfd_open": (434, 434),
    "poll": (7, None),
    "ppoll": (271, 73),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "read": (0, 63),
    "readv": (19, 65),
    "recvmsg": (47, 212),
    "restart_syscall": (219, 128),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "sendmsg": (46, 211),
    "set_robust_list": (273, 99),
    "sigaltstack": (131, 132),
    "sysinfo": (99, 179),
    "times": (100, 153),
    "wait4": (61, 260),
    "write": (1, 64),
    "writev": (20, 66),
}
_TO_FORK = {"getppid", "pidfd_open", "recvmsg", "sendmsg", "wait4"}
_TO_CONFINE = {"mlockall", "prctl", "prlimit64"}


@dataclass(frozen=True, slots=True)
class _Condition:
    """What an argument, counted from 0, must be like for its call to pass."""

    argument: int
    bit: int
    is_set: bool


def allow(calls: bytes) -> bool:
    """Give up every other call to the kernel, for good. Needs PR_SET_NO_NEW_PRIVS.

    Args:
        calls: `ZYGOTE` or `WORKER`.

    Returns:
        Whether it was done; neither every kernel nor every architecture can.
    """
    if not calls:
        return False
    held = ctypes.create_string_buffer(calls, len(calls))
    # struct sock_fprog: the count of instructions, and where they are
    program = struct.pack("@HP", len(calls) // _INSTRUCTION.size, ctypes.addressof(held))
    return not _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), program)


def _filter(calls: Iterable[str], conditions: dict[str, _Condition]) -> bytes:
    """The program that lets these calls through; empty where the machine is none of ours."""
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        return b""
    architecture, column = machine
    program = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, architecture, skip_if_true=1),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD, _NUMBER),
        _instruction(_EQUAL, _CLONE3, skip_if_false=1),
        _instruction(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    for call in sorted(calls):
        number = _NUMBERS[call][column]
        if number is not None:
            program += _let_through(number, conditions.get(call))
    return b"".join([*program, _REFUSED])


def _let_through(number: int, condition: _Condition | None) -> list[bytes]:
    allowed = _instruction(_RETURN, _ALLOW)
    if condition is None:
        return [_instruction(_EQUAL, number, skip_if_false=1), allowed]
    skip_refusal = {"skip_if_true": 1} if condition.is_set else {"skip_if_false": 1}
    return [
        _instruction(_EQUAL, number, skip_if_false=4),
        _instruction(_LOAD, _FIRST_ARGUMENT + 8 * condition.argument),
        _instruction(_BITS, condition.bit, **skip_refusal),
        _REFUSED,
        allowed,
    ]


def _instruction(code: int, value: int, *, skip_if_true: int = 0, skip_if_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, skip_if_true, skip_if_false, value)


_REFUSED = _instruction(_RETURN, _ERRNO | errno.EPERM)
_NOT_EXECUTABLE = dict.fromkeys(("mmap", "mprotect"), _Condition(2, _PROT_EXEC, is_set=False))
_A_THREAD = {"clone": _Condition(0, _CLONE_THREAD, is_set=True)}

ZYGOTE = _filter(_NUMBERS, _NOT_EXECUTABLE)
"""For the zygote."""
WORKER = _filter(_NUMBERS.keys() - _TO_FORK - _TO_CONFINE, _NOT_EXECUTABLE | _A_THREAD)
"""For a worker: memory, time, threads (a decoder starts one), and the descriptors that it has."""
