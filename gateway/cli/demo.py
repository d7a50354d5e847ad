"""`kluis demo`: a practice, its people and a case to try things on.

Whatever is there already is used again, step by step, so a demo that was interrupted anywhere goes
on where it was. Passphrase, passwords and tokens lie readable beside what they open: a demo
directory protects nothing, and the command says so.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import options, texts
from gateway.cli.client import Client, JsonObject, Patience, connect
from gateway.cli.confidentiality import promise
from gateway.cli.errors import CommandError
from gateway.cli.journal import Journal
from gateway.cli.operator import Port
from gateway.cli.output import Output, table
from gateway.cli.reports import missing_in_words
from gateway.cli.sender import PIECE, Sender
from gateway.cli.texts import Words
from gateway.cli.upload import upload_one
from gateway.settings import Settings, load
from storage.durable import replace_file

if TYPE_CHECKING:
    from gateway.access.accounts import Accounts

PRACTICE = "Demo practice"
ROLES = {
    "dentist@demo.invalid": "dentist",
    "coordinator@demo.invalid": "coordinator",
    "planner@demo.invalid": "planner",
    "officer@demo.invalid": "privacy_officer",
}
OFFICER = "officer@demo.invalid"
TRIANGLES = 40_000
STOP_SECONDS = 30.0

DemoData = Annotated[Path, typer.Option("--data", help="Directory of the demo.")]


class DemoServerError(CommandError):
    """The server of the demo did not come up, or ended by itself."""

    code = "demo_server"
    words = Words(
        "The server ended: {reason} (its log: {log})", "De server stopte: {reason} (het log: {log})"
    )


@dataclass(frozen=True, slots=True)
class Person:
    """One account of the demo."""

    role: str
    password: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays, and on which case; kept in demo-accounts.json."""

    people: Mapping[str, Person]
    case_id: str | None = None

    @classmethod
    def read(cls, path: Path) -> Cast:
        """Read what an earlier demo left, or give everybody a password."""
        if not path.exists():
            return cls(
                {email: Person(role, secrets.token_urlsafe(12)) for email, role in ROLES.items()}
            )
        found = json.loads(path.read_bytes())
        people = {email: Person(**person) for email, person in found["people"].items()}
        return cls(people, found["case_id"])

    def write(self, path: Path) -> None:
        """Replace the file whole."""
        content = {
            "people": {email: asdict(person) for email, person in self.people.items()},
            "case_id": self.case_id,
        }
        replace_file(path, json.dumps(content, indent=1).encode())

    def token(self, email: str) -> str:
        """The token of a person who has one by now."""
        return self.people[email].token or ""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.command(app, "demo", example="kluis demo --data ./demo")(demo)


async def demo(
    data: DemoData = Path("demo"), port: Port = None, as_json: options.Json = False
) -> None:
    """Start Kluis with sample accounts and a sample case; Ctrl-C stops it."""
    out = Output(as_json)
    settings = load(data=data, port=port)
    play = asyncio.create_task(_play(settings, port, out))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)  # once is enough: it takes a moment
        play.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await play
    except asyncio.CancelledError:
        out.say(texts.DEMO_ENDED.say(data=data))


async def _play(settings: Settings, port: int | None, out: Output) -> None:
    await prepare(settings, out)
    async with serving(settings, port) as (address, ended):
        cast, erased = await fill(settings, address, out)
        _introduce(cast, address, settings.data, out, erased=erased)
        await ended
    raise _ended(settings)


async def prepare(settings: Settings, out: Output) -> None:
    """Make data directory, practice and accounts, as far as they are missing."""
    # The rooms bring SQLAlchemy along: half a second that a person's command need not wait.
    from gateway.app import initialise, open_rooms  # noqa: PLC0415

    secret = settings.data / "demo-passphrase"
    if not secret.exists():
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(secret, secrets.token_urlsafe(24).encode())
    passphrase = secret.read_text("ascii").strip()
    if not settings.keyring_path.exists():
        out.say(texts.DEMO_SETTING_UP.say(data=settings.data))
        made = await initialise(settings, passphrase, OFFICER)
        words = settings.data / "demo-recovery-words"
        replace_file(words, f"{made.recovery.words}\n".encode())
        out.say(texts.DEMO_WORDS.say(path=words))
    async with open_rooms(settings, passphrase) as rooms:
        await _hire(rooms.accounts, settings.data / "demo-accounts.json")


async def _hire(accounts: Accounts, file: Path) -> None:
    """Give each person an account, a password and a token, as far as they have none."""
    cast = Cast.read(file)
    # Passwords first: an account whose password was lost would be of no use.
    cast.write(file)
    practices = {practice.name: practice.id for practice in await accounts.list_controllers()}
    if PRACTICE not in practices:
        practice = await accounts.add_controller(name=PRACTICE, email="practice@demo.invalid")
        practices[PRACTICE] = practice.id
    there = {account.email for account in await accounts.list_accounts()}
    for email, person in cast.people.items():
        if email not in there:
            client = practices[PRACTICE] if person.role == "dentist" else None
            await accounts.add_account(email=email, role=person.role, controller_id=client)
        if person.token is None:
            await accounts.set_password(email=email, password=person.password)
            token = await accounts.create_token(email=email)
            people = {**cast.people, email: replace(person, token=token)}
            cast = replace(cast, people=people)
            cast.write(file)


@asynccontextmanager
async def serving(
    settings: Settings, port: int | None
) -> AsyncIterator[tuple[str, asyncio.Future[int]]]:
    """Run `kluis serve` beside us, stopped by SIGTERM when the block ends.

    Yields:
        Its address, and what is done when it ended by itself.

    Raises:
        DemoServerError: It did not come up.
    """
    command = [sys.executable, "-m", "gateway", "serve", "--data", str(settings.data), "--json"]
    if port is not None:
        command += ["--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if name != "KLUIS_PASSPHRASE"}
    environment["KLUIS_PASSPHRASE_FILE"] = str(settings.data / "demo-passphrase")
    descriptor = os.open(
        _log(settings), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
    )
    try:
        server = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=descriptor,
            env=environment,
            start_new_session=True,  # Ctrl-C comes to us alone; we stop it in order
        )
    finally:
        os.close(descriptor)
    try:
        line = await server.stdout.readline() if server.stdout else b""
        if not line:
            await server.wait()
            raise _ended(settings)
        yield json.loads(line)["listening"], asyncio.ensure_future(server.wait())
    finally:
        await asyncio.shield(_stop(server))


def _log(settings: Settings) -> Path:
    return settings.data / "demo-server.log"


def _ended(settings: Settings) -> DemoServerError:
    """What the server said last: under --json an object, or a line of its log."""
    last = _log(settings).read_text("utf-8", "replace").strip().rsplit("\n", 1)[-1]
    with suppress(ValueError):
        said = json.loads(last)
        last = said.get("message", last)
    return DemoServerError(reason=last, log=_log(settings))


async def _stop(server: asyncio.subprocess.Process) -> None:
    if server.returncode is not None:
        return
    server.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await server.wait()
    except TimeoutError:
        server.kill()
        await server.wait()


async def fill(settings: Settings, address: str, out: Output) -> tuple[Cast, bool]:
    """Bring the sample case to the planner, over HTTP, as far as it is not there.

    Returns:
        Who plays on which case, and whether somebody has erased it.
    """
    file = settings.data / "demo-accounts.json"
    cast = Cast.read(file)
    await _promise(cast, address)
    async with (
        connect(address, cast.token("dentist@demo.invalid")) as dentist,
        connect(address, cast.token("coordinator@demo.invalid")) as coordinator,
    ):
        if cast.case_id is None:
            patient = {"name": "Sam Voorbeeld", "birth_date": "2009-04-12", "number": "D-1001"}
            notes = "Crowding in the lower front. Sam Voorbeeld prefers clear aligners."
            case = await dentist.post("cases", {"patient": patient, "notes": notes})
            cast = replace(cast, case_id=case["id"])
            cast.write(file)
        view = await dentist.get(f"cases/{cast.case_id}")
        if view["state"] == "draft":
            await _send_sample(dentist, view, settings.data, out)
            view = await dentist.post(f"cases/{cast.case_id}/submission")
            out.say(texts.MISSING.say(places=missing_in_words(view["missing"])))
        if view["state"] in {"submitted", "planning"} and not view["assignments"]:
            body = {"email": "planner@demo.invalid", "until": None}
            await coordinator.post(f"cases/{cast.case_id}/assignments", body)
    return cast, view["frozen"]


async def _promise(cast: Cast, address: str) -> None:
    """Have the people of the house confirm their duty of confidentiality; in a demo all agree."""
    for email, person in cast.people.items():
        if person.role != "dentist":
            async with connect(address, cast.token(email)) as client:
                await promise(client)


async def _send_sample(client: Client, view: JsonObject, data: Path, out: Output) -> None:
    there = {file["name"] for file in view["files"] if file["state"] == "accepted"}
    sender = Sender(client, view["id"], Journal(data), Patience(total=60.0))
    for sample in sample_files():
        if sample.name not in there:
            await upload_one(sender, sample, out)


def sample_files() -> list[InMemory]:
    """Two arches, one of them with a hole, and three photos; the same each time."""
    # NumPy and Pillow draw them; no other command needs either.
    from gateway.cli import sample  # noqa: PLC0415

    return [
        InMemory("upper.stl", "scan", sample.scan(TRIANGLES, 1, upper=True)),
        InMemory("lower.stl", "scan", sample.scan(TRIANGLES, 2, upper=False, missed_mm=2.0)),
        InMemory("front.jpg", "photo", sample.photo("front", 3)),
        InMemory("upper.jpg", "photo", sample.photo("upper", 4)),
        InMemory("lower.jpg", "photo", sample.photo("lower", 5)),
    ]


@dataclass(frozen=True, slots=True)
class InMemory:
    """A sample as something to send; no scan is written to a disk for it."""

    name: str
    kind: str
    content: bytes

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return len(self.content)

    @property
    def version(self) -> str:
        """Samples are the same each time they are made."""
        return self.name

    def is_same(self) -> bool:
        """Memory does not change."""
        return True

    @asynccontextmanager
    async def pieces(self, start: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """Its bytes from `start` on."""

        async def cut() -> AsyncIterator[bytes]:
            for at in range(start, self.size, PIECE):
                yield self.content[at : at + PIECE]

        yield cut()


def _introduce(cast: Cast, address: str, data: Path, out: Output, *, erased: bool) -> None:
    """Say where everything is, who is who, and three things to try."""
    people = [{"email": email, **asdict(person)} for email, person in cast.people.items()]
    if out.as_json:
        out.answer({"listening": address, "case": cast.case_id, "accounts": people}, "")
        return
    out.say(texts.DEMO_RUNS.say(address=address, data=data))
    rows = [(person["email"], person["role"], person["password"]) for person in people]
    out.answer(people, table(("e-mail", "role", "password"), rows))
    if erased:
        out.say(texts.DEMO_ERASED.say(data=data))
        return
    kluis, here = Path(sys.executable).with_name("kluis"), Path.cwd()
    out.say(
        texts.DEMO_TRY.say(
            kluis=kluis.relative_to(here) if kluis.is_relative_to(here) else kluis,
            server=address,
            case=cast.case_id,
            planner=cast.token("planner@demo.invalid"),
            dentist=cast.token("dentist@demo.invalid"),
        )
    )
