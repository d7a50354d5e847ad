"""Moving every key from one provider to another while processes serve on.

It is a rotation whose new versions are made elsewhere (keys/providers/successor.py). First every
living process knows both providers; then the second keeps the signing keys, from which moment on
versions are made there; then each practice that has a version in the first is rotated. What a
crash leaves, the next call goes on with.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.ids import now
from gateway.privacy.rotation import Rotations
from keys.providers.successor import Successor
from storage import accounts, nodes
from storage.database import Database
from storage.erasures import Puncture


class Migration:
    """The move of one house."""

    def __init__(
        self, main: Database, access: Access, rotations: Rotations, provider: Successor
    ) -> None:
        """Move as `provider` says."""
        self._main = main
        self._access = access
        self._rotations = rotations
        self._provider = provider

    async def begin(self, actor: Actor) -> int:
        """Make new versions in the second provider from here on; idempotent.

        Returns:
            How many living processes do not know both providers; unless none, nothing has begun.

        Raises:
            KeyringExistsError: The second provider belongs to another installation.
        """
        target = Target("key", "provider")
        grant = await self._access.authorise(actor, Action.KEY_ROTATE, target=target)
        edition = await self._provider.edition()
        async with self._main.reading() as connection:
            unready = await nodes.using_others(connection, edition, now())
        if not unready:
            await self._provider.adopt()
            first, second = self._provider.before.name, self._provider.name
            await self._access.outcome(grant, before=first, after=second)
        return len(unready)

    async def go_on(self, actor: Actor) -> Sequence[Puncture]:
        """Ask for the rotation of each practice that is not moved yet; none: all are."""
        async with self._main.reading() as connection:
            practices = await accounts.list_controllers(connection)
        left = [
            practice.id
            for practice in practices
            if await self._provider.before.versions(practice.id)
        ]
        return await self._rotations.request(actor, left) if left else []
