"""The one chokepoint: authorise, log, and only then hand out a Grant.

Order is the contract (invariant 2): the event that somebody was allowed is durable before the
Grant exists, and without a Grant no byte moves. Refusals are events too. If the log cannot be
written nothing is shown and nothing happens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor, system
from gateway.access.limits import (
    AFTER_ERASURE,
    LOCKED,
    ON_RESTRICTED_CASE,
    WHILE_LOCKED,
    WHILE_RESTRICTED,
    may_use_reserve,
    needs_confidentiality,
)
from gateway.access.policy import (
    POLICY,
    Action,
    Relation,
    Role,
    allowing,
)
from gateway.access.relations import Standing, standing
from gateway.errors import (
    CaseFrozenError,
    CaseRestrictedError,
    ConfidentialityRequiredError,
    DiskFullError,
    ForbiddenError,
    GatewayError,
    IntegrityFailedError,
    NotFoundError,
    OutOfScopeError,
    SecondFactorRequiredError,
    SessionLockedError,
    UnavailableError,
    WrongStateError,
)
from gateway.ids import new_id, now
from keys.errors import UnsealError
from storage import cases
from storage.accesslog.event import AccessEvent, Stage
from storage.accesslog.log import AccessLog
from storage.cases import Case
from storage.database import Database
from storage.errors import BlobMissingError, LogUnavailableError
from storage.reserve import DiskReserve

CONFIRM_AT = "POST /api/v1/account/confidentiality"
Detail = str | int | bool | list[str]

traces: ContextVar[list[str]] = ContextVar("traces")
"""The ids of the events that are durable for the request at hand, where somebody set a list."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an act is done to, besides the case."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Grant:
    """The receipt that an act was allowed *and* that this is logged. Made in `Access` alone.

    `relation` is that of the actor to the object by which the act was allowed.
    """

    event_id: str
    action: Action
    actor: Actor
    ground: str
    subject: Case | None
    target: Target | None = None
    relation: Relation = Relation.HOUSE

    @property
    def case(self) -> Case:
        """The case that the Grant is for."""
        if self.subject is None:
            raise NotFoundError
        return self.subject


class Access:
    """Decides by the policy, writes the log, makes Grants."""

    def __init__(self, main: Database, log: AccessLog, reserve: DiskReserve, node_id: str) -> None:
        """Decide on the cases in `main`; write events as node `node_id`."""
        self._main = main
        self._reserve = reserve
        self._log = log
        self._node_id = node_id

    async def authorise(
        self,
        actor: Actor,
        action: Action,
        case_id: str | None = None,
        *,
        target: Target | None = None,
        detail: Mapping[str, Detail] | None = None,
    ) -> Grant:
        """Allow one act, or refuse it; either is durable in the log when this ends.

        Raises:
            NotFoundError: No such case, or this actor may not know that there is one.
            ForbiddenError: They may see the case, but not do this with it.
            WrongStateError: The case is not in a state for this act.
            CaseFrozenError: The case is being erased.
            CaseRestrictedError: A doubt about the case is to be settled first.
            ConfidentialityRequiredError: Somebody of the house has not confirmed their duty.
            UnavailableError: The event could not be written, so nothing may happen; or the disk
                is full but for its reserve, and this act makes no room.
        """
        if not may_use_reserve(action, actor.role) and self._reserve.is_short():
            raise DiskFullError
        async with self._main.reading() as connection:
            found = await standing(connection, actor, case_id, _account_of(target))
        relation = allowing(action, actor.role, found.relations)
        words = "none" if relation is None else found.relations[relation]
        refusal = self._refusal(actor, action, case_id, found, target)
        if refusal is None and needs_confidentiality(action, actor.role) and not found.is_bound:
            refusal = ConfidentialityRequiredError(field=CONFIRM_AT)
        target = target or (Target("case", case_id) if case_id else None)
        event = self._event(
            actor,
            action,
            stage="authorised" if refusal is None else "refused",
            ground=words,
            case=found.case,
            target=target,
            detail={**(detail or {}), **({"refusal": refusal.code} if refusal else {})},
        )
        await self._append(event)
        if refusal is not None or relation is None:
            raise refusal or ForbiddenError
        return Grant(event.id, action, actor, words, found.case, target, relation)

    async def outcome(
        self, grant: Grant, *, controller_id: str | None = None, **detail: Detail
    ) -> None:
        """Say what became of an act that reads, such as bytes sent and whether it ended."""
        await self._append(self._outcome(grant, None, controller_id, detail))

    async def outcome_in(
        self,
        tx: AsyncConnection,
        grant: Grant,
        target: Target | None = None,
        *,
        controller_id: str | None = None,
        **detail: Detail,
    ) -> str:
        """Commit what was changed together with the change itself; the event's id."""
        event = self._outcome(grant, target, controller_id, detail)
        await self._log.append_in(tx, event)
        return event.id

    @asynccontextmanager
    async def watching(self, grant: Grant, target: Target) -> AsyncIterator[None]:
        """Around whatever opens what is stored: if it is not what was sealed, log and refuse.

        Raises:
            IntegrityFailedError: Something in the block did not open, or was not there.
            CaseFrozenError: Because the case is being erased since the Grant was given.
            UnavailableError: Because it was given another key since: try again.
        """
        try:
            yield
        except (UnsealError, BlobMissingError) as error:
            if grant.subject is not None:
                async with self._main.reading() as connection:
                    case = await cases.get(connection, grant.subject.id)
                if case is None or case.frozen_at is not None:
                    raise CaseFrozenError from error
                if case.key_id != grant.subject.key_id:
                    raise UnavailableError from error
            await self.alarm(grant, target)
            raise IntegrityFailedError(id=target.id) from error

    async def alarm(self, grant: Grant, target: Target) -> None:
        """Log that something stored does not open as what it should be."""
        event = self._event(
            system("integrity"),
            Action.INTEGRITY_ALARM,
            stage="refused",
            ground="none",
            case=grant.subject,
            target=target,
            detail={},
            cause=grant.event_id,
        )
        await self._append(event)

    async def note(self, actor: Actor, action: Action, *, refused: bool, **detail: Detail) -> None:
        """Log an event of the house that no policy row decides, such as a failed login.

        Raises:
            UnavailableError: The event could not be written; or the disk is full but for its
                reserve, and somebody was refused for whom that is not kept.
        """
        kept = _has_proved(actor) and may_use_reserve(action, actor.role)
        if refused and not kept and self._reserve.is_short():
            raise DiskFullError
        stage: Stage = "refused" if refused else "authorised"
        event = self._event(
            actor, action, stage=stage, ground="none", case=None, target=None, detail=detail
        )
        await self._append(event)

    @staticmethod
    def _refusal(
        actor: Actor,
        action: Action,
        case_id: str | None,
        found: Standing,
        target: Target | None,
    ) -> GatewayError | None:
        limit = _refusal_by_limits(actor, action, case_id)
        if limit is not None:
            return limit
        case = found.case
        allowed = allowing(action, actor.role, found.relations) is not None
        if case_id is None:
            return _refusal_without_case(actor, action, _account_of(target), allowed=allowed)
        if case is None:
            return NotFoundError()
        if not allowed:
            sees = allowing(Action.CASE_VIEW, actor.role, found.relations) is not None
            return ForbiddenError() if sees else NotFoundError()
        return _refusal_by_state(actor, action, case)

    def _outcome(
        self,
        grant: Grant,
        target: Target | None,
        controller_id: str | None,
        detail: Mapping[str, Detail],
    ) -> AccessEvent:
        return self._event(
            grant.actor,
            grant.action,
            stage="outcome",
            ground=grant.ground,
            case=grant.subject,
            target=target or grant.target,
            detail=detail,
            cause=grant.event_id,
            controller_id=controller_id,
        )

    def _event(
        self,
        actor: Actor,
        action: Action,
        *,
        stage: Stage,
        ground: str,
        case: Case | None,
        target: Target | None,
        detail: Mapping[str, Detail],
        cause: str | None = None,
        controller_id: str | None = None,
    ) -> AccessEvent:
        return AccessEvent(
            id=new_id(),
            at=now(),
            code=action.value,
            action=POLICY[action].letter,
            stage=stage,
            actor_id=actor.id,
            actor_role=actor.role.value,
            ground=ground,
            request_id=actor.request_id,
            access_point=actor.access_point,
            address=actor.address,
            source=self._node_id,
            controller_id=case.controller_id if case else controller_id or actor.controller_id,
            case_id=case.id if case else None,
            object_type=target.type if target else None,
            object_id=target.id if target else None,
            cause=cause,
            detail=detail,
        )

    async def _append(self, event: AccessEvent) -> None:
        try:
            await self._log.append(event)
        except LogUnavailableError as error:
            raise UnavailableError from error
        if (trace := traces.get(None)) is not None:
            trace.append(event.id)


def _has_proved(actor: Actor) -> bool:
    """Whether they came by a session or token, or not from outside at all.

    Who fails to sign in is logged as the account they tried. If a role decided for them, a full
    disk would tell anybody which address is an officer's, and take the reserve of their guesses.
    """
    return actor.access_point != "api" or actor.session is not None or actor.scope is not None


def _account_of(target: Target | None) -> str | None:
    return target.id if target is not None and target.type == "account" else None


def _refusal_by_limits(actor: Actor, action: Action, case_id: str | None) -> GatewayError | None:
    """What the token or session does not reach, whatever the policy says; of no case it tells."""
    if actor.scope is not None and not actor.scope.allows(action, case_id):
        return OutOfScopeError()
    if actor.restricted == LOCKED and action not in WHILE_LOCKED:
        return SessionLockedError()
    if actor.restricted is not None and action not in WHILE_RESTRICTED:
        return SecondFactorRequiredError()
    return None


def _refusal_by_state(actor: Actor, action: Action, case: Case) -> GatewayError | None:
    rule = POLICY[action]
    if case.state == "erased" and action not in AFTER_ERASURE:
        return WrongStateError(needed="not erased", state="erased")
    if case.frozen_at is not None and not rule.while_frozen and actor.role is not Role.SYSTEM:
        return CaseFrozenError()
    if (
        case.restricted_at is not None
        and action not in ON_RESTRICTED_CASE
        and actor.role is not Role.SYSTEM
    ):
        return CaseRestrictedError()
    if rule.states and case.state not in rule.states:
        return WrongStateError(needed=" / ".join(sorted(rule.states)), state=case.state)
    return None


def require_still(grant: Grant, case: Case | None) -> Case:
    """Give the case, now under its row lock; refuse what it is no longer in a state for.

    Raises:
        NotFoundError: There is no such case any more.
        WrongStateError, CaseFrozenError, CaseRestrictedError: As `Access.authorise`.
    """
    if case is None:
        raise NotFoundError
    if (refusal := _refusal_by_state(grant.actor, grant.action, case)) is not None:
        raise refusal
    return case


def _refusal_without_case(
    actor: Actor, action: Action, account_id: str | None, *, allowed: bool
) -> GatewayError | None:
    rule = POLICY[action]
    if allowed:
        return ForbiddenError() if rule.never_self and account_id == actor.id else None
    # Another practice's account is as unknown as one that there is not.
    theirs = (actor.role, Relation.OWN_PRACTICE) in rule.who and actor.controller_id is not None
    return NotFoundError() if theirs else ForbiddenError()
