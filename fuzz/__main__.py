"""Fuzz every reader, two at a time: `python -m fuzz [SECONDS]`.

Says how many inputs each one executed; ends with 1 if one of them met something that it may not.
"""

import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

READERS = ("stl", "ascii", "ply", "obj", "jpeg", "png", "heic")
AT_A_TIME = 2
_EXECUTED = re.compile(rb"stat::number_of_executed_units:\s*(\d+)")
_LAST_LINES = 25


def main() -> int:
    """Run all, report each."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "600"
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return max(pool.map(lambda reader: _fuzz(reader, seconds), READERS))


def _fuzz(reader: str, seconds: str) -> int:
    with tempfile.TemporaryDirectory(prefix=f"kluis-fuzz-{reader}-") as corpus:
        command = (sys.executable, "-m", "fuzz.one", reader, corpus, seconds)
        ended = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own
        executed = _EXECUTED.search(ended.stderr)
        count = executed[1].decode() if executed else "no"
        lines = [f"{reader}: {count} inputs in {seconds} s"]
        if ended.returncode:
            lines += ended.stderr.decode("utf-8", "replace").splitlines()[-_LAST_LINES:]
            lines += [
                f"input: {found.read_bytes().hex()}" for found in Path(corpus).glob("found-*")
            ]
        print("\n".join(lines), flush=True)  # noqa: T201 - a command
        return int(ended.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
