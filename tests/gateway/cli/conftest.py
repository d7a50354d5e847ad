"""Ground of the command's tests: how it is run, and a server that it talks to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import run
from tests.gateway.cli.stand_in import TOKEN, StandIn, listening
from tests.leaks import heard


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        return json.loads(self.out)

    @property
    def failure(self) -> Any:
        return json.loads(self.err)


Kluis = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of whoever runs the tests: no settings, no language, a state directory of its own."""
    for name in [*os.environ]:
        if name.startswith(("KLUIS_", "LC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def kluis(capfd: pytest.CaptureFixture[str]) -> Kluis:
    """Run a command and return its exit code and what it printed."""

    def command(*arguments: object) -> Ran:
        heard("".join(capfd.readouterr()))
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        heard(err)  # what it answers is for whoever asked
        return Ran(code, out, err)

    return command


@pytest.fixture
def stand_in() -> StandIn:
    """A server that does what it should, until a test tells it otherwise."""
    return StandIn()


@pytest.fixture
def server(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the stand-in, set as KLUIS_SERVER together with a token."""
    with listening(stand_in.application()) as address:
        monkeypatch.setenv("KLUIS_SERVER", address)
        monkeypatch.setenv("KLUIS_TOKEN", TOKEN)
        yield address
