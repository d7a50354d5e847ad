from pathlib import Path

import pytest

from keys.context import Context, Purpose
from keys.errors import UnknownKeyVersionError, UnsealError
from keys.keyring import Keyring
from keys.providers.keyfile import ScryptCost
from keys.providers.local import LocalKeyring
from keys.secret import SecretKey

CASE = Context(Purpose.CASE_KEY, "practice", "case")
FILE = Context(Purpose.FILE_KEY, "practice", "case", "file")
SECRET = SecretKey(bytes(range(32)))


class Book:
    """Counts what was unwrapped, and can refuse to."""

    def __init__(self) -> None:
        self.counted: list[Purpose] = []
        self.closed = False

    def count(self, purpose: Purpose) -> None:
        if self.closed:
            raise ConnectionError
        self.counted.append(purpose)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
async def keyring(tmp_path: Path, book: Book) -> Keyring:
    provider = LocalKeyring.init(tmp_path / "keyring", "correct horse", ScryptCost(n=2))
    await provider.create("practice", 1)
    return Keyring(provider, book.count)


async def test_every_key_handed_out_is_counted_by_its_purpose(keyring: Keyring, book: Book) -> None:
    wrapped_case = await keyring.wrap(1, SECRET, CASE)
    wrapped_file = keyring.wrap_file_key(SECRET, SECRET, FILE)
    assert book.counted == []

    assert await keyring.unwrap(1, wrapped_case, CASE) == SECRET
    assert keyring.unwrap_file_key(SECRET, wrapped_file, FILE) == SECRET
    assert book.counted == [Purpose.CASE_KEY, Purpose.FILE_KEY]


async def test_what_did_not_open_is_not_counted(keyring: Keyring, book: Book) -> None:
    wrapped = await keyring.wrap(1, SECRET, CASE)
    with pytest.raises(UnsealError):
        await keyring.unwrap(1, wrapped, FILE)
    with pytest.raises(UnknownKeyVersionError):
        await keyring.unwrap(2, wrapped, CASE)
    with pytest.raises(UnsealError):
        keyring.unwrap_file_key(SECRET, wrapped, CASE)
    assert book.counted == []


async def test_a_key_that_cannot_be_counted_is_not_handed_out(keyring: Keyring, book: Book) -> None:
    wrapped = await keyring.wrap(1, SECRET, CASE)
    book.closed = True
    with pytest.raises(ConnectionError):
        await keyring.unwrap(1, wrapped, CASE)
    with pytest.raises(ConnectionError):
        keyring.unwrap_file_key(SECRET, keyring.wrap_file_key(SECRET, SECRET, FILE), FILE)


async def test_a_rewrap_hands_out_no_key_and_is_not_counted(keyring: Keyring, book: Book) -> None:
    await keyring.create("practice", 2)
    wrapped = await keyring.wrap(1, SECRET, CASE)
    assert len(await keyring.rewrap(1, 2, [(wrapped, CASE)])) == 1
    assert book.counted == []
