"""The file of the local keyring: who can read it, and what it refuses."""

import asyncio
import base64
import json
import shutil
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.context import Context, Purpose
from keys.errors import (
    KeyringExistsError,
    KeyringFormatError,
    KeyringMissingError,
    PassphraseError,
    UnknownKeyVersionError,
)
from keys.providers.keyfile import Contents, Keyfile, ScryptCost, Versions, lock_up
from keys.providers.local import LocalKeyring
from keys.providers.wholefile import locked
from keys.secret import SecretKey
from keys.stream import seal_bytes

PASSPHRASE = "correct horse battery staple"
CHEAP = ScryptCost(n=2)
ROOT = SecretKey(bytes(range(32)))
SECRET = SecretKey(bytes(range(32, 64)))
CASE = Context(Purpose.CASE_KEY, "practice", "case")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    LocalKeyring.init(tmp_path / "keyring", PASSPHRASE, CHEAP)
    return tmp_path / "keyring"


def rewritten(path: Path, **changes: Any) -> None:
    document = json.loads(path.read_bytes())
    kdf = document["kdf"] | changes.pop("kdf", {})
    path.write_text(json.dumps(document | {"kdf": kdf} | changes))


async def test_the_files_are_readable_by_their_owner_alone(path: Path) -> None:
    keyring = LocalKeyring.open(path, PASSPHRASE)
    await keyring.create("practice", 1)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {"keyring": 0o600, "keyring.lock": 0o600}


async def test_the_file_holds_nothing_in_the_clear(path: Path) -> None:
    keyring = LocalKeyring.open(path, PASSPHRASE)
    await keyring.create("practice", 1)
    raw = path.read_bytes()
    seeds = [(await keyring.signing_key(name)).seed.reveal() for name in ("log", "certificate")]
    keys = [keyring._root.reveal(), *(key.reveal() for key in keyring._keys.values()), *seeds]
    for secret in [*keys, b"practice", PASSPHRASE.encode()]:
        assert secret not in raw
        assert base64.b64encode(secret)[:-4] not in raw
        assert secret.hex().encode() not in raw


def test_the_cost_of_a_passphrase_is_128_mebibytes_unless_told_otherwise(tmp_path: Path) -> None:
    LocalKeyring.init(tmp_path / "keyring", PASSPHRASE)
    kdf = json.loads((tmp_path / "keyring").read_bytes())["kdf"]
    assert (kdf["name"], kdf["n"], kdf["r"], kdf["p"]) == ("scrypt", 131072, 8, 1)
    assert len(base64.b64decode(kdf["salt"])) == 32
    assert LocalKeyring.open(tmp_path / "keyring", PASSPHRASE)


def test_a_keyring_is_never_made_over_another(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(KeyringExistsError):
        LocalKeyring.init(path, PASSPHRASE, CHEAP)
    assert path.read_bytes() == before


def test_a_missing_keyring_is_said_to_be_missing_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyringMissingError):
        LocalKeyring.open(tmp_path / "keyring", PASSPHRASE)
    assert list(tmp_path.iterdir()) == []


async def test_a_keyring_that_vanishes_is_said_to_be_missing(path: Path) -> None:
    keyring = LocalKeyring.open(path, PASSPHRASE)
    path.unlink()
    with pytest.raises(KeyringMissingError):
        await keyring.versions("practice")


@pytest.mark.parametrize("wrong", ["", "correct horse", PASSPHRASE + " ", PASSPHRASE.title()])
def test_a_wrong_passphrase_is_refused_and_never_quoted(path: Path, wrong: str) -> None:
    with pytest.raises(PassphraseError) as caught:
        LocalKeyring.open(path, wrong)
    shown = "".join(traceback.format_exception(caught.value))
    assert not wrong or wrong not in shown
    assert caught.value.__cause__ is None


def test_an_empty_passphrase_makes_no_keyring(tmp_path: Path) -> None:
    with pytest.raises(PassphraseError):
        LocalKeyring.init(tmp_path / "keyring", "", CHEAP)
    assert list(tmp_path.iterdir()) == []


def test_the_same_passphrase_from_another_keyboard_opens(tmp_path: Path) -> None:
    LocalKeyring.init(tmp_path / "keyring", "Zoe\u0308", CHEAP)
    assert LocalKeyring.open(tmp_path / "keyring", "Zo\u00eb")


@pytest.mark.parametrize(
    "kdf",
    [
        {"n": 2**40},
        {"n": 2**18, "r": 2**10},
        {"p": 2**20},
        {"n": 3},
        {"n": 1},
        {"n": 0},
        {"n": -2},
        {"r": 0},
        {"n": 2.0},
        {"n": True},
        {"n": "2"},
        {"name": "md5"},
        {"salt": "!"},
        {"salt": None},
    ],
)
def test_a_cost_that_would_exhaust_the_machine_is_refused(path: Path, kdf: dict[str, Any]) -> None:
    rewritten(path, kdf=kdf)
    with pytest.raises(KeyringFormatError):
        LocalKeyring.open(path, PASSPHRASE)


@pytest.mark.parametrize("field", ["root", "sealed", "kdf", "format"])
def test_an_altered_file_does_not_open(path: Path, field: str) -> None:
    document = json.loads(path.read_bytes())
    salt = document["kdf"]["salt"]
    flipped = {
        "root": {"root": document["root"].swapcase()},
        "sealed": {"sealed": document["sealed"].swapcase()},
        "kdf": {"kdf": {"salt": salt.swapcase()}},
        "format": {"format": 2},
    }
    rewritten(path, **flipped[field])
    with pytest.raises((PassphraseError, KeyringFormatError)):
        LocalKeyring.open(path, PASSPHRASE)


@given(st.binary(max_size=60) | st.sampled_from([b"[" * 100_000, b"{}", b"[]", b"null", b"1"]))
def test_what_is_no_keyring_is_refused(raw: bytes) -> None:
    with pytest.raises(KeyringFormatError):
        Keyfile.parse(raw)


@pytest.mark.parametrize(
    "inside",
    [
        b"",
        b"[]",
        b"{}",
        b'{"generation": -1, "controllers": {}, "signing": {}}',
        b'{"generation": 1, "controllers": [], "signing": {}}',
        b'{"generation": 1, "controllers": {"c": {"newest": 1, "keys": {"1": "AA=="}}}}',
        b'{"generation": 1, "controllers": {"c": {"newest": "1", "keys": {}}}, "signing": {}}',
        b'{"generation": 1, "controllers": {}, "signing": {"log": 1}}',
    ],
)
def test_contents_that_are_not_understood_are_refused_without_quoting_them(inside: bytes) -> None:
    sealed = seal_bytes(ROOT, inside, Context(Purpose.KEYRING, ""))
    with pytest.raises(KeyringFormatError, match="not understood") as caught:
        Contents.unseal(ROOT, sealed)
    assert caught.value.__cause__ is None


def test_contents_come_back_as_they_were_sealed() -> None:
    controllers = {"a": Versions(3, {1: SecretKey.generate(), 3: ROOT}), "b": Versions(2, {})}
    contents = Contents(7, controllers, {"log": SecretKey.generate()})
    assert Contents.unseal(ROOT, contents.seal(ROOT)) == contents
    assert "SecretKey(...)" in repr(contents)


async def test_an_older_file_put_back_is_refused(path: Path) -> None:
    keyring = LocalKeyring.open(path, PASSPHRASE)
    await keyring.create("practice", 1)
    shutil.copy(path, path.with_name("copy"))
    await keyring.destroy("practice", 1)
    path.with_name("copy").rename(path)
    with pytest.raises(KeyringFormatError, match="older"):
        await keyring.versions("practice")
    with pytest.raises(KeyringFormatError, match="older"):
        await keyring.create("practice", 2)


async def test_a_running_keyring_survives_another_passphrase(path: Path) -> None:
    keyring = LocalKeyring.open(path, PASSPHRASE)
    contents = Contents.unseal(keyring._root, Keyfile.parse(path.read_bytes()).sealed)
    renewed = lock_up(keyring._root, contents, "another", bytes(32), CHEAP)
    path.write_bytes(renewed.encode())

    await keyring.create("practice", 1)

    assert await LocalKeyring.open(path, "another").versions("practice") == {1}
    with pytest.raises(PassphraseError):
        LocalKeyring.open(path, PASSPHRASE)


async def test_a_forgotten_key_is_no_longer_in_memory(path: Path) -> None:
    keyring = LocalKeyring.open(path, PASSPHRASE)
    await keyring.create("practice", 1)
    await keyring.forget("practice", 1)
    assert await keyring.versions("practice") == {1}
    assert keyring._keys == {}


async def test_a_key_destroyed_elsewhere_leaves_memory_with_the_next_reading(path: Path) -> None:
    keyring, other = LocalKeyring.open(path, PASSPHRASE), LocalKeyring.open(path, PASSPHRASE)
    await keyring.create("practice", 1)
    wrapped = await keyring.wrap(1, ROOT, CASE)
    await other.destroy("practice", 1)
    assert await keyring.versions("practice") == frozenset()
    with pytest.raises(UnknownKeyVersionError):
        await keyring.unwrap(1, wrapped, CASE)


async def test_waiting_for_the_lock_does_not_hold_up_the_event_loop(path: Path) -> None:
    keyring, loop = LocalKeyring.open(path, PASSPHRASE), asyncio.get_running_loop()

    with locked(path):
        creating = loop.create_task(keyring.create("practice", 1))
        reading = loop.create_task(keyring.versions("practice"))
        done, _ = await asyncio.wait([creating, reading], timeout=0.05)
        assert not done
    await creating
    assert await reading in ({1}, frozenset())


async def test_a_process_that_holds_the_old_root_key_takes_the_new_one_over(path: Path) -> None:
    running, renewing = LocalKeyring.open(path, PASSPHRASE), LocalKeyring.open(path, PASSPHRASE)
    await running.create("practice", 1)
    wrapped = await running.wrap(1, SECRET, CASE)
    before = await running.edition()

    await renewing.renew_root(PASSPHRASE)

    assert await renewing.edition() not in {"", before}
    assert await running.edition() == await renewing.edition()
    await renewing.forget_root()
    await running.create("practice", 2)
    assert await running.unwrap(1, wrapped, CASE) == SECRET
    assert await LocalKeyring.open(path, PASSPHRASE).versions("practice") == {1, 2}


async def test_a_root_key_that_was_let_go_opens_nothing_and_a_thief_of_it_neither(
    path: Path,
) -> None:
    thief, renewing = LocalKeyring.open(path, PASSPHRASE), LocalKeyring.open(path, PASSPHRASE)

    await renewing.renew_root("a new passphrase")
    await renewing.forget_root()
    await renewing.forget_root()

    with pytest.raises(KeyringFormatError):
        await thief.versions("practice")
    with pytest.raises(PassphraseError):
        LocalKeyring.open(path, PASSPHRASE)
    assert await LocalKeyring.open(path, "a new passphrase").versions("practice") == frozenset()


async def test_a_root_key_rotation_that_broke_off_goes_on_with_the_same_root(path: Path) -> None:
    running, renewing = LocalKeyring.open(path, PASSPHRASE), LocalKeyring.open(path, PASSPHRASE)
    await renewing.renew_root("a new passphrase")

    again = LocalKeyring.open(path, "a new passphrase")
    await again.renew_root("a third passphrase")

    assert await running.edition() == await again.edition()
    await again.forget_root()
    assert await running.versions("practice") == frozenset()
    with pytest.raises(PassphraseError):
        LocalKeyring.open(path, "a new passphrase")


async def test_a_succession_that_was_altered_hands_nothing_over(path: Path) -> None:
    running, renewing = LocalKeyring.open(path, PASSPHRASE), LocalKeyring.open(path, PASSPHRASE)
    await renewing.renew_root(PASSPHRASE)
    document = json.loads(path.read_bytes())
    document["succession"] = document["root"]
    path.write_text(json.dumps(document))

    with pytest.raises(KeyringFormatError):
        await running.versions("practice")
