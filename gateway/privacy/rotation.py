"""Rotating the controllers' keys: punctures that no erasure hangs on, and how far they are.

Whoever serves carries them out (privacy/erasure.py, under the same lease); so does the command that
asked, for as long as it watches. What a crash leaves is the state of the punctures' rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.access.accountkeys import HOUSE
from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.errors import InvalidInputError
from gateway.privacy.puncture import Punctures
from storage import accounts, erasures, keystore
from storage.database import Database
from storage.erasures import Puncture
from storage.keystore import ControllerVersion


@dataclass(frozen=True, slots=True)
class Progress:
    """What is left of some punctures.

    Attributes:
        practices: Those that have not destroyed their old version.
        keys: How many keys are still under those versions.
    """

    practices: int
    keys: int


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """One version of a practice's key, and how many keys are wrapped under it."""

    practice: str
    version: ControllerVersion
    keys: int


class Rotations:
    """Asks for rotations, and counts what is left of them."""

    def __init__(
        self, main: Database, key_database: Database, access: Access, punctures: Punctures
    ) -> None:
        """Rows of punctures are in `main`, those of versions in `key_database`."""
        self._main = main
        self._keystore = key_database
        self._access = access
        self._punctures = punctures

    async def request(
        self, actor: Actor, controller_ids: Sequence[str] | None
    ) -> Sequence[Puncture]:
        """Ask for new keys of some practices, or of every one; by which punctures they get them.

        With every one comes the key of the house, under which our own people's keys lie.

        One that is under way is not asked for twice. Neither is the rotation of all: while any is
        unfinished, a practice whose key is younger than the oldest of them is done already.

        Raises:
            InvalidInputError: No such practice, or one without a key, or one that was closed.
        """
        target = Target("key", "controller")
        grant = await self._access.authorise(actor, Action.KEY_ROTATE, target=target)
        async with self._keystore.reading() as connection:
            known = await keystore.all_versions(connection)
        current = {each.controller_id: each for each in known if each.state == "current"}
        async with self._main.transaction() as tx:
            there = {
                practice.id
                for practice in await accounts.list_controllers(tx)
                if practice.closed_at is None and practice.id in current
            } | ({HOUSE} & current.keys())
            if not there >= set(controller_ids or ()):
                raise InvalidInputError(field="client", reason="there is no such client")
            under_way = await erasures.unfinished_punctures(tx)
            rotations = [each for each in under_way if each.cause == "rotation"]
            begun = min((each.created_at for each in rotations), default=None)
            busy = {each.controller_id for each in under_way}
            punctures = [
                await self._punctures.rotate(tx, each, actor.id)
                for each in sorted(there if controller_ids is None else set(controller_ids))
                if controller_ids or not begun or each in busy or current[each].created_at < begun
            ]
            await self._access.outcome_in(tx, grant, target, practices=len(punctures))
        return punctures

    async def progress(self, punctures: Sequence[Puncture]) -> Progress:
        """Count what is left of them."""
        async with self._main.reading() as connection:
            unfinished = {each.id for each in await erasures.unfinished_punctures(connection)}
        async with self._keystore.reading() as connection:
            counts = await keystore.count_by_version(connection)
        left = [each for each in punctures if each.id in unfinished]
        keys = sum(counts.get((each.controller_id, each.old_version), 0) for each in left)
        return Progress(len(left), keys)

    async def versions(self, actor: Actor) -> Sequence[HeldVersion]:
        """Every version of every practice's key, by practice."""
        await self._access.authorise(actor, Action.KEY_LIST)
        async with self._main.reading() as connection:
            practices = await accounts.list_controllers(connection)
        async with self._keystore.reading() as connection:
            known = await keystore.all_versions(connection)
            counts = await keystore.count_by_version(connection)
        names = {HOUSE: HOUSE} | {practice.id: practice.name for practice in practices}
        held = [
            HeldVersion(names[each.controller_id], each, counts.get(_place(each), 0))
            for each in known
            if each.controller_id in names
        ]
        return sorted(held, key=lambda each: (each.practice, _place(each.version)))


def _place(version: ControllerVersion) -> tuple[str, int]:
    return version.controller_id, version.version
