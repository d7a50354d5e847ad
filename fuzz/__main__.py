"""Fuzz every reader, two at a time: `python -m fuzz [SECONDS [SEED [READER ...]]]`.

Says how many inputs each one executed; ends with 1 if one of them met something that it may not.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

READERS = ("stl", "ascii", "ply", "obj", "jpeg", "png", "heic")
AT_A_TIME = 2
DEFAULTS = ("600", "0")  # seed 0: another run, other inputs
# Above a megabyte memory comes from the system and goes back to it. What an earlier input left
# behind would not be counted for the next one that uses it.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
_EXECUTED = re.compile(rb"stat::number_of_executed_units:\s*(\d+)")
_LAST_LINES = 25


def main() -> int:
    """Run all, report each."""
    seconds, seed, *readers = (*sys.argv[1:], *DEFAULTS[len(sys.argv) - 1 :])
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return max(pool.map(lambda reader: _fuzz(reader, seconds, seed), readers or READERS))


def _fuzz(reader: str, seconds: str, seed: str) -> int:
    with tempfile.TemporaryDirectory(prefix=f"kluis-fuzz-{reader}-") as corpus:
        command = (sys.executable, "-m", "fuzz.one", reader, corpus, seconds, seed)
        ended = subprocess.run(  # noqa: S603 - our own
            command, capture_output=True, check=False, env=os.environ | ENVIRONMENT
        )
        executed = _EXECUTED.search(ended.stderr)
        count = executed[1].decode() if executed else "no"
        lines = [f"{reader}: {count} inputs in {seconds} s"]
        if ended.returncode:
            for output in (ended.stdout, ended.stderr):  # Atheris writes what was raised to stdout
                lines += output.decode("utf-8", "replace").splitlines()[-_LAST_LINES:]
            lines += [
                f"input: {found.read_bytes().hex()}" for found in Path(corpus).glob("found-*")
            ]
        print("\n".join(lines), flush=True)  # noqa: T201 - a command
        return int(ended.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
