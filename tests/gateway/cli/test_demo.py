"""The demo: made once, continued ever after, stopped in order."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli.demo import InMemory, sample_files

SECONDS = 120


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "data"


@contextmanager
def demo(data: Path, *arguments: str, number: int = signal.SIGINT) -> Iterator[list[str]]:
    """A running demo: the lines it says until it runs; stopped by a signal, exit code 0."""
    command = [sys.executable, "-m", "gateway", "demo", "--data", str(data), "--port", "0"]
    environment = os.environ | {"LANG": "C.UTF-8"}
    with subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=data.parent,
    ) as running:
        try:
            yield _until_it_runs(running)
        finally:
            running.send_signal(number)
            running.communicate(timeout=SECONDS)
    assert running.returncode == 0


def _until_it_runs(running: subprocess.Popen[str]) -> list[str]:
    assert running.stdout is not None
    lines: list[str] = []
    for line in running.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(("Ctrl-C", "The sample case was erased", "{")):
            return lines
    pytest.fail("the demo ended: " + "\n".join(lines))


def try_out(line: str, server: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of what the demo says, as a person would who copies it."""
    return subprocess.run(
        ["/bin/sh", "-c", line.strip()],
        env=os.environ | {"KLUIS_SERVER": server, "XDG_STATE_HOME": str(directory)},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.slow
def test_the_demo_does_what_it_says_and_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    with demo(data) as said:
        accepted = [line for line in said if ": accepted. " in line]
        assert len(accepted) == 5
        assert sum("the patient's name: taken out" in line for line in said) == 2
        assert any(line.startswith("  look: Hole of ") for line in said)
        assert any("not there: scan bite; " in line for line in said)
        server = found(said, r"  export KLUIS_SERVER=(\S+)")
        download, look, erase = (line for line in said if line.startswith("  KLUIS_TOKEN="))

        taken = try_out(download, server, tmp_path)
        assert taken.returncode == 0, taken.stderr
        assert len(list((tmp_path / "planner").iterdir())) == 5
        looked = try_out(look, server, tmp_path)
        assert "planner@demo.invalid (planner)" in looked.stdout
    assert {path.stat().st_mode & 0o077 for path in data.iterdir()} == {0}

    with demo(data, "--json", number=signal.SIGTERM) as said:
        (line,) = said
        again = json.loads(line)
        assert again["case"] in download
        erased = try_out(erase, again["listening"], tmp_path)
        assert erased.returncode == 0, erased.stderr
        assert "certificate" in erased.stdout

    with demo(data) as said:
        assert said[-1].startswith("The sample case was erased")
    kept = json.loads((data / "demo-accounts.json").read_bytes())
    assert kept["case_id"] == again["case"]
    assert {person["email"]: person["token"] for person in again["accounts"]} == {
        email: person["token"] for email, person in kept["people"].items()
    }


def found(lines: list[str], pattern: str) -> str:
    (match,) = filter(None, (re.fullmatch(pattern, line) for line in lines))
    return str(match[1])


def test_a_port_that_is_taken_is_said_in_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = subprocess.run(
            [sys.executable, "-m", "gateway", "demo", "--data", tmp_path / "d", "--port", port],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    assert ran.returncode == 1
    assert "cannot listen there" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_the_samples_are_the_same_each_time() -> None:
    first, second = sample_files(), sample_files()

    assert first == second
    assert [sample.kind for sample in first] == ["scan", "scan", "photo", "photo", "photo"]
    assert len({sample.name for sample in first}) == 5


@pytest.mark.parametrize("start", [0, 1, 1024 * 1024, 2 * 1024 * 1024 + 9])
async def test_a_sample_is_sent_from_any_byte_on(start: int) -> None:
    content = os.urandom(2 * 1024 * 1024 + 9)

    async with InMemory("a.stl", "scan", content).pieces(start) as pieces:
        assert b"".join([piece async for piece in pieces]) == content[start:]
