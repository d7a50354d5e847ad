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
from gateway.access.policy import (
    AFTER_ERASURE,
    POLICY,
    Action,
    Relation,
    Role,
    ground,
    may_use_reserve,
)
from gateway.errors import (
    CaseFrozenError,
    DiskFullError,
    ForbiddenError,
    GatewayError,
    IntegrityFailedError,
    NotFoundError,
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
    """The receipt that an act was allowed *and* that this is logged. Made in `Access` alone."""

    event_id: str
    action: Action
    actor: Actor
    ground: str
    subject: Case | None
    target: Target | None = None

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
            UnavailableError: The event could not be written, so nothing may happen; or the disk
                is full but for its reserve, and this act makes no room.
        """
        if not may_use_reserve(action, actor.role) and self._reserve.is_short():
            raise DiskFullError
        case, relations = await self._look(actor, case_id)
        words = ground(action, actor.role, relations)
        refusal = self._refusal(actor, action, case_id, case, relations)
        target = target or (Target("case", case_id) if case_id else None)
        event = self._event(
            actor,
            action,
            stage="authorised" if refusal is None else "refused",
            ground=words or "none",
            case=case,
            target=target,
            detail={**(detail or {}), **({"refusal": refusal.code} if refusal else {})},
        )
        await self._append(event)
        if refusal is not None:
            raise refusal
        return Grant(event.id, action, actor, words or "none", case, target)

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
        """Log an event of the house that no policy row decides, such as a failed login."""
        stage: Stage = "refused" if refused else "authorised"
        event = self._event(
            actor, action, stage=stage, ground="none", case=None, target=None, detail=detail
        )
        await self._append(event)

    async def _look(
        self, actor: Actor, case_id: str | None
    ) -> tuple[Case | None, Mapping[Relation, str]]:
        if case_id is None:
            return None, _relations_to_house(actor)
        async with self._main.reading() as connection:
            case = await cases.get(connection, case_id)
            assignment = await cases.running_assignment(connection, case_id, actor.id, now())
        if case is None:
            return None, {}
        relations = {Relation.HOUSE: f"role:{actor.role}"}
        if actor.controller_id == case.controller_id:
            relations[Relation.OWN_PRACTICE] = "own_practice"
        if assignment is not None:
            relations[Relation.ASSIGNED] = f"assignment:{assignment.id}"
        return case, relations

    @staticmethod
    def _refusal(
        actor: Actor,
        action: Action,
        case_id: str | None,
        case: Case | None,
        relations: Mapping[Relation, str],
    ) -> GatewayError | None:
        allowed = ground(action, actor.role, relations) is not None
        if case_id is None or case is None:
            missing = case_id is not None
            return NotFoundError() if missing else None if allowed else ForbiddenError()
        if not allowed:
            sees = ground(Action.CASE_VIEW, actor.role, relations) is not None
            return ForbiddenError() if sees else NotFoundError()
        rule = POLICY[action]
        if case.state == "erased" and action not in AFTER_ERASURE:
            return WrongStateError(needed="not erased", state="erased")
        if case.frozen_at is not None and not rule.while_frozen and actor.role is not Role.SYSTEM:
            return CaseFrozenError()
        if rule.states and case.state not in rule.states:
            return WrongStateError(needed=" / ".join(sorted(rule.states)), state=case.state)
        return None

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


def _relations_to_house(actor: Actor) -> Mapping[Relation, str]:
    relations = {Relation.HOUSE: f"role:{actor.role}"}
    if actor.controller_id is not None:
        relations[Relation.OWN_PRACTICE] = "own_practice"
    if actor.role is Role.PLANNER:
        # Without a case: their list holds what they are assigned to, and nothing else.
        relations[Relation.ASSIGNED] = "own_assignments"
    return relations
