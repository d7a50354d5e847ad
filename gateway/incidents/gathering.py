"""Computing a scope: the acts that fit the question, the cases they reached, what they did there.

An act reaches the case that its event names, those that its outcomes name, and those whose events
it read out of the log. What is not there after all (an unknown case, a file of another case) was
answered with nothing, and is in no scope. Neither is a canary: nobody's data are in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.policy import Action
from gateway.errors import InvalidInputError
from gateway.incidents import acts as log
from gateway.incidents.acts import Act
from gateway.incidents.effects import Harm, weigh, whole
from gateway.incidents.records import CaseRecord, read_case
from gateway.incidents.scope import CaseInScope, Question, Scope, ScopeOfController
from storage import accounts, canaries, cases, emergencies, erasures
from storage.accesslog import reading
from storage.database import Database


async def gather(main: Database, question: Question, at: datetime) -> Scope:
    """Answer a question from the log as it is at this moment.

    Raises:
        InvalidInputError: It names a controller that there is not.
    """
    found = await log.find(main, question)
    harms: dict[str, Harm] = defaultdict(Harm)
    records: dict[str, CaseRecord] = {}
    async with main.reading() as connection:
        for act in found.acts:
            reached = await _reached(connection, act)
            await _learn(connection, reached - records.keys(), records)
            for case_id in sorted(reached & records.keys()):
                weigh(act, records[case_id], harms[case_id])
    exposed = await _exposed(main, question, records)
    for case_id in exposed:
        whole(records[case_id], harms[case_id], question.since)
    by_controller: dict[str, list[CaseInScope]] = defaultdict(list)
    async with main.reading() as connection:
        invented = await canaries.ever(connection)
    for case_id, harm in sorted(harms.items()):
        if harm.effects and case_id not in invented:
            record = records[case_id]
            by_controller[record.controller_id].append(
                _in_scope(record, harm, keys_exposed=case_id in exposed)
            )
    answers = [
        ScopeOfController(controller_id, tuple(theirs), at, found.up_to, found.complete)
        for controller_id, theirs in sorted(by_controller.items())
    ]
    return Scope(question, tuple(answers), at, found.up_to, found.complete, len(found.acts))


def _in_scope(record: CaseRecord, harm: Harm, *, keys_exposed: bool) -> CaseInScope:
    return CaseInScope(
        case_id=record.case_id,
        subject=record.subject,
        files=tuple(sorted(harm.files)),
        kinds=tuple(sorted(harm.kinds)),
        effects=tuple(sorted(harm.effects)),
        keys_exposed=keys_exposed,
        events=harm.events,
    )


async def _learn(
    connection: AsyncConnection, case_ids: Iterable[str], records: dict[str, CaseRecord]
) -> None:
    for case_id in case_ids:
        record = await read_case(connection, case_id)
        if record is not None:
            records[case_id] = record


async def _reached(connection: AsyncConnection, act: Act) -> set[str]:
    """The cases that an act reached, as far as the log says which."""
    found = {act.event.case_id, *(outcome.case_id for outcome in act.outcomes)}
    for outcome in act.outcomes:
        found.update(_named(outcome.detail, "cases"))
        for emergency_id in _named(outcome.detail, "emergencies"):
            emergency = await emergencies.get(connection, emergency_id)
            found.add(None if emergency is None else emergency.case_id)
        found |= await erasures.cases_of(connection, _named(outcome.detail, "erasures"))
        if act.event.code == Action.CONTROLLER_ERASE and outcome.controller_id is not None:
            theirs = await cases.of_controller(connection, outcome.controller_id)
            found.update(case.id for case in theirs)
    if act.event.code == Action.LOG_VIEW and act.event.case_id is None:
        found |= await _read_out(connection, act)
    return {case_id for case_id in found if case_id is not None}


def _named(detail: Mapping[str, object], name: str) -> list[str]:
    named = detail.get(name)
    return [each for each in named if isinstance(each, str)] if isinstance(named, list) else []


async def _read_out(connection: AsyncConnection, act: Act) -> set[str]:
    """The cases of the events that somebody read out of the log: a page of it, or a proof of one.

    Whose events: the outcome says so, where they were not one's own practice's.
    """
    event = act.event
    whose = next((each.controller_id for each in act.outcomes), event.controller_id)
    if act.broke:
        return set()
    if event.object_type == "log_entry":
        return await reading.cases_at(connection, [int(event.object_id or 0)])
    after, limit = event.detail.get("after"), event.detail.get("limit")
    if whose is None or not isinstance(after, int) or not isinstance(limit, int):
        return set()
    page = await reading.events_of_controller(connection, whose, after, limit)
    return await reading.cases_at(connection, [it.index for it in page if it.index < act.index])


async def _exposed(
    main: Database, question: Question, records: dict[str, CaseRecord]
) -> frozenset[str]:
    """The cases that a key opens which is taken as known: those there were in the time asked."""
    found = set()
    for controller_id in question.keys:
        async with main.reading() as connection:
            if await accounts.get_controller(connection, controller_id) is None:
                raise InvalidInputError(field="keys", reason="there is no client of this id")
            theirs = [each.id for each in await cases.of_controller(connection, controller_id)]
            await _learn(connection, set(theirs) - records.keys(), records)
        found |= {case_id for case_id in theirs if _was_there(records[case_id], question)}
    return frozenset(found)


def _was_there(record: CaseRecord, question: Question) -> bool:
    began, ended = record.created_at, record.erased_at
    if question.until is not None and began is not None and began >= question.until:
        return False
    return question.since is None or ended is None or ended > question.since
