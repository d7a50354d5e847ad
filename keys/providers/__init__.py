"""Where controller keys live."""

from collections.abc import Sequence
from typing import Protocol

from keys.context import Context
from keys.secret import SecretKey
from keys.signing import SigningKey


class KeyProvider(Protocol):
    """Keeps the controller keys, by controller and version, and works with them.

    Versions are numbers from 1 that only go up. Several processes may share one provider. When
    a method fails for want of its store (OSError, ProviderUnavailableError) it may or may not
    have happened: create and destroy are idempotent, so call again. The suite in tests/contracts
    holds every implementation to this.
    """

    @property
    def name(self) -> str:
        """What the settings, the log and certificates call it."""

    @property
    def residual(self) -> str:
        """Which copies of a key `destroy` does not reach: "Such copies are ...".

        A certificate of erasure quotes it.
        """

    async def create(self, controller_id: str, version: int) -> None:
        """Make a key; it is durable when this returns. One that is there is left alone.

        Raises:
            UnknownKeyVersionError: The version is gone, or older than one there was: a number is
                never used twice.
        """

    async def wrap(self, version: int, secret: SecretKey, context: Context) -> bytes:
        """Return `secret` wrapped under that version of the key of `context.controller_id`.

        Raises:
            UnknownKeyVersionError: Never existed, destroyed, or forgotten here.
        """

    async def unwrap(self, version: int, wrapped: bytes, context: Context) -> SecretKey:
        """Return what was wrapped.

        A version that another process has created a moment ago is found.

        Raises:
            UnknownKeyVersionError: Never existed, destroyed, or forgotten here.
            UnsealError: Wrong context, other version, or altered bytes.
        """

    async def rewrap(
        self, old: int, new: int, items: Sequence[tuple[bytes, Context]]
    ) -> list[bytes]:
        """Return the items, in order, moved from version `old` to `new`; contexts stay.

        All of one controller, or it is a ValueError. One item that fails fails the batch.

        Raises:
            UnknownKeyVersionError: One of the two versions.
            UnsealError: An item does not open under the old version.
        """

    async def destroy(self, controller_id: str, version: int) -> None:
        """Make the version unusable for ever, everywhere; durable when this returns.

        What is not there is destroyed already.
        """

    async def forget(self, controller_id: str, version: int) -> None:
        """Drop the version from this process, which answers from now on as if it did not exist.

        Other processes and the store keep it: this is the step before `destroy`.
        """

    async def versions(self, controller_id: str) -> frozenset[int]:
        """Return what the store holds at this moment, forgotten here or not."""

    async def newest(self, controller_id: str) -> int:
        """Return the highest number ever used, of a version that is there or was; 0: none."""

    async def keeper(self, controller_id: str, version: int) -> "KeyProvider":
        """Return the provider that has the version, or had it; itself, where it is one alone."""

    async def signing_key(self, name: str) -> SigningKey:
        """Return a signing key as it is kept now: "log", "certificate", perhaps "log-before".

        Raises:
            UnknownSigningKeyError: Another name, or there is no key before.
            KeyringMissingError: No signing keys were made or kept here.
        """

    async def edition(self) -> str:
        """Return what tells processes with the same keys from others: provider, and root key.

        Read anew, so that a process which asks has taken over what changed.
        """

    async def check(self) -> None:
        """Return if the store can be reached and lets this process in.

        Raises:
            KeysError, OSError: It cannot or does not.
        """

    async def close(self) -> None:
        """Let go of connections and of keys in memory. Nothing is asked of it afterwards."""
