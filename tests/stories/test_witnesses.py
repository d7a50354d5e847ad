"""The log before witnesses: real ones, each a process of its own, asked by a whole house."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from sqlalchemy import delete

from gateway.app import log_verifier
from gateway.cosigning import LIFETIME, Cosigning, RefusedError, Witness
from gateway.errors import InvalidInputError
from gateway.settings import Settings
from gateway.witness import set_up
from keys.errors import SignatureError
from keys.secret import SecretKey
from keys.signing import Cosigner, CosigningKey, SigningKey
from storage.accesslog import publishing
from storage.accesslog.checkpoint import Checkpoint, open_checkpoint
from storage.database import Database, Room
from storage.schema import cosignatures
from tests.house import API, WAIT_SECONDS, House, open_house
from tests.storage.accesslog.log_ground import ORIGIN, Ground, NoteKey, event


@dataclass
class WitnessProcess:
    """`kluis witness serve`, to be asked, stopped and started again."""

    directory: Path
    process: asyncio.subprocess.Process
    url: str

    @property
    def cosigner(self) -> Cosigner:
        return Cosigner.parse((self.directory / "witness.pub").read_text().strip())

    @property
    def entry(self) -> str:
        """What the setting `witnesses` says of it."""
        return f"{self.cosigner.vkey} {self.url}"

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[WitnessProcess]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "witness", "serve", "--dir", str(directory)),
        *("--port", "0", "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, f"the witness ended with {await process.wait()}"
    started = WitnessProcess(directory, process, json.loads(line)["listening"])
    try:
        yield started
    finally:
        await started.stop()


@asynccontextmanager
async def witness(directory: Path, name: str, log: str) -> AsyncIterator[WitnessProcess]:
    """A new one that knows one log."""
    set_up(directory, name, [log])
    async with running(directory) as started:
        yield started


def public_key(settings: Settings) -> str:
    return settings.log_key_path.read_text().strip()


async def shown(house: House, until: Callable[[str], bool]) -> str:
    """The public checkpoint, once it is as wanted."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            answer = await house.stranger.ask("GET", f"{API}/log/checkpoint")
            if answer.status == 200 and until(answer.text):
                return answer.text
            await asyncio.sleep(0.05)


def is_cosigned_by(*witnesses: WitnessProcess) -> Callable[[str], bool]:
    def check(note: str) -> bool:
        try:
            return all(each.cosigner.cosignature(note).timestamp for each in witnesses)
        except SignatureError:
            return False

    return check


async def test_the_public_checkpoint_carries_the_cosignature_of_every_witness(
    settings: Settings, tmp_path: Path
) -> None:
    log = public_key(settings)
    async with (
        witness(tmp_path / "one", "practice.example/witness", log) as one,
        witness(tmp_path / "two", "chamber.example/witness", log) as two,
        open_house(settings.model_copy(update={"witnesses": (one.entry, two.entry)})) as house,
    ):
        first = await shown(house, is_cosigned_by(one, two))
        size = open_checkpoint(first, log_verifier(settings.log_key_path).open_note).size
        await house.dentist.new_case()
        note = await shown(
            house, lambda text: is_cosigned_by(one, two)(text) and f"\n{size}\n" not in text
        )
        grown = open_checkpoint(note, log_verifier(settings.log_key_path).open_note)
        assert grown.size > size


async def test_a_house_that_starts_again_goes_on_asking_at_once(
    settings: Settings, tmp_path: Path
) -> None:
    async with witness(tmp_path / "one", "w.example", public_key(settings)) as one:
        chosen = settings.model_copy(update={"witnesses": (one.entry,)})
        async with open_house(chosen) as house:
            before = await shown(house, is_cosigned_by(one))
        async with open_house(chosen) as house, asyncio.timeout(LIFETIME.total_seconds() / 2):
            await shown(house, lambda text: text != before and is_cosigned_by(one)(text))


async def test_a_witness_that_is_away_holds_nothing_back(
    settings: Settings, tmp_path: Path
) -> None:
    async with witness(tmp_path / "gone", "gone.example/witness", public_key(settings)) as gone:
        await gone.stop()
        chosen = settings.model_copy(update={"witnesses": (gone.entry,)})
        async with open_house(chosen) as house:
            case_id, file = await house.submitted_case()
            assert await house.dentist.download(case_id, file["id"])
            note = await shown(house, bool)
            assert gone.cosigner.name not in note


@dataclass
class Watched:
    """A log of our own making with one witness, and what asks it."""

    ground: Ground
    witness: WitnessProcess

    async def grow(self, *numbers: int) -> None:
        await self.ground.write([event(number) for number in numbers])
        self.ground.time += timedelta(minutes=1)  # the lease of the sequencer before ran out
        sequencer = self.ground.sequencer()
        while await sequencer.step():
            pass

    async def size(self) -> int:
        async with self.ground.database.reading() as connection:
            last = await publishing.newest(connection)
        return last.size if last else 0

    async def ask(self) -> None:
        await Cosigning(self.ground.database, [Witness.parse(self.witness.entry)], "node").step()

    async def checkpoint(self) -> Checkpoint:
        async with self.ground.database.reading() as connection:
            last = await publishing.newest(connection)
        assert last
        assert self.witness.cosigner.cosignature(last.text)
        return open_checkpoint(last.note, self.ground.key.open)


def verifier(key: NoteKey) -> str:
    typed = b"\x01" + key._key.public_key().public_bytes_raw()
    return f"{ORIGIN}+{key._hash.hex()}+{base64.b64encode(typed).decode()}"


@pytest.fixture
async def watched(
    database: Database, data_directory: Path, tmp_path: Path
) -> AsyncIterator[Watched]:
    ground = Ground(database, data_directory)
    async with witness(tmp_path / "witness", "w.example", verifier(ground.key)) as started:
        yield Watched(ground, started)


@pytest.fixture
async def twin(
    watched: Watched, fresh_url: Callable[[Room], str], tmp_path: Path
) -> AsyncIterator[Watched]:
    """Another history under the same name and key, shown to the same witness."""
    other = Database(fresh_url("main"), "main")
    (tmp_path / "twin").mkdir()
    yield Watched(Ground(other, tmp_path / "twin", watched.ground.key), watched.witness)
    await other.close()


async def test_every_checkpoint_of_a_log_that_grows_is_cosigned(watched: Watched) -> None:
    for last in (1, 2, 9, 260, 261):
        await watched.grow(*range((await watched.size()), last))
        await watched.ask()
        assert (await watched.checkpoint()).size == last


async def test_a_rolled_back_log_gets_no_cosignature(watched: Watched, twin: Watched) -> None:
    await watched.grow(*range(30))
    await watched.ask()
    await twin.grow(*range(10))
    with pytest.raises(RefusedError) as refused:
        await twin.ask()
    assert (refused.value.status, refused.value.known) == (409, 30)
    with pytest.raises(SignatureError):
        await twin.checkpoint()


async def test_a_forked_log_gets_no_cosignature(watched: Watched, twin: Watched) -> None:
    await watched.grow(*range(30))
    await watched.ask()
    for last in (30, 45):
        await twin.grow(*range((await twin.size()), last))
        with pytest.raises(RefusedError) as refused:
            await twin.ask()
        assert refused.value.status == 422
    await watched.grow(*range(30, 45))
    await watched.ask()
    assert (await watched.checkpoint()).size == 45


async def test_a_witness_remembers_when_it_starts_again(watched: Watched, twin: Watched) -> None:
    await watched.grow(*range(30))
    await watched.ask()
    assert await watched.witness.stop() == 0
    async with running(watched.witness.directory) as again:
        twin.witness = again
        await twin.grow(*range(31))
        with pytest.raises(RefusedError):
            await twin.ask()
        watched.witness = again
        await watched.grow(30)
        await watched.ask()
        assert (await watched.checkpoint()).size == 31


async def test_a_log_that_lost_the_answers_catches_up(watched: Watched) -> None:
    await watched.grow(*range(12))
    await watched.ask()
    async with watched.ground.database.transaction() as tx:
        await tx.execute(delete(cosignatures))
    await watched.ask()
    assert (await watched.checkpoint()).size == 12


async def test_a_witness_that_lost_its_memory_is_told_again(watched: Watched) -> None:
    await watched.grow(*range(12))
    await watched.ask()
    shutil.rmtree(watched.witness.directory / "checkpoints")
    (watched.witness.directory / "checkpoints").mkdir()
    await watched.grow(*range(12, 20))
    await watched.ask()
    assert (await watched.checkpoint()).size == 20


async def test_a_witness_is_not_asked_twice_for_one_checkpoint(watched: Watched) -> None:
    await watched.ask()  # before there is anything
    await watched.grow(*range(3))
    await watched.ask()
    assert await watched.witness.stop() == 0
    await watched.ask()


async def test_an_answer_of_another_key_is_not_kept(watched: Watched) -> None:
    await watched.grow(*range(3))
    stranger = CosigningKey("w.example", SecretKey(b"s" * 32)).verifier
    asked = Witness.parse(f"{stranger} {watched.witness.url}")
    with pytest.raises(SignatureError):
        await Cosigning(watched.ground.database, [asked], "node").step()
    async with watched.ground.database.reading() as connection:
        assert await publishing.cosigned_size(connection, stranger) == 0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"\xff\xfe"),
        (200, b"a" * 70_000),
        (302, b""),
        (409, b"all of them\n"),
        (409, b"-1\n"),
        (409, b"9" * 5000 + b"\n"),
        (500, b""),
    ],
)
async def test_whatever_a_witness_answers_nothing_false_is_kept(
    watched: Watched, status: int, body: bytes
) -> None:
    await watched.grow(*range(3))
    asked = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        assert (await request.read()).startswith(b"old 0\n\n")
        return web.Response(status=status, body=body, headers={"Location": "/add-checkpoint"})

    app = web.Application()
    app.router.add_route("*", "/add-checkpoint", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        witnesses = [Witness(watched.witness.cosigner, url.rstrip("/"))]
        with pytest.raises((RefusedError, SignatureError)):
            await Cosigning(watched.ground.database, witnesses, "node").step()
    finally:
        await runner.cleanup()
    assert asked == 1
    async with watched.ground.database.reading() as connection:
        assert await publishing.cosigned_size(connection, witnesses[0].cosigner.vkey) == 0


VKEY = CosigningKey("w.example", SecretKey(b"s" * 32)).verifier


@pytest.mark.parametrize(
    "entry",
    [
        *(
            "",
            VKEY,
            f"{VKEY} ",
            f"{VKEY} w.example",
            f"{VKEY} ftp://w.example",
            "x https://w.example",
        ),
        *(f"https://w.example {VKEY}", f"{VKEY}  https://w.example", f"{VKEY} https://a https://b"),
        f"{SigningKey('w.example', SecretKey(b's' * 32)).verifier} https://w.example",
    ],
)
def test_a_setting_that_names_no_witness_is_refused(entry: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Witness.parse(entry)
    assert refused.value.field == "witnesses"


def test_a_setting_names_key_and_address() -> None:
    witness = Witness.parse(f"{VKEY} https://w.example/sub/")
    assert (witness.cosigner.vkey, witness.url) == (VKEY, "https://w.example/sub")
