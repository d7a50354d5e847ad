"""Fuzz every reader, two at a time: `python -m fuzz [SECONDS [SECONDS_PER_INPUT [SEED]]]`.

Says how many inputs each one executed; ends with 1 if one of them met something that it may not.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

READERS = ("stl", "ascii", "ply", "obj", "jpeg", "png", "heic")
AT_A_TIME = 2
DEFAULTS = ("600", "1", "0")  # seed 0: another run, other inputs
_EXECUTED = re.compile(rb"stat::number_of_executed_units:\s*(\d+)")
_LAST_LINES = 25


def main() -> int:
    """Run all, report each."""
    given = [*sys.argv[1:], *DEFAULTS[len(sys.argv) - 1 :]]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return max(pool.map(lambda reader: _fuzz(reader, given), READERS))


def _fuzz(reader: str, given: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix=f"kluis-fuzz-{reader}-") as corpus:
        command = (sys.executable, "-m", "fuzz.one", reader, corpus, *given)
        ended = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own
        executed = _EXECUTED.search(ended.stderr)
        count = executed[1].decode() if executed else "no"
        lines = [f"{reader}: {count} inputs in {given[0]} s"]
        if ended.returncode:
            lines += ended.stderr.decode("utf-8", "replace").splitlines()[-_LAST_LINES:]
            lines += [
                f"input: {found.read_bytes().hex()}" for found in Path(corpus).glob("found-*")
            ]
        print("\n".join(lines), flush=True)  # noqa: T201 - a command
        return int(ended.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
