"""What is on the token, and what two processes that share it may do to each other."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.exceptions import PKCS11Error

from keys.context import Context, Purpose
from keys.errors import ProviderUnavailableError, UnknownKeyVersionError, UnsealError
from keys.providers.cryptoki import Login
from keys.providers.hsm import Pkcs11Hsm
from keys.secret import SecretKey
from tests.softhsm import LABEL, SoftHsm, fresh_token

CASE = Context(Purpose.CASE_KEY, "practice", "case")
SECRET = SecretKey(bytes(range(32)))
PLACE: Mapping[Attribute, Any] = {Attribute.LABEL: "kluis/controller/practice"}
ONE = (1).to_bytes(8)

CHILD = """
import asyncio, json, sys
from pathlib import Path
from keys.context import Context, Purpose
from keys.providers.hsm import Pkcs11Hsm
from keys.secret import SecretKey

async def main(module, pin_file, task):
    hsm = Pkcs11Hsm(Path(module), "kluis", Path(pin_file))
    await hsm.check()
    print("ready", flush=True)
    sys.stdin.readline()
    if task == "destroy":
        await hsm.destroy("practice", 1)
        return
    await hsm.create("practice", 1)
    secret, case = SecretKey(bytes(range(32))), Context(Purpose.CASE_KEY, "practice", "case")
    print((await hsm.wrap(1, secret, case)).hex(), flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def token(tmp_path: Path) -> AsyncIterator[SoftHsm]:
    with fresh_token(tmp_path) as token:
        await token.set_up()
        yield token


@pytest.fixture
async def hsm(token: SoftHsm) -> AsyncIterator[Pkcs11Hsm]:
    hsm = token.provider()
    await hsm.create("practice", 1)
    yield hsm
    await hsm.close()


@contextmanager
def session(token: SoftHsm) -> Iterator[pkcs11.Session]:
    """Another program's session, in the login that this process has."""
    found = pkcs11.lib(str(token.module)).get_token(token_label=LABEL)
    with found.open(rw=True) as session:
        yield session


@contextmanager
def child(token: SoftHsm, task: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, logged in and waiting for a line."""
    command = [sys.executable, "-c", CHILD, str(token.module), str(token.pin_file), task]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process


def objects(session: pkcs11.Session, kind: ObjectClass | None = None) -> list[pkcs11.Object]:
    template = {**PLACE, **({} if kind is None else {Attribute.CLASS: kind})}
    return list(session.get_objects(template))


def add_twin(session: pkcs11.Session) -> None:
    """What another process leaves that created version 1 at the same moment."""
    Login(session, make_root=False).generate("kluis/controller/practice", ONE)


async def test_a_controller_key_never_leaves_the_token(hsm: Pkcs11Hsm, token: SoftHsm) -> None:
    with session(token) as other:
        (key,) = objects(other)
        for attribute, expected in {
            Attribute.SENSITIVE: True,
            Attribute.ALWAYS_SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.NEVER_EXTRACTABLE: True,
            Attribute.PRIVATE: True,
            Attribute.LOCAL: True,
            Attribute.WRAP: False,
            Attribute.DERIVE: False,
            Attribute.COPYABLE: False,
            Attribute.MODIFIABLE: False,
            Attribute.VALUE_LEN: 32,
        }.items():
            assert key[attribute] == expected, attribute
        with pytest.raises(PKCS11Error):
            key[Attribute.VALUE]
        with pytest.raises(PKCS11Error):
            key[Attribute.EXTRACTABLE] = True
        with pytest.raises(PKCS11Error):
            key.copy({Attribute.LABEL: "kept aside"})
        wrapper = other.generate_key(KeyType.AES, 256)
        with pytest.raises(PKCS11Error):
            wrapper.wrap_key(key)  # type: ignore[attr-defined]


async def test_the_root_key_never_leaves_the_token(hsm: Pkcs11Hsm, token: SoftHsm) -> None:
    with session(token) as other:
        (root,) = other.get_objects({Attribute.LABEL: "kluis/root"})
        assert not root[Attribute.EXTRACTABLE]
        with pytest.raises(PKCS11Error):
            root[Attribute.VALUE]


async def test_without_the_pin_there_is_nothing_to_see(hsm: Pkcs11Hsm, token: SoftHsm) -> None:
    await hsm.close()
    with session(token) as other:
        assert list(other.get_objects()) == []


async def test_the_seeds_are_on_the_token_under_its_root_key_alone(
    hsm: Pkcs11Hsm, token: SoftHsm
) -> None:
    seed = (await hsm.signing_key("log")).seed.reveal()
    with session(token) as other:
        (kept,) = other.get_objects({Attribute.LABEL: "kluis/signing"})
        assert seed not in kept[Attribute.VALUE]


async def test_a_destroyed_key_is_gone_from_the_token(hsm: Pkcs11Hsm, token: SoftHsm) -> None:
    before = token.objects()
    await hsm.create("practice", 2)
    (file,) = token.objects() - before

    await hsm.destroy("practice", 2)

    assert not file.exists()
    with session(token) as other:
        (key,) = objects(other, ObjectClass.SECRET_KEY)
        assert key[Attribute.ID] == ONE


async def test_a_wrapped_key_is_plain_aes_gcm_with_the_context_as_associated_data(
    hsm: Pkcs11Hsm, token: SoftHsm
) -> None:
    material, nonce = bytes(range(100, 132)), bytes(12)
    with session(token) as other:
        other.create_object(
            {
                Attribute.CLASS: ObjectClass.SECRET_KEY,
                Attribute.KEY_TYPE: KeyType.AES,
                Attribute.TOKEN: True,
                Attribute.LABEL: "kluis/controller/known",
                Attribute.ID: ONE,
                Attribute.VALUE: material,
            }
        )
    case = Context(Purpose.CASE_KEY, "known", "case")
    wrapped = await hsm.wrap(1, SECRET, case)

    judge = AESGCM(material)
    assert judge.decrypt(wrapped[:12], wrapped[12:], case.encode()) == SECRET.reveal()
    written = nonce + judge.encrypt(nonce, SECRET.reveal(), case.encode())
    assert len(wrapped) == len(written) == 60
    assert await hsm.unwrap(1, written, case) == SECRET


async def test_a_key_that_another_process_destroyed_opens_nothing(
    hsm: Pkcs11Hsm, token: SoftHsm
) -> None:
    wrapped = await hsm.wrap(1, SECRET, CASE)
    assert await hsm.unwrap(1, wrapped, CASE) == SECRET  # the handle is known from here on
    with child(token, "destroy") as process:
        process.communicate("\n")

    with pytest.raises(UnknownKeyVersionError):
        await hsm.unwrap(1, wrapped, CASE)
    assert await hsm.versions("practice") == frozenset()


async def test_a_version_whose_handle_is_known_is_forgotten_as_well(hsm: Pkcs11Hsm) -> None:
    wrapped = await hsm.wrap(1, SECRET, CASE)
    assert await hsm.unwrap(1, wrapped, CASE) == SECRET
    await hsm.forget("practice", 1)
    with pytest.raises(UnknownKeyVersionError):
        await hsm.unwrap(1, wrapped, CASE)


async def test_processes_that_create_a_version_at_once_lose_nothing(token: SoftHsm) -> None:
    with child(token, "create") as first, child(token, "create") as second:
        for process in (first, second):
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        wrapped = [bytes.fromhex(process.communicate()[0]) for process in (first, second)]
    hsm = token.provider()
    for one in wrapped:
        assert await hsm.unwrap(1, one, CASE) == SECRET
    assert await hsm.versions("practice") == {1}
    await hsm.close()


async def test_what_was_wrapped_under_twins_opens_moves_and_dies_as_one_version(
    hsm: Pkcs11Hsm, token: SoftHsm
) -> None:
    first = await hsm.wrap(1, SECRET, CASE)
    await hsm.unwrap(1, first, CASE)
    with session(token) as other:
        add_twin(other)
        for key in objects(other):
            wrapped = Login(other, make_root=False).wrap(key, SECRET, CASE)  # type: ignore[arg-type]
            assert await hsm.unwrap(1, wrapped, CASE) == SECRET
    await hsm.create("practice", 2)
    moved = await hsm.rewrap(1, 2, [(first, CASE), (wrapped, CASE)])
    assert [await hsm.unwrap(2, one, CASE) for one in moved] == [SECRET, SECRET]

    await hsm.destroy("practice", 1)

    with session(token) as other:
        assert [key[Attribute.ID] for key in objects(other)] == [(2).to_bytes(8)]


@pytest.mark.parametrize("follower", [False, True])
async def test_a_number_that_was_used_up_while_a_key_was_made_is_given_back(
    hsm: Pkcs11Hsm, token: SoftHsm, monkeypatch: pytest.MonkeyPatch, follower: bool
) -> None:
    generate = Login.generate

    def slow(login: Login, label: str, number: bytes) -> pkcs11.SecretKey:
        # Meanwhile, another process: creates 2, and 3 if it has a follower, and destroys 2.
        key = generate(login, label, number)
        if follower:
            generate(login, label, (3).to_bytes(8))
        else:
            login.keep(label, number)
        return key

    monkeypatch.setattr(Login, "generate", slow)
    with pytest.raises(UnknownKeyVersionError):
        await hsm.create("practice", 2)
    assert await hsm.versions("practice") == ({1, 3} if follower else {1})


async def test_a_key_made_beside_a_twin_that_lives_stays(
    hsm: Pkcs11Hsm, token: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate = Login.generate

    def slow(login: Login, label: str, number: bytes) -> pkcs11.SecretKey:
        generate(login, label, number)
        generate(login, label, (3).to_bytes(8))
        return generate(login, label, number)

    monkeypatch.setattr(Login, "generate", slow)
    await hsm.create("practice", 2)
    with session(token) as other:
        assert sorted(key[Attribute.ID][-1] for key in objects(other)) == [1, 2, 2, 3]


async def test_the_token_keeps_one_mark_of_what_was_destroyed_at_the_most(
    hsm: Pkcs11Hsm, token: SoftHsm
) -> None:
    for version in range(2, 5):
        await hsm.destroy("practice", version - 1)
        await hsm.create("practice", version)
        with pytest.raises(UnknownKeyVersionError):
            await hsm.create("practice", version - 1)
    await hsm.destroy("practice", 4)
    with session(token) as other:
        (mark,) = objects(other)
        assert mark[Attribute.VALUE] == (4).to_bytes(8)


async def test_a_version_that_was_never_the_newest_to_go_needs_no_mark(
    hsm: Pkcs11Hsm, token: SoftHsm
) -> None:
    await hsm.create("practice", 2)
    await hsm.destroy("practice", 1)
    with session(token) as other:
        assert objects(other, ObjectClass.DATA) == []


async def test_a_destruction_that_broke_off_after_its_mark_is_completed(
    hsm: Pkcs11Hsm, token: SoftHsm
) -> None:
    with session(token) as other:
        Login(other, make_root=False).keep("kluis/controller/practice", ONE)
    assert await hsm.versions("practice") == {1}

    await hsm.destroy("practice", 1)

    assert await hsm.versions("practice") == frozenset()
    with pytest.raises(UnknownKeyVersionError):
        await hsm.create("practice", 1)
    with session(token) as other:
        assert len(objects(other)) == 1


async def test_a_token_that_keeps_what_it_said_it_destroyed_is_not_believed(
    hsm: Pkcs11Hsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pkcs11._pkcs11.Object.destroy", lambda _: None)
    with pytest.raises(ProviderUnavailableError):
        await hsm.destroy("practice", 1)


async def test_a_token_at_fault_is_not_taken_for_altered_bytes(
    hsm: Pkcs11Hsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = await hsm.wrap(1, SECRET, CASE)

    def fail(*_: object) -> SecretKey:
        raise PKCS11Error

    monkeypatch.setattr(Login, "_decrypt", fail)
    with pytest.raises(ProviderUnavailableError):
        await hsm.unwrap(1, wrapped, CASE)
    monkeypatch.undo()
    with pytest.raises(UnsealError):
        await hsm.unwrap(1, bytes(60), CASE)


async def test_others_are_served_between_two_batches_of_a_rewrap(hsm: Pkcs11Hsm) -> None:
    await hsm.create("practice", 2)
    items = [(await hsm.wrap(1, SECRET, CASE), CASE)] * 500
    rewrap = asyncio.create_task(hsm.rewrap(1, 2, items))
    await asyncio.sleep(0)
    await hsm.check()
    assert not rewrap.done()
    assert len(await rewrap) == 500


async def test_one_bad_moment_of_a_token_is_not_taken_for_an_altered_key(
    hsm: Pkcs11Hsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = await hsm.wrap(1, SECRET, CASE)
    whole, bad = Login._decrypt, 1

    def stumbles(login: Login, *arguments: Any) -> SecretKey:
        nonlocal bad
        bad -= 1
        if bad >= 0:
            raise PKCS11Error
        return whole(login, *arguments)

    monkeypatch.setattr(Login, "_decrypt", stumbles)
    assert await hsm.unwrap(1, wrapped, CASE) == SECRET
    assert bad < 0


async def test_a_job_that_broke_off_is_done_once_more_in_a_fresh_login(hsm: Pkcs11Hsm) -> None:
    logins: list[Login] = []

    def breaks_off(login: Login) -> int:
        logins.append(login)
        if len(logins) == 1:
            raise PKCS11Error
        return len(logins)

    assert await hsm._token.run(breaks_off) == 2
    assert logins[0] is not logins[1]
