"""What a worker gives up before it sees a byte that somebody sent, in two steps.

The zygote `enclose`s itself once, and every worker is forked within; a worker then `bound`s itself.
The limits are not negotiable: without them it does not start. The rest depends on the kernel and
on what surrounds us (a container may forbid namespaces), so the zygote says what was reached.

After both no file and no socket can be opened any more, for want of a descriptor, whatever else
was reached.
"""

import ctypes
import os
import resource
import signal

from gateway.inspection.report import Confinement
from gateway.inspection.workers import seccomp

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # linux/prctl.h
_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWNET = 0x0800_0000, 0x1000_0000, 0x4000_0000  # sched.h
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # sys/mman.h
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446  # the same on every architecture
_LANDLOCK_VERSION = 1
_LANDLOCK_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # file rights by ABI; 16 since ABI 5
_ZYGOTE_FILES = 16  # its own, and for a moment a worker's pipes
_THREADS = 512  # of all workers: it is counted per user, or per namespace of users
_libc = ctypes.CDLL(None, use_errno=True)


def enclose() -> Confinement:
    """Leave network and files, and what an intruder could call, for this process and its children.

    Raises:
        OSError: A limit could not be set.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    # Unlocking the limit comes first: it needs a privilege that the namespace takes away.
    memory = _may_lock_memory()
    network, files = _leave_network(), _close_files()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, _ZYGOTE_FILES)
    return Confinement(network, files, memory, calls=seccomp.allow(seccomp.ZYGOTE))


def bound(reached: Confinement, *, space: int, cpu_seconds: int, parent: int) -> None:
    """Bound this process, just forked, for its one job.

    Args:
        reached: What the zygote reached.
        space: Address space, in bytes.
        cpu_seconds: CPU time.
        parent: The zygote, with which this process ends.

    Raises:
        OSError: A limit could not be set.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ProcessLookupError  # it ended before it could be noticed
    if reached.memory and not _lock_memory():  # a fork does not inherit the lock
        raise OSError(ctypes.get_errno(), "mlockall")
    # At the soft limit a signal names the cause; nobody can outlast the hard one.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    _limit(resource.RLIMIT_AS, space)
    # Threads count as processes; the list of calls has no way to start another process.
    _limit(resource.RLIMIT_NPROC, _THREADS if reached.calls else 0)
    _limit(resource.RLIMIT_NOFILE, 0)
    if reached.calls and not seccomp.allow(seccomp.WORKER):
        raise OSError(ctypes.get_errno(), "seccomp")


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))):
        raise OSError(ctypes.get_errno(), "prctl")


def _limit(limit: int, value: int) -> None:
    resource.setrlimit(limit, (value, value))


def _may_lock_memory() -> bool:
    unlimited = resource.RLIM_INFINITY
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (unlimited, unlimited))
    except (OSError, ValueError):
        return False  # under a limit, locking would make every later allocation fail
    return _lock_memory()


def _lock_memory() -> bool:
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
