"""A process that holds secrets leaves no core, and nobody of its user looks into it."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import ctypes, resource, sys
import gateway.__main__ as command

def run(arguments):
    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
    print(dumpable, *resource.getrlimit(resource.RLIMIT_CORE))
    return 7

command.run = run
command.main()
"""


def test_every_command_runs_without_core_dumps() -> None:
    ran = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (7, "0 0 0\n"), ran.stderr
