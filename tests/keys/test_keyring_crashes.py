"""Killed at any point, among other processes, on a failing disk: the keyring loses nothing."""

import errno
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from keys.context import Context, Purpose
from keys.errors import UnknownKeyVersionError
from keys.providers.keyfile import ScryptCost
from keys.providers.local import LocalKeyring
from keys.secret import SecretKey

PASSPHRASE = "correct horse"
SECRET = SecretKey(bytes(range(32)))
CASE = Context(Purpose.CASE_KEY, "practice", "case")

OPENED = """
import asyncio, itertools, os, signal, sys
from pathlib import Path
from keys.providers.local import LocalKeyring
keyring = LocalKeyring.open(Path(sys.argv[1]), "correct horse")
def acknowledge(line):
    print(line, flush=True)
"""

# Dies just before the n-th call of the operating system that could matter.
ONE_PUNCTURE = """
calls = itertools.count(1)
def deadly(call):
    def run(*args, **kwargs):
        if next(calls) == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return run
for name in ("open", "close", "dup", "fsync", "rename", "unlink"):
    setattr(os, name, deadly(getattr(os, name)))
async def puncture():
    await keyring.create("practice", 2)
    acknowledge("created")
    await keyring.destroy("practice", 1)
    acknowledge("destroyed")
asyncio.run(puncture())
"""

WITHOUT_END = """
async def work():
    for number in itertools.count():
        await keyring.create(f"{sys.argv[2]} {number}", 1)
        acknowledge(f"+ {number}")
        if number % 3 == 0:
            await keyring.destroy(f"{sys.argv[2]} {number}", 1)
            acknowledge(f"- {number}")
asyncio.run(work())
"""


def child(script: str, path: Path, argument: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OPENED + script, str(path), str(argument)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    LocalKeyring.init(tmp_path / "keyring", PASSPHRASE, ScryptCost(n=2))
    return tmp_path / "keyring"


@pytest.fixture
async def keyring(path: Path) -> LocalKeyring:
    keyring = LocalKeyring.open(path, PASSPHRASE)
    await keyring.create("practice", 1)
    return keyring


async def test_killed_before_any_system_call_it_is_the_old_or_the_new(
    tmp_path: Path,
) -> None:
    states, point, code = set(), 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        point += 1
        path = tmp_path / f"keyring {point}"
        keyring = LocalKeyring.init(path, PASSPHRASE, ScryptCost(n=2))
        await keyring.create("practice", 1)
        wrapped = await keyring.wrap(1, SECRET, CASE)
        with child(ONE_PUNCTURE, path, point) as process:
            said = process.communicate()[0].split()
            code = process.returncode

        after = LocalKeyring.open(path, PASSPHRASE)
        versions = await after.versions("practice")
        assert versions in ({1}, {1, 2}, {2})
        assert 2 in versions or "created" not in said
        assert 1 not in versions or "destroyed" not in said
        if 1 in versions:
            assert await after.unwrap(1, wrapped, CASE) == SECRET
        else:
            with pytest.raises(UnknownKeyVersionError):
                await after.unwrap(1, wrapped, CASE)
        assert (await after.signing_key("log")) == (await keyring.signing_key("log"))
        assert not path.with_name(path.name + ".new").exists()
        states.add((versions, *said))

    assert code == 0
    assert point > 20, "so few calls: were they counted?"
    # A kill before and after each rename, and before each acknowledgement.
    assert len(states) == 5


async def kept(keyring: LocalKeyring, name: str, said: list[str]) -> None:
    """Fail unless the keyring holds what a child that works without end has acknowledged."""
    assert said[0] == "+ 0\n"
    created = {int(line[2:]) for line in said if line.startswith("+")}
    destroyed = {int(line[2:]) for line in said if line.startswith("-")}
    for number in created:
        versions = await keyring.versions(f"{name} {number}")
        # Every third is destroyed, and perhaps already was when its word had not arrived.
        assert versions == {1} or not number % 3
        assert versions == set() or number not in destroyed


@pytest.mark.parametrize("seed", range(20))
async def test_killed_at_random_it_keeps_what_was_acknowledged(path: Path, seed: int) -> None:
    lines = random.Random(seed).randint(1, 25)
    with child(WITHOUT_END, path, "practice") as process:
        assert process.stdout
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()

    await kept(LocalKeyring.open(path, PASSPHRASE), "practice", said)


async def test_two_processes_at_work_at_once_lose_nothing(path: Path) -> None:
    reader = LocalKeyring.open(path, PASSPHRASE)
    with child(WITHOUT_END, path, "left") as left, child(WITHOUT_END, path, "right") as right:
        said: dict[str, list[str]] = {"left": [], "right": []}
        for _ in range(40):
            for process, name in ((left, "left"), (right, "right")):
                assert process.stdout
                said[name].append(process.stdout.readline())
                # Reading amid the replacing never meets half a file.
                assert await reader.versions(f"{name} 1") in (set(), {1})
        left.kill()
        right.kill()

    for name, lines in said.items():
        await kept(LocalKeyring.open(path, PASSPHRASE), name, lines)


def failing(number: int) -> Callable[[int], None]:
    """Return an fsync of which one call fails, as a dying disk makes it."""
    real, calls = os.fsync, iter(range(1, 100))

    def fsync(descriptor: int) -> None:
        if next(calls) == number:
            raise OSError(errno.EIO, "disk")
        real(descriptor)

    return fsync


@pytest.mark.parametrize("call", [1, 2])
async def test_what_did_not_reach_the_disk_is_not_acknowledged(
    path: Path, keyring: LocalKeyring, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(call))
        with pytest.raises(OSError, match="disk"):
            await keyring.create("practice", 2)
    assert not path.with_name("keyring.new").exists()
    assert await LocalKeyring.open(path, PASSPHRASE).versions("practice") in ({1}, {1, 2})

    await keyring.create("practice", 2)
    assert await keyring.versions("practice") == {1, 2}


@pytest.mark.parametrize("call", [1, 2])
async def test_what_is_there_already_is_acknowledged_only_when_durable(
    keyring: LocalKeyring, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    monkeypatch.setattr(os, "fsync", failing(call))
    with pytest.raises(OSError, match="disk"):
        await keyring.create("practice", 1)


async def test_failing_to_overwrite_the_old_bytes_takes_nothing_back(
    keyring: LocalKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(3))
    await keyring.destroy("practice", 1)
    assert await keyring.versions("practice") == frozenset()


async def test_the_bytes_of_the_replaced_file_are_overwritten(
    path: Path, keyring: LocalKeyring
) -> None:
    old = path.with_name("old")
    old.hardlink_to(path)
    size = old.stat().st_size
    await keyring.destroy("practice", 1)
    assert old.read_bytes() == bytes(size)


async def test_what_a_killed_process_left_is_overwritten_and_removed(
    path: Path, keyring: LocalKeyring
) -> None:
    for occasion in (lambda: keyring.create("practice", 2), None):
        left, seen = path.with_name("keyring.new"), path.with_name("seen")
        left.write_bytes(path.read_bytes()[:100])
        seen.hardlink_to(left)
        if occasion:
            await occasion()
        else:
            LocalKeyring.open(path, PASSPHRASE)
        assert not left.exists()
        assert seen.read_bytes() == bytes(100)
        seen.unlink()
    assert await keyring.versions("practice") == {1, 2}
