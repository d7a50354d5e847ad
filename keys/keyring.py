"""What the gateway uses of the keys: a provider, and a count of every key it hands out."""

from collections.abc import Awaitable, Callable

from keys import envelope
from keys.context import Context, Purpose
from keys.providers import KeyProvider
from keys.recovery import RecoveryPublicKey
from keys.secret import SecretKey

SealedContents = Callable[[RecoveryPublicKey], Awaitable[bytes]]


class Keyring:
    """A key provider whose every unwrap is counted.

    The gateway reconciles the count with the access log: a key that was unwrapped without an
    event shows. A re-wrap hands out no key and is not counted.
    """

    def __init__(self, provider: KeyProvider, count: Callable[[Purpose], None]) -> None:
        """Stand before `provider`; `count` is called after each successful unwrap.

        If `count` raises, the key is not handed out.
        """
        self._unwrap = provider.unwrap
        self._count = count
        # What returns no wrapped secret needs no guard.
        self.name = provider.name
        self.residual = provider.residual
        self.create = provider.create
        self.wrap = provider.wrap
        self.rewrap = provider.rewrap
        self.destroy = provider.destroy
        self.forget = provider.forget
        self.versions = provider.versions
        self.newest = provider.newest
        self.keeper = provider.keeper
        self.signing_key = provider.signing_key
        self.edition = provider.edition
        self.check = provider.check
        self.close = provider.close
        # Where the keys are ours to back up; a server or an HSM has a back-up of its own.
        self.sealed_contents: SealedContents | None = getattr(provider, "sealed_contents", None)

    async def unwrap(self, version: int, wrapped: bytes, context: Context) -> SecretKey:
        """Return a key that was wrapped under a controller key; see KeyProvider.unwrap."""
        secret = await self._unwrap(version, wrapped, context)
        self._count(context.purpose)
        return secret

    def wrap_file_key(self, case_key: SecretKey, file_key: SecretKey, context: Context) -> bytes:
        """Return a file key wrapped under its case key."""
        return envelope.wrap(case_key, file_key, context)

    def rewrap_file_key(
        self, old: SecretKey, new: SecretKey, wrapped: bytes, context: Context
    ) -> bytes:
        """Return a file key that one case key wraps, wrapped under another.

        Raises:
            UnsealError: Wrong case key, wrong context or altered bytes.
        """
        return envelope.wrap(new, envelope.unwrap(old, wrapped, context), context)

    def unwrap_file_key(self, case_key: SecretKey, wrapped: bytes, context: Context) -> SecretKey:
        """Return a file key that was wrapped under its case key.

        Raises:
            UnsealError: Wrong case key, wrong context or altered bytes.
        """
        secret = envelope.unwrap(case_key, wrapped, context)
        self._count(context.purpose)
        return secret
