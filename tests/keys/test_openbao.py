"""The provider on a real OpenBao, beyond what the contract suite asks of every provider."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.context import Context, Purpose
from keys.errors import (
    KeyringExistsError,
    KeyringMissingError,
    ProviderRefusedError,
    UnknownKeyVersionError,
    UnsealError,
)
from keys.providers.bao import POLICY, Answer, BaoClient, TokenFile
from keys.providers.openbao import OpenBao, _owner
from keys.secret import SecretKey
from tests.openbao import SIGNING, BaoMount

CASE = Context(Purpose.CASE_KEY, "practice", "case")
SECRET = SecretKey(bytes(range(32)))
NAME_OF_TRANSIT = re.compile(r"\w(([\w.-]+)?\w)?", re.ASCII)  # from its source: GenericNameRegex


@pytest.fixture
async def provider(mount: BaoMount) -> AsyncIterator[OpenBao]:
    provider = mount.provider()
    await provider.set_up(SIGNING)
    yield provider
    await provider.close()


@pytest.fixture
async def other(mount: BaoMount, provider: OpenBao) -> AsyncIterator[OpenBao]:
    """Another process; all that both have in common is the server."""
    other = mount.provider()
    yield other
    await other.close()


async def test_wrapped_bytes_are_the_ciphertext_alone(provider: OpenBao) -> None:
    await provider.create("practice", 1)
    wrapped = await provider.wrap(1, SECRET, CASE)
    assert len(wrapped) == 12 + 32 + 16  # nonce, key, tag


async def test_a_destroyed_version_is_deleted_on_the_server(
    provider: OpenBao, mount: BaoMount
) -> None:
    await provider.create("practice", 1)
    await provider.create("practice", 2)
    assert mount.keys() == {"c.practice.1", "c.practice.2"}

    await provider.destroy("practice", 1)

    assert mount.keys() == {"c.practice.2"}
    record = mount.server.admin("GET", f"{mount.name}/kv/data/controllers/c.practice")
    assert record["data"]["data"] == {"newest": 2, "living": [2], "going": []}


async def test_a_key_whose_first_version_was_locked_is_not_taken_for_altered_bytes(
    provider: OpenBao, mount: BaoMount
) -> None:
    await provider.create("practice", 1)
    await provider.create("practice", 2)
    wrapped = await provider.wrap(1, SECRET, CASE)
    key = f"{mount.name}/transit/keys/c.practice.1"
    mount.server.admin("POST", f"{key}/rotate")
    mount.server.admin("POST", f"{key}/config", {"min_decryption_version": 2})

    # An erasure that took this for altered keys would leave them behind, and destroy them.
    with pytest.raises(ProviderRefusedError, match="min_decryption_version"):
        await provider.rewrap(1, 2, [(wrapped, CASE)])
    with pytest.raises(ProviderRefusedError, match="min_decryption_version"):
        await provider.unwrap(1, wrapped, CASE)

    mount.server.admin("POST", f"{key}/config", {"min_decryption_version": 1})
    assert await provider.unwrap(1, wrapped, CASE) == SECRET


async def test_a_version_that_two_processes_create_at_once_is_one_key(
    provider: OpenBao, other: OpenBao
) -> None:
    for version in range(1, 6):
        creators = (provider, other) * 5
        await asyncio.gather(*(one.create("practice", version) for one in creators))
        wrapped = await provider.wrap(version, SECRET, CASE)
        assert await other.unwrap(version, wrapped, CASE) == SECRET
    assert await provider.versions("practice") == {1, 2, 3, 4, 5}


async def test_creating_and_destroying_at_once_leaves_no_key_outside_the_record(
    provider: OpenBao, other: OpenBao, mount: BaoMount
) -> None:
    for version in range(1, 21):
        await asyncio.gather(
            provider.create("practice", version),
            other.destroy("practice", version),
            other.create("practice", version),
            provider.destroy("practice", version),
            return_exceptions=True,  # either may come too late
        )
        versions = await provider.versions("practice")
        assert mount.keys() <= {f"c.practice.{number}" for number in versions}
        await provider.destroy("practice", version)
        assert mount.keys() == set()
        assert await other.versions("practice") == frozenset()


async def test_a_version_that_is_destroyed_while_it_is_made_stays_without_a_key(
    provider: OpenBao, other: OpenBao, mount: BaoMount, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = BaoClient.request

    async def late(client: BaoClient, method: str, path: str, *body: Any) -> Answer:
        if client is provider._client and path.endswith("transit/keys/c.practice.1"):
            await other.destroy("practice", 1)
        return await whole(client, method, path, *body)

    monkeypatch.setattr(BaoClient, "request", late)
    with pytest.raises(UnknownKeyVersionError):
        await provider.create("practice", 1)
    monkeypatch.undo()

    assert mount.keys() == set()
    assert await provider.versions("practice") == frozenset()


async def test_two_changes_at_once_are_both_kept(provider: OpenBao, other: OpenBao) -> None:
    await provider.create("practice", 1)
    for version in range(1, 11):
        await asyncio.gather(
            provider.destroy("practice", version), other.create("practice", version + 1)
        )
        assert await provider.versions("practice") == {version + 1}


async def test_destroying_at_once_is_destroying(
    provider: OpenBao, other: OpenBao, mount: BaoMount
) -> None:
    for version in range(1, 21):
        await provider.create("practice", version)
        await asyncio.gather(*(one.destroy("practice", version) for one in (provider, other) * 3))
        assert mount.keys() == set()
        assert await other.versions("practice") == frozenset()


async def test_a_creation_that_broke_off_is_completed(provider: OpenBao, mount: BaoMount) -> None:
    _write_record(mount, {"newest": 1, "living": [1], "going": []})
    with pytest.raises(UnknownKeyVersionError):
        await provider.wrap(1, SECRET, CASE)

    await provider.create("practice", 1)

    assert await provider.unwrap(1, await provider.wrap(1, SECRET, CASE), CASE) == SECRET


async def test_a_key_whose_creation_broke_off_can_be_destroyed(
    provider: OpenBao, mount: BaoMount
) -> None:
    _write_record(mount, {"newest": 1, "living": [1], "going": []})
    made = {"type": "aes256-gcm96"}  # and not yet allowed to be deleted
    mount.server.admin("POST", f"{mount.name}/transit/keys/c.practice.1", made)

    await provider.destroy("practice", 1)

    assert mount.keys() == set()


async def test_a_destruction_that_broke_off_is_listed_until_it_is_completed(
    provider: OpenBao, mount: BaoMount
) -> None:
    await provider.create("practice", 1)
    _write_record(mount, {"newest": 1, "living": [], "going": [1]})

    assert await provider.versions("practice") == {1}
    with pytest.raises(UnknownKeyVersionError):
        await provider.create("practice", 1)
    await provider.destroy("practice", 1)

    assert mount.keys() == set()
    assert await provider.versions("practice") == frozenset()


async def test_a_record_that_was_deleted_is_not_taken_for_a_new_practice(
    provider: OpenBao, mount: BaoMount
) -> None:
    await provider.create("practice", 1)
    mount.server.admin("DELETE", f"{mount.name}/kv/data/controllers/c.practice")

    for attempt in (provider.versions("practice"), provider.create("practice", 1)):
        with pytest.raises(ProviderRefusedError, match="undelete"):
            await attempt


async def test_wrapping_makes_no_key_even_with_a_token_that_may_do_everything(
    provider: OpenBao, mount: BaoMount, tmp_path: Path
) -> None:
    (tmp_path / "root").write_text(mount.server.root_token)
    almighty = mount.provider(TokenFile(tmp_path / "root"))
    with pytest.raises(UnknownKeyVersionError):
        await almighty.wrap(1, SECRET, CASE)
    assert mount.keys() == set()
    await almighty.close()


async def test_a_key_that_its_operator_rotated_still_wraps_under_its_first_version(
    provider: OpenBao, mount: BaoMount
) -> None:
    await provider.create("practice", 1)
    before = await provider.wrap(1, SECRET, CASE)
    mount.server.admin("POST", f"{mount.name}/transit/keys/c.practice.1/rotate")

    after = await provider.wrap(1, SECRET, CASE)

    assert await provider.unwrap(1, before, CASE) == SECRET
    assert await provider.unwrap(1, after, CASE) == SECRET


async def test_what_is_wrapped_there_and_no_key_does_not_open(
    provider: OpenBao, mount: BaoMount
) -> None:
    await provider.create("practice", 1)
    place = f"{mount.name}/transit/encrypt/c.practice.1"
    aad = base64.b64encode(CASE.encode()).decode()
    made = mount.server.admin("POST", place, {"plaintext": "c2hvcnQ=", "associated_data": aad})
    foreign = base64.b64decode(made["data"]["ciphertext"].removeprefix("vault:v1:"))

    with pytest.raises(UnsealError):
        await provider.unwrap(1, foreign, CASE)


async def test_seeds_are_kept_once(provider: OpenBao, other: OpenBao) -> None:
    fresh = {name: SecretKey.generate() for name in SIGNING}
    with pytest.raises(KeyringExistsError):
        await other.set_up(fresh)
    for name, seed in SIGNING.items():
        assert (await other.signing_key(name)).seed == seed


async def test_a_mount_where_nothing_is_set_up_says_so(mount: BaoMount) -> None:
    provider = mount.provider()
    with pytest.raises(KeyringMissingError):
        await provider.signing_key("log")
    await provider.close()


async def test_a_mount_that_is_not_there_is_no_mount_without_keys(
    mount: BaoMount, tmp_path: Path
) -> None:
    (tmp_path / "root").write_text(mount.server.root_token)  # others may not even ask
    login = TokenFile(tmp_path / "root")
    elsewhere = OpenBao(BaoClient(mount.server.address, login), "elsewhere")
    for attempt in (elsewhere.versions("practice"), elsewhere.signing_key("log")):
        with pytest.raises(ProviderRefusedError, match="nothing is mounted there"):
            await attempt
    await elsewhere.close()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "transit/export/encryption-key/c.practice.1", None),
        ("GET", "transit/backup/c.practice.1", None),
        ("POST", "transit/keys/c.practice.1/config", {"exportable": True}),
        ("POST", "transit/keys/c.practice.1/config", {"allow_plaintext_backup": True}),
        ("POST", "transit/keys/c.practice.1/rotate", {}),
        ("POST", "transit/keys/c.new.1", {"type": "aes256-gcm96", "exportable": True}),
        ("LIST", "transit/keys", None),
        ("DELETE", "kv/data/signing", None),
        ("DELETE", "kv/metadata/controllers/c.practice", None),
    ],
)
async def test_the_policy_lets_no_key_out_and_no_record_go(
    provider: OpenBao, method: str, path: str, body: dict[str, object] | None, mount: BaoMount
) -> None:
    await provider.create("practice", 1)
    client = BaoClient(mount.server.address, mount.role)
    with pytest.raises(ProviderRefusedError):
        await client.request(method, f"{mount.name}/{path}", body)
    await client.close()


@pytest.mark.parametrize("mount_path", ["", "/kluis", "kluis/", "a//b", "../sys", "kluis?x", "a b"])
def test_a_mount_that_is_no_path_is_refused(mount_path: str, tmp_path: Path) -> None:
    client = BaoClient("https://127.0.0.1", TokenFile(tmp_path / "token"))
    with pytest.raises(ValueError, match="mount"):
        OpenBao(client, mount_path)


@given(st.text(min_size=1), st.text(min_size=1))
def test_every_controller_has_a_name_of_its_own(one: str, another: str) -> None:
    names = [_owner(controller_id) for controller_id in (one, another) if _is_text(controller_id)]
    assert len(set(names)) == len({text for text in (one, another) if _is_text(text)})
    assert all(NAME_OF_TRANSIT.fullmatch(f"{name}.1") for name in names)


def test_names_that_only_look_alike_differ() -> None:
    ids = ["a.1", "a_1", "a-1", "a 1", "A 1", "a_2e1", "a", "a/1", "á"]
    assert len({_owner(controller_id) for controller_id in ids}) == len(ids)


def _is_text(controller_id: str) -> bool:
    return controller_id.isprintable()


def _write_record(mount: BaoMount, record: dict[str, object]) -> None:
    place = f"{mount.name}/kv/data/controllers/c.practice"
    mount.server.admin("POST", place, {"data": record})


def test_the_documented_policy_is_the_one_that_these_tests_run_with() -> None:
    operations = Path(__file__).parents[2] / "docs" / "operations.md"
    assert f"```hcl\n{POLICY.format(mount='kluis')}```\n" in operations.read_text("utf-8")
