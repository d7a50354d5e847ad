"""How often somebody may try: growing delays at several doors, the same on every node.

Each try is counted before it is known whether it is right, so that tries at the same time do not
slip through together; a right one is taken back. From a browser that somebody signed in from before
an account has a door of its own: no stranger who fails, however often, shuts its owner out.

What a try is refused by does not depend on whether there is such an account.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access
from gateway.access.notices import tell
from gateway.access.policy import Action
from gateway.errors import TooManyAttemptsError
from gateway.ids import now
from storage import throttles
from storage.database import Database
from storage.throttles import Tries

LONGEST = timedelta(minutes=15)
FORGET = timedelta(hours=24)
HOUR = timedelta(hours=1)
STUFFED = 10  # accounts that fail from one network within an hour


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of door.

    Attributes:
        name: What its values are.
        free: Tries without delay; after them each waits twice as long as the one before.
        reset: Whether a right try takes back all, not only itself.
        forget: Silence after which the count begins anew.
    """

    name: str
    free: int
    reset: bool
    forget: timedelta = FORGET


PAIR = Kind("account and network", free=10, reset=True)
DEVICE = Kind("account and known device", free=10, reset=True)
ACCOUNT = Kind("account", free=50, reset=False)
NETWORK = Kind("network", free=100, reset=False, forget=HOUR)
CODE = Kind("code of account", free=10, reset=True)
CODE_ON_DEVICE = Kind("code of account on known device", free=10, reset=True)
CONFIRMATION = Kind("confirmation of session", free=5, reset=True)
AGREEMENT = Kind("agreement asked by account", free=5, reset=True)
RESET_ASKED = Kind("reset asked from network", free=20, reset=False, forget=HOUR)
BROWSER_MAILED = Kind("new browser mailed to account", free=5, reset=False)
RESET_MAILED = Kind("reset mailed to account", free=5, reset=False)
LINK = Kind("link taken from network", free=20, reset=False, forget=HOUR)
BEGUN = Kind("sign-in begun from network", free=100, reset=False, forget=HOUR)
STUFFING = Kind("stuffing from network", free=1, reset=False, forget=HOUR)
TOLD = Kind("owner told of address", free=1, reset=False, forget=HOUR)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who is guessed at: an address, and the account to be told, if there is one."""

    email: str
    account_id: str | None


@dataclass(frozen=True, slots=True)
class Door:
    """One thing that is tried.

    `network` is set where failures are counted by network as well.
    """

    kind: Kind
    value: str
    network: str | None = None

    @property
    def key(self) -> bytes:
        """What is stored of it."""
        return _hash(f"{self.kind.name}\n{self.value}")


def network(address: str | None) -> str:
    """The network that an address is counted with: /24 of IPv4, /64 of IPv6 (one household)."""
    if address is None:
        return "unknown"
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    prefix = 24 if isinstance(parsed, ipaddress.IPv4Address) else 64
    return str(ipaddress.ip_network((parsed, prefix), strict=False))


def doors(email: str, address: str | None, device: bytes | None) -> tuple[Door, ...]:
    """The doors of a sign-in by password.

    Args:
        email: What was typed, as accounts are found by it.
        address: Of who asks.
        device: Hash of the secret of a device that this account was signed in to from before.
    """
    if device is not None:
        return (Door(DEVICE, f"{email}\n{device.hex()}"),)
    near = network(address)
    return (
        Door(PAIR, f"{email}\n{near}", network=near),
        Door(ACCOUNT, email),
        Door(NETWORK, near),
    )


def delay(kind: Kind, count: int) -> timedelta:
    """How long to wait after so many tries: nothing, then 1 second, 2, 4 and so on, to LONGEST."""
    over = count - kind.free
    if over <= 0:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(over - 1, 20)), LONGEST)


class Throttle:
    """Counts tries."""

    def __init__(self, main: Database, access: Access) -> None:
        """Counts live in `main`, so that every node sees them."""
        self._main = main
        self._access = access

    async def enter(self, *wanted: Door, owner: Owner | None = None) -> None:
        """Count a try at each of these doors.

        Args:
            wanted: What is tried.
            owner: Who is told if one of them waits, unless it is for its network alone.

        Raises:
            TooManyAttemptsError: One of them waits; nothing was counted.
        """
        at = now()
        async with self._main.transaction() as tx:
            held = await throttles.hold(tx, {door.key for door in wanted}, at)
            waits = {door: _left(door, held[door.key], at) for door in wanted}
            left = max(waits.values())
            if left <= timedelta(0):
                for door in wanted:
                    await throttles.put(tx, _tried(door, held[door.key], at))
                return
            # A network that waits says nothing of an account: one try each would mail everybody.
            own = any(wait > timedelta(0) and door.kind != NETWORK for door, wait in waits.items())
            if owner is not None and own:
                await _tell(tx, owner, at)
        raise TooManyAttemptsError(seconds=-(-left // timedelta(seconds=1)))

    async def passed(self, wanted: Collection[Door]) -> None:
        """Take a try back that was right."""
        at = now()
        async with self._main.transaction() as tx:
            held = await throttles.hold(tx, {door.key for door in wanted}, at)
            for door in wanted:
                tries = held[door.key]
                left = 0 if door.kind.reset else max(tries.count - 1, 0)
                await throttles.put(tx, replace(tries, count=left, until=at))

    async def failed(self, visitor: Actor, wanted: Collection[Door]) -> None:
        """Look, after a failure, whether many accounts fail from one network; told once an hour."""
        near = next((door.network for door in wanted if door.network), None)
        if near is None:
            return
        at = now()
        async with self._main.reading() as connection:
            count = await throttles.of_network(connection, _hash(near), at - HOUR)
        if count < STUFFED:
            return
        told = Door(STUFFING, f"{near}\n{at:%Y-%m-%dT%H}")
        async with self._main.transaction() as tx:
            held = await throttles.hold(tx, {told.key}, at)
            if held[told.key].count:
                return
            await throttles.put(tx, _tried(told, held[told.key], at))
        await self._access.note(
            visitor, Action.SESSION_STUFFING, refused=True, network=near, accounts=count
        )


async def take(tx: AsyncConnection, door: Door, at: datetime) -> bool:
    """Count one more at a door that takes what is free in a time, and then no more till it is over.

    Nobody is made to wait by it: it is for what we do ourselves because somebody asked.
    """
    tries = (await throttles.hold(tx, {door.key}, at))[door.key]
    if at - tries.first_at >= door.kind.forget:
        tries = replace(tries, count=0, first_at=at)
    if tries.count >= door.kind.free:
        return False
    await throttles.put(tx, replace(tries, count=tries.count + 1, last_at=at))
    return True


async def _tell(tx: AsyncConnection, owner: Owner, at: datetime) -> None:
    """Tell the owner that somebody guesses, once an hour at most.

    It is counted for an address without an account too, so that both are nearly the same work. This
    door is held after all others, by everybody, so that nobody waits for who waits for them.
    """
    told = Door(TOLD, owner.email)
    tries = (await throttles.hold(tx, {told.key}, at))[told.key]
    if tries.count and at - tries.last_at < HOUR:
        return
    await throttles.put(tx, _tried(told, tries, at))
    if owner.account_id is not None:
        await tell(tx, "many_failed_sign_ins", account_id=owner.account_id)


def _left(door: Door, tries: Tries, at: datetime) -> timedelta:
    """How long the door waits. One with tries to spare does not, whatever another node's clock."""
    return tries.until - at if tries.count > door.kind.free else timedelta(0)


def _tried(door: Door, tries: Tries, at: datetime) -> Tries:
    """One try more."""
    stale = at - tries.last_at >= door.kind.forget
    count = 1 if stale else tries.count + 1
    return Tries(
        key=door.key,
        count=count,
        first_at=at if stale or tries.count == 0 else tries.first_at,
        last_at=at,
        until=at + delay(door.kind, count),
        network=_hash(door.network) if door.network else None,
    )


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
