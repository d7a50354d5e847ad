"""The weekly review of the log (P13): what a named person looked at, and what they said of it.

A week's queue is every alert raised in it, the most severe first, and a sample of the accesses to
cases. Who reviews does not choose the sample, nor does whoever runs the server: the root of the
first checkpoint behind the week draws it, so an auditor who has the log draws the same. Nothing of
the queue is stored; verdicts are, and each is an event of the signed log.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.errors import ForbiddenError, NotFoundError, WrongStateError
from gateway.ids import WEEK_PATTERN, now
from gateway.privacy.reasons import check_reason
from gateway.watch.known import READS
from gateway.watch.logcheck import legible
from gateway.watch.seen import Seen, Severity
from storage import accounts, alerts, reviews
from storage.accesslog import feed
from storage.alerts import Alert
from storage.database import Database
from storage.reviews import ReviewVerdict

ITEM_PATTERN = "(?:alert|event):[0-9a-f-]{1,36}"
Verdict = Literal["explained", "unexplained", "incident"]
SAMPLE = 20  # accesses of a week that are looked at whether or not a rule spoke
DRAWS = 1000  # places that are drawn for them, at the most: not every event is an access
DUE = timedelta(days=7)  # after the week's end
SHOWN = 12  # weeks of a list


@dataclass(frozen=True, slots=True)
class Week:
    """A week of ISO 8601, in UTC."""

    name: str
    begins: datetime

    @classmethod
    def of(cls, name: str) -> Week:
        """Read `2026-W47`. Raises NotFoundError: there is no such week."""
        if not re.fullmatch(WEEK_PATTERN, name):
            raise NotFoundError
        try:
            return cls(name, datetime.strptime(f"{name}-1", "%G-W%V-%u").replace(tzinfo=UTC))
        except ValueError:
            raise NotFoundError from None

    @classmethod
    def at(cls, moment: datetime) -> Week:
        """The week of a moment."""
        return cls.of(f"{moment.astimezone(UTC):%G-W%V}")

    @property
    def last(self) -> datetime:
        """The beginning of its last day."""
        return self.begins + timedelta(days=6)

    @property
    def ends(self) -> datetime:
        """The moment behind it."""
        return self.begins + timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to look at: an alert, or an access that was drawn; and what was said of it."""

    id: str
    alert: Alert | None = None
    access: Seen | None = None
    said: ReviewVerdict | None = None

    @property
    def account_id(self) -> str | None:
        """Whose act it is about."""
        if self.access is not None:
            return self.access.actor_id
        return None if self.alert is None else self.alert.account_id


@dataclass(frozen=True, slots=True)
class Review:
    """A week's review as it stands.

    Attributes:
        week: Which.
        first: Place of its first event in the log.
        end: The place behind its last.
        checkpoint: Size and root of the checkpoint that draws the sample.
        items: The queue; alerts first, the most severe at the top.
        user_days: On how many days how many people did something, added up.
        reviewers: The e-mail addresses of those who gave verdicts, by account.
        at: When it was put together.
    """

    week: Week
    first: int
    end: int
    checkpoint: tuple[int, bytes]
    items: Sequence[Item]
    user_days: int
    reviewers: Mapping[str, str]
    at: datetime

    @property
    def reviewed(self) -> int:
        """How much of it has a verdict."""
        return sum(item.said is not None for item in self.items)

    @property
    def due(self) -> datetime:
        """When all of it should have one."""
        return self.week.ends + DUE

    @property
    def state(self) -> Literal["complete", "open", "overdue"]:
        """Whether all of it was looked at, else whether it is late."""
        if self.reviewed == len(self.items):
            return "complete"
        return "overdue" if self.at >= self.due else "open"

    def noise(self, severity: Severity) -> float:
        """Alerts of this severity in a thousand user-days."""
        count = sum(
            item.alert is not None and item.alert.severity == severity for item in self.items
        )
        return 1000 * count / max(self.user_days, 1)


class Reviews:
    """Shows what is to be looked at week by week, and takes what is said of it."""

    def __init__(self, main: Database, access: Access) -> None:
        """Log, alerts and verdicts are in `main`."""
        self._main = main
        self._access = access

    async def list(self, actor: Actor) -> Sequence[Review]:
        """The last weeks that are over and had anything to look at, the newest first."""
        await self._access.authorise(actor, Action.REVIEW_LIST)
        found, at = [], now()
        async with self._main.reading() as connection:
            for back in range(1, SHOWN + 1):
                review = await _review(connection, Week.at(at - timedelta(weeks=back)), at)
                if review is not None and review.items:
                    found.append(review)
        return found

    async def view(self, actor: Actor, week: str) -> Review:
        """One week. Raises NotFoundError, and WrongStateError: it is not over, or not signed."""
        target = Target("review", week)
        await self._access.authorise(actor, Action.REVIEW_VIEW, target=target)
        async with self._main.reading() as connection:
            return await _ready(connection, week)

    async def judge(
        self, actor: Actor, week: str, item_id: str, verdict: Verdict, words: str
    ) -> Review:
        """Say of one item what it was; that stays, with one's name.

        Raises:
            NotFoundError: The week's queue has no such item.
            ForbiddenError: It is about oneself.
            WrongStateError: It has a verdict.
        """
        check_reason(words, field="words")
        grant = await self._access.authorise(
            actor, Action.REVIEW_JUDGE, target=Target("review", week)
        )
        async with self._main.transaction() as tx:
            review = await _ready(tx, week)
            item = next((each for each in review.items if each.id == item_id), None)
            if item is None:
                raise NotFoundError
            said = ReviewVerdict(week, item_id, verdict, actor.id, now(), words.strip())
            if item.account_id != actor.id:
                if not await reviews.add(tx, said):
                    raise WrongStateError(needed="not reviewed", state="reviewed")
                await self._access.outcome_in(tx, grant, item=item_id, verdict=verdict)
                return await _ready(tx, week)
        refusal = ForbiddenError()
        await self._access.outcome(grant, item=item_id, refusal=refusal.code)
        raise refusal


async def _ready(connection: AsyncConnection, name: str) -> Review:
    review = await _review(connection, Week.of(name), now())
    if review is None:
        raise WrongStateError(needed="a week that is over and signed", state="not yet")
    return review


async def _review(connection: AsyncConnection, week: Week, at: datetime) -> Review | None:
    """Put a week together; None while it is not over, or no checkpoint covers it."""
    size = await feed.size(connection)
    first = await feed.index_at(connection, week.begins, size)
    end = await feed.index_at(connection, week.ends, size)
    checkpoint = await reviews.root_behind(connection, end)
    if at < week.ends or checkpoint is None:
        return None
    said = {each.item: each for each in await reviews.of_week(connection, week.name)}
    items = [
        *(
            Item(f"alert:{alert.id}", alert=alert)
            for alert in await reviews.raised(connection, week.begins, week.ends)
        ),
        *(
            Item(f"event:{seen.index}", access=seen)
            for seen in await _drawn(connection, f"{week.name} {checkpoint[1].hex()}", first, end)
        ),
    ]
    return Review(
        week=week,
        first=first,
        end=end,
        checkpoint=checkpoint,
        items=[Item(each.id, each.alert, each.access, said.get(each.id)) for each in items],
        user_days=await alerts.user_days(connection, week.begins.date(), week.last.date()),
        reviewers=await accounts.emails_of(connection, {each.by for each in said.values()}),
        at=at,
    )


async def _drawn(connection: AsyncConnection, seed: str, first: int, end: int) -> Sequence[Seen]:
    """The sample: accesses to cases by people, in the order in which they were drawn."""
    found: dict[int, Seen] = {}
    for begin in range(0, DRAWS if end > first else 0, 5 * SAMPLE):
        places = [draw(seed, number, first, end) for number in range(begin, begin + 5 * SAMPLE)]
        there = await feed.checked_at(connection, places)
        for place in places:
            seen = legible(there[place]) if place in there else None
            if seen is not None and seen.code in READS and seen.stage == "authorised":
                found[place] = seen
                if len(found) == SAMPLE:
                    return list(found.values())
    return list(found.values())


def draw(seed: str, number: int, first: int, end: int) -> int:
    """The place that is drawn as this number: SHA-256 of both, modulo the week's events."""
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return first + int.from_bytes(digest, "big") % (end - first)
