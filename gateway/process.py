"""What a process does for itself first: keep its memory private, and log in JSON if it serves."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

import structlog

PR_SET_DUMPABLE = 4
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4


def leave_no_core() -> None:
    """No core dump, whoever takes them, and no look into this memory by others of its user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A program that core dumps are piped to heeds no limit.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def keep_to_itself() -> None:
    """The same, files for this user alone, and memory out of swap where that is allowed."""
    leave_no_core()
    os.umask(0o077)
    libc = ctypes.CDLL(None, use_errno=True)
    # With a limit on locked memory the first large upload would fail instead: then do without.
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)


def configure_log() -> None:
    """JSON lines on stderr: a decoded newline in a text log would forge entries."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        # Looked up at each line: whoever redirects stderr later gets the lines, too.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
