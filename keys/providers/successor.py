"""Two key providers as one, while the keys move from the first to the second.

Numbers of versions go on, so each version is in one of them: in the first up to the highest number
it ever had, in the second from there on. Until the second is set up (`adopt`) everything is made in
the first; so processes may be restarted one by one, and none makes what another cannot open.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from keys.context import Context
from keys.errors import KeyringMissingError, UnknownSigningKeyError
from keys.providers import KeyProvider
from keys.secret import SecretKey
from keys.signing import LOG_BEFORE, SIGNING_KEYS, SigningKey

CALLS = 16
"""Calls to a provider at a time, where each carries one key."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class AdoptingProvider(KeyProvider, Protocol):
    """A provider that keeps signing keys which were made elsewhere."""

    async def set_up(self, signing: Mapping[str, SecretKey]) -> None:
        """Make ready, and keep the seeds of the signing keys.

        Raises:
            KeyringExistsError: Others are kept there.
        """

    async def replace_signing(self, signing: Mapping[str, SecretKey]) -> None:
        """Keep these seeds from now on in place of those that were kept; durable, and whole."""


class Successor:
    """A KeyProvider that moves from one to another, a version at a time."""

    def __init__(self, before: KeyProvider, after: AdoptingProvider) -> None:
        """Nothing is asked of either yet; both are closed with this one."""
        self.before = before
        self._after = after
        # Of the local one, where one is: its back-up is replaced like that of any local keyring.
        self.sealed_contents = getattr(before, "sealed_contents", None) or getattr(
            after, "sealed_contents", None
        )
        self._homes: dict[tuple[str, int], KeyProvider] = {}
        self._adopted = False

    @property
    def name(self) -> str:
        """See KeyProvider: where keys are made in the end."""
        return self._after.name

    @property
    def residual(self) -> str:
        """See KeyProvider: of both, because what was erased may have been under either."""
        return f"{self.before.residual} {self._after.residual}"

    async def adopt(self) -> None:
        """Copy the signing keys, and make new versions in the second provider from here on.

        Raises:
            KeyringExistsError: The second provider belongs to another installation.
        """
        if not await self._is_adopted():
            await self._after.set_up(await signing_seeds(self.before))

    async def create(self, controller_id: str, version: int) -> None:
        """See KeyProvider."""
        used_up = version <= await self.before.newest(controller_id)
        if used_up or not await self._is_adopted():
            await self.before.create(controller_id, version)
        else:
            await self._after.create(controller_id, version)

    async def wrap(self, version: int, secret: SecretKey, context: Context) -> bytes:
        """See KeyProvider."""
        home = await self.keeper(context.controller_id, version)
        return await home.wrap(version, secret, context)

    async def unwrap(self, version: int, wrapped: bytes, context: Context) -> SecretKey:
        """See KeyProvider."""
        home = await self.keeper(context.controller_id, version)
        return await home.unwrap(version, wrapped, context)

    async def rewrap(
        self, old: int, new: int, items: Sequence[tuple[bytes, Context]]
    ) -> list[bytes]:
        """See KeyProvider. From one provider to the other the keys are in memory in between."""
        if not items:
            return []
        controller_id, *others = {context.controller_id for _, context in items}
        if others:
            raise ValueError("one controller to a batch")
        source = await self.keeper(controller_id, old)
        target = await self.keeper(controller_id, new)
        if source is target:
            return await source.rewrap(old, new, items)

        async def move(item: tuple[bytes, Context]) -> bytes:
            wrapped, context = item
            return await target.wrap(new, await source.unwrap(old, wrapped, context), context)

        return await _few_at_a_time(move, items)

    async def destroy(self, controller_id: str, version: int) -> None:
        """See KeyProvider."""
        await (await self.keeper(controller_id, version)).destroy(controller_id, version)

    async def forget(self, controller_id: str, version: int) -> None:
        """See KeyProvider."""
        await self.before.forget(controller_id, version)
        await self._after.forget(controller_id, version)

    async def versions(self, controller_id: str) -> frozenset[int]:
        """See KeyProvider."""
        moved = await self._after.versions(controller_id)
        return moved | await self.before.versions(controller_id)

    async def newest(self, controller_id: str) -> int:
        """See KeyProvider."""
        moved = await self._after.newest(controller_id)
        return max(moved, await self.before.newest(controller_id))

    async def keeper(self, controller_id: str, version: int) -> KeyProvider:
        """See KeyProvider."""
        place = (controller_id, version)
        if place not in self._homes:
            if version <= await self.before.newest(controller_id):
                self._homes[place] = self.before
            elif version <= await self._after.newest(controller_id):
                self._homes[place] = self._after
            else:
                return self._after  # not made yet; it may come to be in either
        return self._homes[place]

    async def signing_key(self, name: str) -> SigningKey:
        """See KeyProvider. Both have the same."""
        return await self.before.signing_key(name)

    async def edition(self) -> str:
        """See KeyProvider."""
        return f"{await self.before.edition()} then {await self._after.edition()}"

    async def check(self) -> None:
        """See KeyProvider."""
        await self.before.check()
        await self._after.check()

    async def close(self) -> None:
        """See KeyProvider."""
        await self.before.close()
        await self._after.close()

    async def _is_adopted(self) -> bool:
        if not self._adopted:
            name = SIGNING_KEYS[0]
            try:
                kept = await self._after.signing_key(name)
            except KeyringMissingError:
                return False
            self._adopted = kept == await self.before.signing_key(name)
        return self._adopted


async def signing_seeds(provider: KeyProvider) -> dict[str, SecretKey]:
    """Return the seed of every signing key that a provider keeps."""
    seeds = {name: (await provider.signing_key(name)).seed for name in SIGNING_KEYS}
    with suppress(UnknownSigningKeyError):
        seeds[LOG_BEFORE] = (await provider.signing_key(LOG_BEFORE)).seed
    return seeds


async def _few_at_a_time(
    work: Callable[[_Item], Awaitable[_Result]], items: Sequence[_Item]
) -> list[_Result]:
    """Do the work on every item, in order; the first failure ends it."""
    turns = asyncio.Semaphore(CALLS)

    async def in_turn(item: _Item) -> _Result:
        async with turns:
            return await work(item)

    tasks = [asyncio.ensure_future(in_turn(item)) for item in items]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
