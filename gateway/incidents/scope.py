"""The scope of an incident: which cases, files and people of which controller, as the log says.

What is asked is a question (`Question`); what the log answers is one `ScopeOfController` for each
controller that is in it. Both are kept, so that what was known when stays known.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.errors import InvalidInputError

MOST_NAMED = 1_000  # accounts, addresses or requests in one question


class Kind(StrEnum):
    """A kind of data that somebody got. The names are API."""

    STATE = "state"  # that the case is there: pseudonym, treatment, state, days, who works on it
    LOG = "log"  # who did what with it
    AGE = "age"
    IDENTITY = "identity"  # the patient: name, birth date, the practice's number
    MATCH = "match"  # that whoever was searched for, by name or number, is the patient
    NOTES = "notes"
    DETAILS = "details"  # of a file: its name, checks and findings
    THUMBNAIL = "thumbnail"
    SCAN = "scan"
    PHOTO = "photo"
    PLAN = "plan"


METADATA = frozenset({Kind.STATE, Kind.LOG})
"""What says something about a case without showing anything out of it; the rest is content."""


class Effect(StrEnum):
    """What happened to the data, in the words of GDPR article 4(12). The names are API."""

    DISCLOSED = "disclosed"
    ALTERED = "altered"
    LOST = "lost"  # erased, or to be erased


@dataclass(frozen=True, slots=True)
class Question:
    """What belongs to an incident: an act that fits everything that is given.

    Attributes:
        accounts: Ids of the accounts that acted, or that somebody acted as.
        since: Not before; aware.
        until: Before; aware.
        addresses: Network addresses, or networks such as `192.0.2.0/24`.
        requests: Ids of single requests.
        keys: Controllers whose key, with a copy of what is stored, is taken as known to somebody
            else between `since` and `until`.

    Raises:
        InvalidInputError: It asks for nothing, for too much, or names no address.
    """

    accounts: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    addresses: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what was given."""
        named = (self.accounts, self.addresses, self.requests, self.keys)
        if not any(named) and self.since is None:
            reason = "name accounts, addresses, requests, keys, or when it began"
            raise InvalidInputError(field="question", reason=reason)
        if max(map(len, named)) > MOST_NAMED:
            raise InvalidInputError(field="question", reason=f"name at most {MOST_NAMED} of a kind")
        for at in (self.since, self.until):
            if at is not None and at.tzinfo is None:
                raise InvalidInputError(field="question", reason="say the time with its zone")
        if self.since and self.until and self.until <= self.since:
            raise InvalidInputError(field="until", reason="the end lies behind the beginning")
        try:
            [ipaddress.ip_network(each) for each in self.addresses]
        except ValueError:
            reason = "take addresses such as 192.0.2.7, or networks such as 192.0.2.0/24"
            raise InvalidInputError(field="addresses", reason=reason) from None


@dataclass(frozen=True, slots=True)
class CaseInScope:
    """What happened to one case.

    Attributes:
        case_id: The case.
        subject: Pseudonym of its data subject; None: the case was erased since.
        files: Ids of its files of which content was sent, sorted.
        kinds: The kinds of data, sorted.
        effects: What happened to them, sorted.
        keys_exposed: Whether the key that opens it is taken as known to somebody else.
        events: How many events of the log say so.
    """

    case_id: str
    subject: str | None
    files: tuple[str, ...]
    kinds: tuple[Kind, ...]
    effects: tuple[Effect, ...]
    keys_exposed: bool
    events: int

    @property
    def content(self) -> bool:
        """Whether anything of it was content, not only metadata."""
        return not METADATA.issuperset(self.kinds)


@dataclass(frozen=True, slots=True)
class ScopeOfController:
    """What is in an incident of one controller: GDPR article 33(3)(a), and 34(3)(a) for the keys.

    Attributes:
        controller_id: The controller.
        cases: Its cases, sorted by id.
        computed_at: When the log was read.
        up_to: How many places the log had then.
        complete: Whether every record of the period was there to be read and unaltered.
    """

    controller_id: str
    cases: Sequence[CaseInScope]
    computed_at: datetime
    up_to: int
    complete: bool

    @property
    def files(self) -> int:
        """How many files content was sent of."""
        return sum(len(case.files) for case in self.cases)

    @property
    def subjects(self) -> int:
        """How many data subjects; a case that was erased since counts as one of its own."""
        known = {case.subject for case in self.cases if case.subject is not None}
        return len(known) + sum(case.subject is None for case in self.cases)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All kinds of data, sorted."""
        return tuple(sorted({kind for case in self.cases for kind in case.kinds}))

    @property
    def effects(self) -> tuple[Effect, ...]:
        """All that happened, sorted."""
        return tuple(sorted({effect for case in self.cases for effect in case.effects}))

    @property
    def content(self) -> bool:
        """Whether anything was content, not only metadata."""
        return any(case.content for case in self.cases)

    @property
    def keys_exposed(self) -> bool:
        """Whether the key of any of the cases is taken as known to somebody else."""
        return any(case.keys_exposed for case in self.cases)


@dataclass(frozen=True, slots=True)
class Scope:
    """What the log answered: by controller, sorted; an answer without any is an answer too.

    `acts` is how many acts fitted the question, also those that touched no case.
    """

    question: Question
    controllers: Sequence[ScopeOfController]
    computed_at: datetime
    up_to: int
    complete: bool
    acts: int
