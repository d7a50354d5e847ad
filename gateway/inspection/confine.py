"""What a worker gives up before it sees a byte that somebody sent.

The limits are not negotiable: without them it does not start. The rest depends on the kernel and
on what surrounds us (a container may forbid namespaces), so the worker says what was reached.

After this no file and no socket can be opened any more, for want of a descriptor.
"""

import ctypes
import os
import resource
from pathlib import Path

from gateway.inspection.report import Confinement

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38  # linux/prctl.h
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x0800_0000, 0x1000_0000, 0x4000_0000  # sched.h
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # sys/mman.h
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446  # the same on every architecture
_LANDLOCK_VERSION = 1
_LANDLOCK_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # file rights by ABI; 16 since ABI 5
_libc = ctypes.CDLL(None, use_errno=True)


def confine(memory_bytes: int, cpu_seconds: int) -> Confinement:
    """Confine this process for good.

    Args:
        memory_bytes: Address space beyond what the process has now.
        cpu_seconds: CPU time beyond what it has used.

    Raises:
        OSError: A limit could not be set.
    """
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    used = resource.getrusage(resource.RUSAGE_SELF)
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0)):
        if _libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))):
            raise OSError(ctypes.get_errno(), "prctl")
    # Locking comes first: it needs a privilege that the namespace takes away.
    reached = Confinement(memory=_lock_memory(), files=_close_files(), network=_leave_network())
    seconds = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    space = pages * resource.getpagesize() + memory_bytes
    for limit, soft, hard in (
        (resource.RLIMIT_AS, space, space),
        (resource.RLIMIT_CPU, seconds, seconds + 1),  # at the soft limit the signal names the cause
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_NOFILE, 0, 0),
    ):
        resource.setrlimit(limit, (soft, hard))
    return reached


def _lock_memory() -> bool:
    unlimited = resource.RLIM_INFINITY
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (unlimited, unlimited))
    except (OSError, ValueError):
        return False  # under a limit, locking would make every later allocation fail
    return not _libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)


def _close_files() -> bool:
    version = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 1:
        return False
    handled = ctypes.c_uint64((1 << _LANDLOCK_RIGHTS.get(version, 16)) - 1)
    size = ctypes.c_size_t(ctypes.sizeof(handled))
    ruleset = _libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(handled), size, 0)
    if ruleset < 0:
        return False
    try:
        return not _libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _leave_network() -> bool:
    return not _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC)
