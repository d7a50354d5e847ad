"""Controller keys in the transit engine of an OpenBao server: they never leave it.

One transit key per controller and version, so that destroying a version is deleting its key
(docs/adr/0016-a-transit-key-per-version.md). Which versions there are, were and are going stands
in one record per controller in the key/value engine (version 2), changed by check-and-set: it is
what keeps a number from being used twice, by however many processes.

Under the mount, such as "kluis":

    kluis/transit/keys/c.<controller>.<version>     AES-256-GCM, not exportable
    kluis/kv/data/controllers/c.<controller>        {"newest": 2, "living": [2], "going": [1]}
    kluis/kv/data/signing                           {"log": seed, "certificate": seed}, base64
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

from keys.context import Context
from keys.errors import (
    KeyringExistsError,
    KeyringMissingError,
    ProviderRefusedError,
    ProviderUnavailableError,
    UnknownKeyVersionError,
    UnknownSigningKeyError,
    UnsealError,
)
from keys.providers.bao import BAD_REQUEST, NOT_FOUND, OK, BaoClient
from keys.secret import KEY_SIZE, SecretKey
from keys.signing import LOG_BEFORE, SIGNING_KEYS, SigningKey

BATCH = 100  # a server takes 1000 strings in a request, names of fields too; an item has five
TRIES = 64  # each lost race means that another process has changed the record

_MOUNT = re.compile(r"[\w-]+(?:/[\w-]+)*", re.ASCII)
_PLAIN = re.compile(rb"[^A-Za-z0-9-]")
_PREFIX = "vault:v1:"  # the key's own version: always the first, and known from our version


class _Place(NamedTuple):
    """One version of one controller's key."""

    controller_id: str
    version: int

    @property
    def key(self) -> str:
        """The transit key's name."""
        return f"{_owner(self.controller_id)}.{self.version}"


@dataclass(frozen=True, slots=True)
class _Versions:
    """A controller's record; `stored` is the version of the record itself (0: there is none)."""

    newest: int = 0
    living: frozenset[int] = frozenset()
    going: frozenset[int] = frozenset()
    stored: int = 0

    @classmethod
    def parse(cls, found: Mapping[str, Any]) -> "_Versions":
        kept = found["data"]
        stored = found["metadata"]["version"]
        return cls(kept["newest"], frozenset(kept["living"]), frozenset(kept["going"]), stored)

    def document(self) -> Mapping[str, object]:
        living, going = sorted(self.living), sorted(self.going)
        return {"newest": self.newest, "living": living, "going": going}


class OpenBao:
    """A KeyProvider on a server. No controller key is ever in this process.

    The signing keys are: their seeds lie in the key/value engine, and who runs as this process
    can read them, as with every provider. Data keys pass through the server to be wrapped and
    unwrapped, under TLS; nothing of them is kept here beyond the call.

    What destruction is worth here: the server forgets the key. What it was stored in (the log and
    the snapshots of raft, back-ups of its storage) holds it still, under the server's own keys.
    """

    name = "openbao"
    residual = (
        "Such copies are raft snapshots and back-ups of the key server's storage, and what its disk"
        " keeps of storage that was replaced; each opens with the server's unseal keys."
    )

    def __init__(self, client: BaoClient, mount: str) -> None:
        """Use the two engines under `mount`; a mount that is no path is a ValueError."""
        if _MOUNT.fullmatch(mount) is None:
            raise ValueError("a mount is words with slashes in between")
        self._client = client
        self._transit = f"{mount}/transit"
        self._kv = f"{mount}/kv"
        self._forgotten: set[_Place] = set()

    async def set_up(self, signing: Mapping[str, SecretKey]) -> None:
        """Keep the seeds of the signing keys; the engines are mounted already.

        Raises:
            KeyringExistsError: There are seeds under this mount.
        """
        # Wrapping under a key that is not there must not make one, whatever the token allows.
        await self._client.request("POST", f"{self._transit}/config/keys", {"disable_upsert": True})
        try:
            kept = await self._put("signing", _seeds(signing), stored=0)
        except ProviderRefusedError:
            # To change what is there is not granted.
            if await self._get("signing") is None:
                raise
            kept = False
        if not kept:
            raise KeyringExistsError(self._kv)

    async def replace_signing(self, signing: Mapping[str, SecretKey]) -> None:
        """Keep these seeds from now on in place of those that were kept; durable, and whole.

        The engine keeps earlier versions of the record, as many as its operator says.
        """
        for _ in range(TRIES):
            found = await self._get("signing")
            stored = 0 if found is None else found["metadata"]["version"]
            if await self._put("signing", _seeds(signing), stored=stored):
                return
        raise _unexpected()

    async def create(self, controller_id: str, version: int) -> None:
        """See KeyProvider."""

        def enter(known: _Versions) -> _Versions:
            if version in known.living:
                return known
            if version <= known.newest:
                raise UnknownKeyVersionError(controller_id, version)
            return replace(known, newest=version, living=known.living | {version})

        place = _Place(controller_id, version)
        await self._change(controller_id, enter)
        # A crash here leaves a version without a key; the next call makes it.
        path = f"{self._transit}/keys/{place.key}"
        made = await self._client.request("POST", path, {"type": "aes256-gcm96"})
        if made.status == BAD_REQUEST:
            raise _unexpected()
        if not made.data.get("deletion_allowed"):
            await self._allow_deletion(place)
        if version not in (await self._versions(controller_id)).living:
            # Destroyed in between. Nothing was wrapped under what was just made.
            await self._delete(place)
            raise UnknownKeyVersionError(controller_id, version)

    async def wrap(self, version: int, secret: SecretKey, context: Context) -> bytes:
        """See KeyProvider."""
        (wrapped,) = await self._encrypt(version, [(secret, context)])
        return wrapped

    async def unwrap(self, version: int, wrapped: bytes, context: Context) -> SecretKey:
        """See KeyProvider."""
        (secret,) = await self._decrypt(version, [(wrapped, context)])
        return secret

    async def rewrap(
        self, old: int, new: int, items: Sequence[tuple[bytes, Context]]
    ) -> list[bytes]:
        """See KeyProvider. Not transit's own rewrap: that knows no associated data."""
        if len({context.controller_id for _, context in items}) > 1:
            raise ValueError("one controller to a batch")
        moved: list[bytes] = []
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            secrets = await self._decrypt(old, batch)
            contexts = [context for _, context in batch]
            moved += await self._encrypt(new, list(zip(secrets, contexts, strict=True)))
        return moved

    async def destroy(self, controller_id: str, version: int) -> None:
        """See KeyProvider; and the class on what the server's storage may keep."""

        def leave(known: _Versions) -> _Versions:
            if version not in known.living:
                return known
            rest, going = known.living - {version}, known.going | {version}
            return replace(known, living=rest, going=going)

        # A crash after this leaves a version that is going: it is listed still, and the next
        # call destroys it.
        await self._change(controller_id, leave)
        await self._delete(_Place(controller_id, version))
        await self._change(
            controller_id, lambda known: replace(known, going=known.going - {version})
        )

    async def forget(self, controller_id: str, version: int) -> None:
        """See KeyProvider."""
        self._forgotten.add(_Place(controller_id, version))

    async def versions(self, controller_id: str) -> frozenset[int]:
        """See KeyProvider."""
        known = await self._versions(controller_id)
        return known.living | known.going

    async def newest(self, controller_id: str) -> int:
        """See KeyProvider."""
        return (await self._versions(controller_id)).newest

    async def keeper(self, controller_id: str, version: int) -> Self:  # noqa: ARG002
        """See KeyProvider."""
        return self

    async def signing_key(self, name: str) -> SigningKey:
        """See KeyProvider.

        Raises:
            KeyringMissingError: Nothing is set up under this mount.
        """
        if name not in {*SIGNING_KEYS, LOG_BEFORE}:
            raise UnknownSigningKeyError(name)
        found = await self._get("signing")
        if found is None:
            raise KeyringMissingError(self._kv)
        if name not in found["data"]:
            raise UnknownSigningKeyError(name)
        return SigningKey(name, SecretKey(base64.b64decode(found["data"][name], validate=True)))

    async def edition(self) -> str:
        """See KeyProvider: the root key is the store's own business."""
        return self.name

    async def check(self) -> None:
        """See KeyProvider."""
        await self._client.check()

    async def close(self) -> None:
        """See KeyProvider."""
        await self._client.close()

    async def _encrypt(
        self, version: int, items: Sequence[tuple[SecretKey, Context]]
    ) -> list[bytes]:
        batch: list[Mapping[str, object]] = [
            {
                "plaintext": _encode(secret.reveal()),
                "associated_data": _encode(context.encode()),
                "key_version": 1,
            }
            for secret, context in items
        ]
        place = _Place(items[0][1].controller_id, version)
        results = await self._batch("encrypt", place, batch)
        sealed = [str(result.get("ciphertext")) for result in results or ()]
        if not sealed or not all(text.startswith(_PREFIX) for text in sealed):
            raise _unexpected()
        return [base64.b64decode(text.removeprefix(_PREFIX), validate=True) for text in sealed]

    async def _decrypt(
        self, version: int, items: Sequence[tuple[bytes, Context]]
    ) -> list[SecretKey]:
        batch: list[Mapping[str, object]] = [
            {
                "ciphertext": _PREFIX + _encode(wrapped),
                "associated_data": _encode(context.encode()),
            }
            for wrapped, context in items
        ]
        place = _Place(items[0][1].controller_id, version)
        results = await self._batch("decrypt", place, batch)
        if results is None:
            raise UnsealError
        material = [base64.b64decode(result["plaintext"], validate=True) for result in results]
        if any(len(secret) != KEY_SIZE for secret in material):
            raise UnsealError
        return [SecretKey(secret) for secret in material]

    async def _batch(
        self, operation: str, place: _Place, items: Sequence[Mapping[str, object]]
    ) -> Sequence[Mapping[str, Any]] | None:
        """The result of every item; None if the server could not do one of them.

        Raises:
            UnknownKeyVersionError: There is no such key, or it was forgotten here.
        """
        if place in self._forgotten:
            raise UnknownKeyVersionError(*place)
        path = f"{self._transit}/{operation}/{place.key}"
        try:
            answer = await self._client.request("POST", path, {"batch_input": items})
        except ProviderRefusedError:
            # Encrypting under a key that is not there would make one: that is not granted.
            await self._require(place)
            raise
        if answer.status != OK:
            await self._require(place)
            return None
        results: Sequence[Mapping[str, Any]] = answer.data["batch_results"]
        if len(results) != len(items) or any(result.get("error") for result in results):
            raise _unexpected()
        return results

    async def _require(self, place: _Place) -> None:
        """Tell bytes that do not open from a key that opens nothing.

        Raises:
            UnknownKeyVersionError: There is no such key.
            ProviderRefusedError: Somebody locked what was wrapped under it.
        """
        key = await self._look(place)
        if key is None:
            raise UnknownKeyVersionError(*place)
        if int(key.get("min_decryption_version", 1)) > 1:
            remedy = f"set min_decryption_version of the transit key {place.key} to 1 again"
            raise ProviderRefusedError("a key was rotated and its first version locked", remedy)

    async def _exists(self, place: _Place) -> bool:
        return await self._look(place) is not None

    async def _look(self, place: _Place) -> Mapping[str, Any] | None:
        answer = await self._client.request("GET", f"{self._transit}/keys/{place.key}")
        if answer.status == NOT_FOUND:
            return None
        if answer.status != OK:
            raise _unexpected()
        return answer.data

    async def _allow_deletion(self, place: _Place) -> None:
        # When the key is made, not when it goes: a server that writes a key's configuration
        # while it deletes the key (2.7.2) writes the whole key back.
        path = f"{self._transit}/keys/{place.key}/config"
        await self._client.request("POST", path, {"deletion_allowed": True})

    async def _delete(self, place: _Place) -> None:
        path = f"{self._transit}/keys/{place.key}"
        await self._client.request("DELETE", path)
        # Another process may have been at it as well; what counts is that it is gone.
        if await self._exists(place):
            # Its creation broke off before this.
            await self._allow_deletion(place)
            await self._client.request("DELETE", path)
            if await self._exists(place):
                raise _unexpected()

    async def _versions(self, controller_id: str) -> _Versions:
        found = await self._get(f"controllers/{_owner(controller_id)}")
        return _Versions() if found is None else _Versions.parse(found)

    async def _change(self, controller_id: str, change: Callable[[_Versions], _Versions]) -> None:
        """Change a controller's record from what it is at that moment."""
        for _ in range(TRIES):
            before = await self._versions(controller_id)
            after = change(before)
            if after == before:
                return
            record = f"controllers/{_owner(controller_id)}"
            if await self._put(record, after.document(), stored=before.stored):
                return
        raise _unexpected()

    async def _get(self, record: str) -> Mapping[str, Any] | None:
        answer = await self._client.request("GET", f"{self._kv}/data/{record}")
        if answer.status == OK:
            return answer.data
        if answer.status != NOT_FOUND or answer.data:
            # Somebody deleted it: without it a number could be used twice.
            remedy = "undelete its last version (bao kv undelete)"
            raise ProviderRefusedError(f"the record {record} was deleted", remedy)
        return None

    async def _put(self, record: str, content: Mapping[str, object], *, stored: int) -> bool:
        """Write a record if it is still what was read; whether it was."""
        body = {"options": {"cas": stored}, "data": content}
        answer = await self._client.request("POST", f"{self._kv}/data/{record}", body)
        return answer.status == OK


def _owner(controller_id: str) -> str:
    """The controller's id in a name of transit: no two give the same."""
    plain = _PLAIN.sub(lambda found: b"_%02x" % found[0][0], controller_id.encode())
    return f"c.{plain.decode()}"


def _seeds(signing: Mapping[str, SecretKey]) -> Mapping[str, object]:
    return {name: _encode(seed.reveal()) for name, seed in signing.items()}


def _unexpected() -> ProviderUnavailableError:
    return ProviderUnavailableError("it does not do what it was asked", "look at its log")


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
