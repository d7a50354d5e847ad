"""The main job by the command `kluis` alone, in the forms that other programs call."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.cli import sample
from gateway.inspection.report import Limits
from gateway.inspection.scans.canonical import canonical
from gateway.inspection.scans.read import read

pytestmark = pytest.mark.slow

KLUIS = (sys.executable, "-m", "gateway")
SECONDS = 120
NAME = "Wilhelmina Proefpersoon"


@dataclass(frozen=True)
class Machine:
    """A data directory, its server, and people with tokens, all made by the command."""

    data: Path
    state: Path
    server: str
    tokens: dict[str, str] = field(repr=False)

    def environment(self, person: str, server: str | None = None) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "XDG_STATE_HOME": str(self.state),
            "KLUIS_SERVER": server or self.server,
            "KLUIS_TOKEN": self.tokens[person],
        }

    def run(self, person: str, *arguments: object, code: int = 0) -> Any:
        """The JSON answer of a person's command."""
        return answer(self.environment(person), *arguments, code=code)

    def new_case(self) -> Any:
        return self.run(
            *("dentist", "case", "create", "--patient-name", NAME, "--birth-date", "2001-02-03"),
            *("--patient-number", "PX-40917", "--notes", f"{NAME} asks for a clear one."),
        )


def answer(environment: dict[str, str], *arguments: object, code: int = 0, said: str = "") -> Any:
    ran = subprocess.run(
        [*KLUIS, *map(str, arguments), "--json"],
        env=environment,
        input=said,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    return json.loads(ran.stdout or ran.stderr)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    root = tmp_path_factory.mktemp("machine")
    data, state = root / "data", root / "state"
    operator = {
        "PATH": os.environ["PATH"],
        "KLUIS_PASSPHRASE": "a passphrase for tests alone",
        "KLUIS_DATA": str(data),
    }
    begun = answer(operator, "init", "--data", data)
    assert set(begun) == {"data", "log_public_key", "recovery_words"}
    client = answer(operator, "client", "add", "Practice North", "--email", "m@north.invalid")["id"]
    house = ("coordinator", "planner", "other", "officer")
    people: dict[str, tuple[Any, ...]] = dict.fromkeys(("dentist", *house), ())
    people["dentist"] = ("--client", client)
    tokens = {}
    for name, options in people.items():
        role = {"other": "planner", "officer": "privacy_officer"}.get(name, name)
        email = f"{name}@story.invalid"
        added = answer(
            *(operator, "user", "add", email, "--role", role, "--password-stdin", *options),
            said="a long password for tests\n",
        )
        assert set(added) == {"id"}
        tokens[name] = answer(operator, "token", "create", email)["token"]
    with subprocess.Popen(
        [*KLUIS, "serve", "--port", "0", "--json"], env=operator, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            listening = json.loads(process.stdout.readline())["listening"]
            machine = Machine(data, state, listening, tokens)
            for person in house:
                assert machine.run(person, "confidentiality")["until"] is None
                assert machine.run(person, "confidentiality", "--confirm")["until"] is not None
            yield machine
        finally:
            process.terminate()
            process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def check_restriction_and_emergency(machine: Machine, case_id: str) -> None:
    machine.run("dentist", "case", "restrict", case_id, "--reason", "whose scan is it?")
    assert machine.run("planner", "case", "show", case_id, code=1)["code"] == "not_found"
    machine.run("dentist", "case", "release", case_id, "--reason", "it is right")
    declared = machine.run(
        *("other", "emergency", "declare", case_id, "--reason", "planner ill", "--minutes", 5)
    )
    assert machine.run("other", "case", "show", case_id)["patient"] is None
    assert [one["id"] for one in machine.run("dentist", "emergency", "list")] == [declared["id"]]
    reviewed = machine.run(
        *("officer", "emergency", "review", declared["id"]),
        *("--verdict", "justified", "--words", "as the rota says"),
    )
    assert reviewed["verdict"] == "justified"
    assert machine.run("other", "case", "show", case_id, code=1)["code"] == "not_found"


def test_a_case_comes_in_a_planner_takes_it_out_and_the_client_erases_it(
    machine: Machine, tmp_path: Path
) -> None:
    upper = sample.scan(4_000, 1)
    (tmp_path / "upper.stl").write_bytes(upper)
    (tmp_path / "front.jpg").write_bytes(sample.photo("front", 2))
    (tmp_path / "torn.stl").write_bytes(upper[:-1])
    (tmp_path / "plan.pdf").write_bytes(b"%PDF-1.7 a plan")

    case = machine.new_case()
    case_id = case["id"]
    assert set(case) == {"id", "pseudonym"}
    verdicts = machine.run(
        *("dentist", "upload", case_id, tmp_path / "torn.stl"),
        *(tmp_path / "upper.stl", tmp_path / "front.jpg"),
        code=1,  # one of them is refused
    )
    assert [verdict["state"] for verdict in verdicts] == ["refused", "accepted", "accepted"]
    assert verdicts[0]["problem"]["code"] == "unreadable_scan"
    assert verdicts[1]["report"]["triangles"] == read(upper, Limits()).triangles
    machine.run("dentist", "case", "submit", case_id)
    machine.run(
        "coordinator", "case", "assign", case_id, "planner@story.invalid", "--until", "2099-12-31"
    )

    seen = machine.run("planner", "case", "show", case_id)
    assert seen["patient"] is None
    assert "Wilhelmina" not in json.dumps(seen)
    assert seen["pseudonym"] == case["pseudonym"]
    taken = machine.run("planner", "download", case_id, "--to", tmp_path / "taken")
    assert [row["id"] for row in taken] == [verdict["id"] for verdict in verdicts[1:]]
    for row in taken:
        assert hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest() == row["sha256"]
    assert Path(taken[0]["path"]).read_bytes() == canonical(read(upper, Limits()))
    assert machine.run("other", "case", "show", case_id, code=1)["code"] == "not_found"
    (plan,) = machine.run("planner", "upload", case_id, tmp_path / "plan.pdf", "--kind", "plan")
    given = machine.run("planner", "case", "hand-over", case_id, "other@story.invalid")
    assert given["ends_at"].startswith("2099-12-31")
    machine.run("other", "case", "hand-over", case_id, "planner@story.invalid")
    check_restriction_and_emergency(machine, case_id)
    machine.run("planner", "case", "complete", case_id)
    (came,) = machine.run("dentist", "download", case_id, plan["id"], "--to", tmp_path / "back")
    assert Path(came["path"]).read_bytes() == b"%PDF-1.7 a plan"

    events = machine.run("dentist", "log", "show", case_id)
    refused = [event for event in events if event["stage"] == "refused"]
    assert [event["actor"]["email"].partition("@")[0] for event in refused] == [
        *("other", "planner", "other")  # not assigned; restricted; the emergency was over
    ]

    certificate = machine.run(
        "dentist", "erase", case_id, "--reason", "asked for", "--confirm", case_id
    )
    assert certificate["body"]["case_id"] == case_id
    assert machine.run("dentist", "case", "show", case_id)["state"] == "erased"
    assert machine.run("planner", "case", "list") == []
    verified = answer({"PATH": os.environ["PATH"]}, "log", "verify", "--data", machine.data)
    assert verified["ok"] is True
    assert verified["size"] >= len(events)


@dataclass
class Cutter:
    """A connection to the server that breaks, or goes quiet, after so many bytes upstream."""

    host: str
    port: int
    cuts: deque[int]
    quiet: bool = False
    passed: int = 0
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for connection in self.connections:
                connection.cancel()
            await asyncio.gather(*self.connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(asyncio.create_task(self._connect(reader, writer)))

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_server = await asyncio.open_connection(self.host, self.port)
        back = asyncio.create_task(_copy(upstream, writer))
        try:
            with suppress(ConnectionError):
                await self._forward(reader, to_server)
        finally:
            back.cancel()
            for end in (writer, to_server):
                end.transport.abort()
                with suppress(ConnectionError):
                    await end.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while content := await reader.read(65536):
            self.passed += len(content)
            to_server.write(content)
            await to_server.drain()
            if self.cuts and self.passed >= self.cuts[0]:
                self.cuts.popleft()
                self.silent.set()
                if not self.quiet:
                    return
                await asyncio.Event().wait()  # until the test ends


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while content := await reader.read(65536):
            writer.write(content)
            await writer.drain()


def cutter(machine: Machine, *cuts: int, quiet: bool = False) -> Cutter:
    address = urlsplit(machine.server)
    assert address.hostname is not None
    assert address.port is not None
    return Cutter(address.hostname, address.port, deque(cuts), quiet)


async def test_an_upload_outlives_broken_connections(machine: Machine, tmp_path: Path) -> None:
    case_id = machine.new_case()["id"]
    scan = sample.scan(200_000, 3)
    (tmp_path / "upper.stl").write_bytes(scan)
    connection = cutter(machine, *(len(scan) * part // 5 for part in (1, 2, 4)))

    async with connection.listening() as address:
        (verdict,) = await asyncio.to_thread(
            answer,
            machine.environment("dentist", address),
            *("upload", case_id, tmp_path / "upper.stl"),
        )

    assert verdict["state"] == "accepted"
    assert not connection.cuts
    # Nothing that was acknowledged went twice: what was on its way at a break is all that may.
    assert connection.passed < len(scan) * 1.5
    (came,) = machine.run("dentist", "download", case_id, "--to", tmp_path / "back")
    assert Path(came["path"]).read_bytes() == canonical(read(scan, Limits()))


async def test_an_upload_goes_on_in_another_run_after_the_first_was_killed(
    machine: Machine, tmp_path: Path
) -> None:
    case_id = machine.new_case()["id"]
    scan = sample.scan(200_000, 4)
    (tmp_path / "upper.stl").write_bytes(scan)
    arguments = ("upload", case_id, str(tmp_path / "upper.stl"))
    connection = cutter(machine, len(scan) // 2, quiet=True)
    async with connection.listening() as address:
        first = await asyncio.create_subprocess_exec(
            *KLUIS, *arguments, env=machine.environment("dentist", address)
        )
        async with asyncio.timeout(SECONDS):
            await connection.silent.wait()
        first.kill()
        await first.wait()
        connection.passed = 0

        (verdict,) = await asyncio.to_thread(
            answer, machine.environment("dentist", address), *arguments
        )

    assert verdict["state"] == "accepted"
    assert connection.passed < len(scan) * 0.75
    files = machine.run("dentist", "case", "show", case_id)["files"]
    assert [file["id"] for file in files] == [verdict["id"]]
    kept = json.loads((machine.state / "kluis" / "uploads.json").read_bytes())
    assert kept == {}
