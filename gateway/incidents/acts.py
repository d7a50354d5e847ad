"""The acts of the log that a question asks for, each with what became of it.

An act is the event that somebody was allowed something; its outcomes name it as their cause. That
somebody was refused is no act: they got nothing. Work that no person started is one only where its
actor is named.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.ids import now
from gateway.incidents.scope import Question
from storage.accesslog import feed
from storage.accesslog.event import AccessEvent
from storage.accesslog.feed import CheckedEvent
from storage.database import Database

BATCH = 2_000  # places read in one transaction
PATIENCE_SECONDS = 30.0  # for the sequencer, which gives places within a second
CLOCKS = timedelta(minutes=10)  # by how much the clocks of two nodes may differ

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True)
class Act:
    """One act: the event that allowed it, its place, its outcomes, and whether it broke off."""

    event: AccessEvent
    index: int
    outcomes: list[AccessEvent] = field(default_factory=list)
    broke: bool = False


@dataclass(frozen=True, slots=True)
class Acts:
    """All that was found.

    Attributes:
        acts: In the order of the log.
        up_to: How many places the log had.
        complete: Whether every record that could be one of them was there, and is what the tree
            of the log holds.
    """

    acts: Sequence[Act]
    up_to: int
    complete: bool


async def find(main: Database, question: Question) -> Acts:
    """Read the log from the beginning of the question to the end of the log.

    The end of the log, not of the question: what became of an act may be said much later.
    """
    all_there = await _numbered(main, now())
    async with main.reading() as connection:
        up_to = await feed.size(connection)
        start = 0
        if question.since is not None:
            start = await feed.index_at(connection, question.since - CLOCKS, up_to)
    if not (question.accounts or question.addresses or question.requests) and question.keys:
        return Acts((), up_to, complete=True)  # it asks for keys alone
    fits, found, complete = _fitting(question), dict[str, Act](), all_there
    while start < up_to:
        async with main.reading() as connection:
            places = await feed.checked_from(connection, start, min(BATCH, up_to - start))
        if not places:
            break
        for place in places:
            start, event = place.index + 1, _read(place)
            if event is None:
                complete = False
            elif event.cause in found:
                _ends(found[event.cause], event)
            elif event.stage == "authorised" and fits(event):
                found[event.id] = Act(event, place.index)
    return Acts(list(found.values()), up_to, complete and start >= up_to)


async def _numbered(main: Database, before: datetime) -> bool:
    """Wait until every event of before then has its place in the log; whether it came to that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                async with main.reading() as connection:
                    oldest = await feed.waiting_since(connection)
                if oldest is None or oldest >= before:
                    return True
                await asyncio.sleep(0.05)
    return False


def _read(place: CheckedEvent) -> AccessEvent | None:
    """The event of a place; None where there is none to be read."""
    if place.event is None:
        return None
    try:
        return AccessEvent.from_record(place.event.record)
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _ends(act: Act, event: AccessEvent) -> None:
    if event.stage == "outcome" and "refusal" not in event.detail:
        act.outcomes.append(event)
    else:  # refused after all, or what is stored did not open
        act.broke = True


def _fitting(question: Question) -> Callable[[AccessEvent], bool]:
    """Whether an event fits everything that the question gives."""
    accounts, requests = frozenset(question.accounts), frozenset(question.requests)
    networks = [ipaddress.ip_network(each) for each in question.addresses]

    def fits(event: AccessEvent) -> bool:
        if accounts:
            if event.actor_id not in accounts:
                return False
        elif event.actor_role == "system":
            return False
        if requests and event.request_id not in requests:
            return False
        if networks and not _is_within(event.address, networks):
            return False
        return _is_between(event.at, question)

    return fits


def _is_between(at: datetime, question: Question) -> bool:
    if question.since is not None and at < question.since:
        return False
    return question.until is None or at < question.until


def _is_within(address: str | None, networks: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)
