"""The virus scanner: a real clamd that knows one signature, and one that misbehaves."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.cli import doctor
from gateway.errors import InvalidInputError
from gateway.inspection.errors import InspectionUnavailableError, UnsafeFileError
from gateway.intake.clamav import Clamd
from gateway.settings import Settings, load
from tests.gateway.ground import SQLITE, logged, until
from tests.house import API, SCAN, House, open_house

# The test file of the European Institute for Computer Antivirus Research, in two pieces, so that
# no scanner takes this source for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-" + rb"ANTIVIRUS-TEST-FILE!$H+H*"
CLAMD = "/usr/sbin/clamd"
CONFIGURATION = """
DatabaseDirectory {folder}/database
TemporaryDirectory {folder}
LocalSocket {folder}/socket
StreamMaxLength 1M
Foreground yes
"""


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clamd]:
    """A clamd whose whole database is the one signature."""
    folder = tmp_path_factory.mktemp("clamd")
    (folder / "database").mkdir()
    signature = f"{hashlib.md5(EICAR).hexdigest()}:{len(EICAR)}:Eicar-Test-Signature\n"  # noqa: S324
    (folder / "database" / "own.hdb").write_text(signature)
    (folder / "clamd.conf").write_text(CONFIGURATION.format(folder=folder))
    for path in (folder, folder / "database"):
        path.chmod(0o755)
    command = [shutil.which("clamd") or CLAMD, "--config-file", str(folder / "clamd.conf")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "Self checking" not in (line := process.stdout.readline()):
            assert line, f"clamd ended with {process.wait()}"
        yield Clamd.of(str(folder / "socket"), 30)
        process.kill()


async def test_what_is_no_virus_passes_in_one_piece_or_in_many(clamd: Clamd) -> None:
    assert await clamd.is_there()
    await clamd.scan([SCAN])
    await clamd.scan([b"", b"solid", b"", b" x"])


async def test_the_test_virus_is_recognised_wherever_it_is_cut(clamd: Clamd) -> None:
    for cut in (0, 1, 34, len(EICAR)):
        with pytest.raises(UnsafeFileError) as caught:
            await clamd.scan([EICAR[:cut], EICAR[cut:]])
        assert caught.value.reason == "malware"


async def test_a_file_that_is_too_large_for_the_scanner_is_refused_as_unscanned(
    clamd: Clamd,
) -> None:
    with pytest.raises(UnsafeFileError) as caught:
        await clamd.scan([bytes(1 << 20)] * 8)
    assert caught.value.reason == "unscanned"


@SQLITE
async def test_a_virus_is_refused_and_a_scan_is_not(settings: Settings, clamd: Clamd) -> None:
    async with open_house(settings.model_copy(update={"clamd_address": clamd.place})) as house:
        case_id = await house.dentist.new_case()
        for kind in ("scan", "photo"):
            file = await house.dentist.upload(case_id, EICAR, kind)
            assert (file["state"], file["problem"]["code"]) == ("refused", "unsafe_file")
        assert (await house.dentist.upload(case_id, SCAN))["state"] == "accepted"


@SQLITE
async def test_without_its_scanner_no_file_gets_a_verdict_and_then_every_one_does(
    settings: Settings, clamd: Clamd, tmp_path: Path
) -> None:
    place = tmp_path / "socket"
    async with open_house(settings.model_copy(update={"clamd_address": str(place)})) as house:
        case_id = await house.dentist.new_case()
        sent = asyncio.create_task(house.dentist.upload(case_id, SCAN))
        assert await _states(house, case_id, {"received"}) == {"received"}
        assert await logged(house, "file.inspect") == []  # nobody even claims it
        place.symlink_to(clamd.place)
        assert (await sent)["state"] == "accepted"


async def _states(house: House, case_id: str, wanted: set[str]) -> set[str]:
    found: set[str] = set()

    async def reached() -> bool:
        answer = await house.dentist.ask("GET", f"{API}/cases/{case_id}")
        found.clear()
        found.update(file["state"] for file in answer.json()["files"])
        return found == wanted

    await until(reached)
    return found


@asynccontextmanager
async def saying(
    tmp_path: Path, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[Clamd]:
    """A scanner that says what it is told to."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    place = tmp_path / "socket"
    async with await asyncio.start_unix_server(serve, place):
        yield Clamd.of(str(place), 0.5)


@pytest.mark.parametrize(
    "answer", [b"", b"stream: OK", b"UNKNOWN COMMAND\0", b"x" * (1 << 17), b"OK\0", b"\0"]
)
async def test_an_answer_that_is_none_is_no_verdict(tmp_path: Path, answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(answer)

    async with saying(tmp_path, talk) as scanner:
        with pytest.raises(InspectionUnavailableError):
            await scanner.scan([SCAN])
        assert not await scanner.is_there()


async def test_a_scanner_that_is_silent_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with saying(tmp_path, talk) as scanner:
        with pytest.raises(InspectionUnavailableError):
            await scanner.scan([SCAN])


async def test_no_scanner_at_all_is_no_verdict(tmp_path: Path) -> None:
    scanner = Clamd.of(str(tmp_path / "nothing"), 30)
    assert not await scanner.is_there()
    with pytest.raises(InspectionUnavailableError):
        await scanner.scan([SCAN])


@pytest.mark.parametrize(
    "address", ["clamav:3310", "192.0.2.1:3310", "127.0.0.1", "127.0.0.1:0", "[::1]:x", "socket"]
)
def test_a_scanner_on_another_machine_is_refused(address: str) -> None:
    with pytest.raises(InvalidInputError):
        Clamd.of(address, 30)


def test_a_port_on_loopback_is_taken() -> None:
    assert Clamd.of("127.0.0.1:3310", 30) == Clamd("127.0.0.1", 3310, 30)
    assert Clamd.of("[::1]:3310", 30) == Clamd("::1", 3310, 30)


async def test_the_doctor_asks_after_the_scanner(clamd: Clamd, tmp_path: Path) -> None:
    assert await doctor.scanner(load(data=tmp_path)) == []
    (well,) = await doctor.scanner(load(data=tmp_path, clamd_address=clamd.place))
    assert well.state == "ok"
    (away,) = await doctor.scanner(load(data=tmp_path, clamd_address="127.0.0.1:1"))
    assert away.state == "failed"
    assert "start clamd" in away.remedy
