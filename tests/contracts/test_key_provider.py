"""What every KeyProvider promises; a new one joins with a factory in PROVIDERS."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from keys.context import Context, Purpose
from keys.errors import UnknownKeyVersionError, UnknownSigningKeyError, UnsealError
from keys.keyring import Keyring
from keys.providers import KeyProvider
from keys.providers.keyfile import Contents, ScryptCost
from keys.providers.local import LocalKeyring
from keys.providers.successor import AdoptingProvider, Successor
from keys.secret import SecretKey
from keys.signing import Verifier
from tests.softhsm import fresh_token

Connect = Callable[[], KeyProvider]
"""Opens the same store once more, as another process would."""


Store = Callable[[pytest.FixtureRequest, Path], AbstractAsyncContextManager[Connect]]
"""A fresh store that is set up; what was connected is closed at its end."""


@asynccontextmanager
async def local(_: pytest.FixtureRequest, directory: Path) -> AsyncIterator[Connect]:
    path = directory / "keyring"
    LocalKeyring.init(path, "correct horse", ScryptCost(n=2))
    async with closing(lambda: LocalKeyring.open(path, "correct horse")) as connect:
        yield connect


@asynccontextmanager
async def counted(request: pytest.FixtureRequest, directory: Path) -> AsyncIterator[Connect]:
    async with local(request, directory) as connect:
        yield lambda: Keyring(connect(), lambda _: None)


@asynccontextmanager
async def openbao(request: pytest.FixtureRequest, _: Path) -> AsyncIterator[Connect]:
    mount = request.getfixturevalue("mount")
    await mount.set_up()
    async with closing(mount.provider) as connect:
        yield connect


@asynccontextmanager
async def pkcs11(_: pytest.FixtureRequest, directory: Path) -> AsyncIterator[Connect]:
    with fresh_token(directory) as token:
        await token.set_up()
        async with closing(token.provider) as connect:
            yield connect


def succession(*, adopted: bool) -> Store:
    """From a local keyring to OpenBao, at the one moment or the other."""

    @asynccontextmanager
    async def store(request: pytest.FixtureRequest, directory: Path) -> AsyncIterator[Connect]:
        mount = request.getfixturevalue("mount")
        async with (
            local(request, directory) as before,
            closing(lambda: Successor(before(), mount.provider())) as connect,
        ):
            if adopted:
                await cast(Successor, connect()).adopt()
            yield connect

    return store


@asynccontextmanager
async def local_then_pkcs11(
    request: pytest.FixtureRequest, directory: Path
) -> AsyncIterator[Connect]:
    with fresh_token(directory) as token:
        async with (
            local(request, directory) as before,
            closing(lambda: Successor(before(), token.provider())) as connect,
        ):
            await cast(Successor, connect()).adopt()
            yield connect


@asynccontextmanager
async def pkcs11_then_local(
    request: pytest.FixtureRequest, directory: Path
) -> AsyncIterator[Connect]:
    path = directory / "keyring"
    LocalKeyring.restore(path, "correct horse", Contents(1, {}, {}), ScryptCost(n=2))
    async with (
        pkcs11(request, directory) as before,
        closing(lambda: Successor(before(), LocalKeyring.open(path, "correct horse"))) as connect,
    ):
        await cast(Successor, connect()).adopt()
        yield connect


@asynccontextmanager
async def closing(connect: Connect) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        def connected() -> KeyProvider:
            provider = connect()
            stack.push_async_callback(provider.close)
            return provider

        yield connected


PROVIDERS: dict[str, Store] = {
    "local": local,
    "keyring before local": counted,
    "openbao": openbao,
    "pkcs11": pkcs11,
    "local, to become openbao": succession(adopted=False),
    "local then openbao": succession(adopted=True),
    "local then pkcs11": local_then_pkcs11,
    "pkcs11 then local": pkcs11_then_local,
}

CASE = Context(Purpose.CASE_KEY, "practice", "case")
SECRET = SecretKey(bytes(range(32)))


@pytest.fixture(params=PROVIDERS)
async def connect(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connect]:
    async with PROVIDERS[request.param](request, tmp_path) as connect:
        yield connect


@pytest.fixture
async def provider(connect: Connect) -> KeyProvider:
    provider = connect()
    await provider.create("practice", 1)
    return provider


def test_a_provider_says_its_name_and_what_it_cannot_destroy(provider: KeyProvider) -> None:
    assert provider.name
    assert provider.residual.startswith("Such copies are ")


async def test_a_provider_that_can_serve_says_so(provider: KeyProvider) -> None:
    await provider.check()


async def test_a_wrapped_key_comes_back(provider: KeyProvider) -> None:
    wrapped = await provider.wrap(1, SECRET, CASE)
    assert SECRET.reveal() not in wrapped
    assert await provider.unwrap(1, wrapped, CASE) == SECRET


async def test_no_two_wraps_are_alike(provider: KeyProvider) -> None:
    assert await provider.wrap(1, SECRET, CASE) != await provider.wrap(1, SECRET, CASE)


async def test_a_wrapped_key_opens_in_no_other_place(provider: KeyProvider) -> None:
    await provider.create("other", 1)
    await provider.create("practice", 2)
    wrapped = await provider.wrap(1, SECRET, CASE)
    for elsewhere in (
        replace(CASE, purpose=Purpose.UPLOAD_KEY),
        replace(CASE, controller_id="other"),
        replace(CASE, case_id="other"),
        replace(CASE, object_id="other"),
    ):
        with pytest.raises(UnsealError):
            await provider.unwrap(1, wrapped, elsewhere)
    with pytest.raises(UnsealError):
        await provider.unwrap(2, wrapped, CASE)


async def test_an_altered_wrapped_key_does_not_open(provider: KeyProvider) -> None:
    wrapped = await provider.wrap(1, SECRET, CASE)
    for place in range(len(wrapped)):
        altered = bytearray(wrapped)
        altered[place] ^= 1
        with pytest.raises(UnsealError):
            await provider.unwrap(1, bytes(altered), CASE)
    for hostile in (b"", wrapped[:-1], wrapped + b"\0", bytes(len(wrapped))):
        with pytest.raises(UnsealError):
            await provider.unwrap(1, hostile, CASE)


async def test_a_version_that_never_existed_is_unknown(provider: KeyProvider) -> None:
    wrapped = await provider.wrap(1, SECRET, CASE)
    stranger = replace(CASE, controller_id="stranger")
    for version, context in ((2, CASE), (0, CASE), (1, stranger)):
        with pytest.raises(UnknownKeyVersionError):
            await provider.unwrap(version, wrapped, context)
        with pytest.raises(UnknownKeyVersionError):
            await provider.wrap(version, SECRET, context)


async def test_creating_what_is_there_changes_nothing(provider: KeyProvider) -> None:
    wrapped = await provider.wrap(1, SECRET, CASE)
    await provider.create("practice", 1)
    assert await provider.unwrap(1, wrapped, CASE) == SECRET
    assert await provider.versions("practice") == {1}


async def test_what_was_created_is_there_after_a_restart(
    provider: KeyProvider, connect: Connect
) -> None:
    wrapped = await provider.wrap(1, SECRET, CASE)
    again = connect()
    assert await again.versions("practice") == {1}
    assert await again.unwrap(1, wrapped, CASE) == SECRET


async def test_what_another_process_created_is_found(
    provider: KeyProvider, connect: Connect
) -> None:
    other = connect()
    await other.create("practice", 2)
    await other.create("new practice", 1)
    wrapped = await other.wrap(2, SECRET, CASE)

    assert await provider.unwrap(2, wrapped, CASE) == SECRET
    assert await provider.versions("practice") == {1, 2}
    assert await provider.wrap(1, SECRET, replace(CASE, controller_id="new practice"))


async def test_a_batch_moves_to_the_new_version_in_order(provider: KeyProvider) -> None:
    await provider.create("practice", 2)
    contexts = [replace(CASE, case_id=f"case {number}") for number in range(500)]
    secrets = [SecretKey.generate() for _ in contexts]
    old = [
        await provider.wrap(1, secret, context)
        for secret, context in zip(secrets, contexts, strict=True)
    ]

    new = await provider.rewrap(1, 2, list(zip(old, contexts, strict=True)))

    for secret, context, before, after in zip(secrets, contexts, old, new, strict=True):
        assert await provider.unwrap(2, after, context) == secret
        assert await provider.unwrap(1, before, context) == secret
    assert await provider.rewrap(1, 2, []) == []


async def test_a_batch_of_two_controllers_is_refused(provider: KeyProvider) -> None:
    await provider.create("other", 1)
    other = replace(CASE, controller_id="other")
    items = [(await provider.wrap(1, SECRET, context), context) for context in (CASE, other)]
    with pytest.raises(ValueError, match="one controller"):
        await provider.rewrap(1, 1, items)


async def test_one_bad_item_fails_its_batch(provider: KeyProvider) -> None:
    await provider.create("practice", 2)
    good = await provider.wrap(1, SECRET, CASE)
    moved = replace(CASE, case_id="other")
    with pytest.raises(UnsealError):
        await provider.rewrap(1, 2, [(good, CASE), (good, moved)])
    for old, new in ((1, 3), (3, 2)):
        with pytest.raises(UnknownKeyVersionError):
            await provider.rewrap(old, new, [(good, CASE)])


async def test_a_destroyed_version_opens_nothing_and_never_returns(
    provider: KeyProvider, connect: Connect
) -> None:
    await provider.create("practice", 2)
    wrapped = await provider.wrap(1, SECRET, CASE)
    kept = await provider.wrap(2, SECRET, CASE)

    await provider.destroy("practice", 1)
    await provider.destroy("practice", 1)

    for process in (provider, connect()):
        with pytest.raises(UnknownKeyVersionError):
            await process.unwrap(1, wrapped, CASE)
        with pytest.raises(UnknownKeyVersionError):
            await process.create("practice", 1)
        assert await process.versions("practice") == {2}
        assert await process.unwrap(2, kept, CASE) == SECRET


async def test_no_number_is_used_twice_after_the_last_version_is_destroyed(
    provider: KeyProvider, connect: Connect
) -> None:
    await provider.destroy("practice", 1)
    assert await provider.versions("practice") == frozenset()
    with pytest.raises(UnknownKeyVersionError):
        await connect().create("practice", 1)
    await provider.create("practice", 2)
    assert await provider.versions("practice") == {2}


async def test_destroying_what_is_not_there_is_no_error(provider: KeyProvider) -> None:
    await provider.destroy("practice", 7)
    await provider.destroy("stranger", 1)
    assert await provider.versions("practice") == {1}
    assert await provider.versions("stranger") == frozenset()


async def test_a_forgotten_version_is_gone_from_this_process_alone(
    provider: KeyProvider, connect: Connect
) -> None:
    wrapped = await provider.wrap(1, SECRET, CASE)
    await provider.forget("practice", 1)

    # Each of these would be an occasion to load it again.
    await provider.create("practice", 1)
    await provider.create("practice", 2)
    assert await provider.versions("practice") == {1, 2}
    with pytest.raises(UnknownKeyVersionError):
        await provider.unwrap(1, wrapped, CASE)
    with pytest.raises(UnknownKeyVersionError):
        await provider.wrap(1, SECRET, CASE)
    with pytest.raises(UnknownKeyVersionError):
        await provider.rewrap(1, 2, [(wrapped, CASE)])
    assert await connect().unwrap(1, wrapped, CASE) == SECRET


async def test_changes_made_at_once_are_all_kept(provider: KeyProvider, connect: Connect) -> None:
    other = connect()
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task((provider, other)[number % 2].create(f"practice {number}", 1))
    for number in range(20):
        assert await provider.versions(f"practice {number}") == {1}


@pytest.mark.parametrize("name", ["log", "certificate"])
async def test_a_signing_key_is_the_same_in_every_process(
    provider: KeyProvider, connect: Connect, name: str
) -> None:
    key, again = await provider.signing_key(name), await connect().signing_key(name)
    assert key.name == name
    assert key.verifier == again.verifier
    Verifier.parse(key.verifier).verify(b"message", again.sign(b"message"))


async def test_the_newest_number_outlives_its_version(provider: KeyProvider) -> None:
    assert await provider.newest("practice") == 1
    await provider.create("practice", 5)
    await provider.destroy("practice", 5)
    assert await provider.newest("practice") == 5
    assert await provider.newest("stranger") == 0


async def test_a_version_has_one_keeper(provider: KeyProvider) -> None:
    wrapped = await provider.wrap(1, SECRET, CASE)
    keeper = await provider.keeper("practice", 1)
    assert keeper.name in {"local", "openbao", "pkcs11"}
    assert await keeper.unwrap(1, wrapped, CASE) == SECRET


@pytest.mark.parametrize("connect", ["local", "openbao", "pkcs11"], indirect=True)
async def test_signing_keys_are_replaced_in_every_process(
    provider: KeyProvider, connect: Connect
) -> None:
    other = cast(AdoptingProvider, connect())
    log, certificate = [await provider.signing_key(name) for name in ("log", "certificate")]
    with pytest.raises(UnknownSigningKeyError):
        await provider.signing_key("log-before")
    fresh = SecretKey.generate()
    seeds = {"log": fresh, "certificate": certificate.seed}

    await other.replace_signing({**seeds, "log-before": log.seed})
    assert (await provider.signing_key("log")).seed == fresh
    assert (await provider.signing_key("log-before")).seed == log.seed
    assert (await connect().signing_key("certificate")).seed == certificate.seed

    await other.replace_signing(seeds)
    assert (await provider.signing_key("log")).seed == fresh
    with pytest.raises(UnknownSigningKeyError):
        await provider.signing_key("log-before")


async def test_processes_with_the_same_keys_say_so(provider: KeyProvider, connect: Connect) -> None:
    edition = await provider.edition()
    assert provider.name in edition
    assert await connect().edition() == edition


async def test_signing_keys_differ_and_others_are_unknown(provider: KeyProvider) -> None:
    log, certificate = await provider.signing_key("log"), await provider.signing_key("certificate")
    assert log.seed != certificate.seed
    with pytest.raises(UnknownSigningKeyError):
        await provider.signing_key("other")
