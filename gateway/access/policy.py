"""Who may do what with which case: one table, to be read by a lawyer.

Whatever is not in the table is denied. A role has an act only in the relation to the case that
stands beside it. `privacy`, `intake` and `release` take a Grant, and a Grant exists only where
this table says yes (access/grants.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Role(StrEnum):
    """What somebody is. Only a dentist belongs to a controller."""

    DENTIST = "dentist"
    COORDINATOR = "coordinator"
    PLANNER = "planner"
    PRIVACY_OFFICER = "privacy_officer"
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"  # runs the command on the data directory itself
    SYSTEM = "system"  # work that no person started
    NOBODY = "nobody"  # has not signed in


class Relation(StrEnum):
    """How somebody stands to a case (or, where an act has no case, to the house)."""

    OWN_PRACTICE = "own_practice"
    ASSIGNED = "assigned"
    HOUSE = "house"


class Action(StrEnum):
    """Every act. The names are API: they stand in the access log."""

    SESSION_OPEN = "session.open"
    SESSION_USE = "session.use"
    SESSION_VIEW = "session.view"
    SESSION_CONFIRM = "session.confirm"
    SESSION_CLOSE = "session.close"
    SECOND_AGREE = "second.agree"
    CASE_CREATE = "case.create"
    CASE_LIST = "case.list"
    CASE_SEARCH = "case.search"
    CASE_VIEW = "case.view"
    CASE_SUBMIT = "case.submit"
    CASE_ASSIGN = "case.assign"
    CASE_COMPLETE = "case.complete"
    CASE_ERASE = "case.erase"
    CASE_RECTIFY = "case.rectify"
    ERASURE_VIEW = "erasure.view"
    ERASURE_APPROVE = "erasure.approve"
    ERASURE_WITHDRAW = "erasure.withdraw"
    FILE_UPLOAD = "file.upload"
    FILE_VIEW = "file.view"
    FILE_DOWNLOAD = "file.download"
    FILE_THUMBNAIL = "file.thumbnail"
    FILE_PLACE = "file.place"
    FILE_REMOVE = "file.remove"
    FILE_ERASE = "file.erase"
    FILE_INSPECT = "file.inspect"
    PLAN_UPLOAD = "plan.upload"
    LOG_VIEW = "log.view"
    CONTROLLER_ADD = "controller.add"
    CONTROLLER_LIST = "controller.list"
    CONTROLLER_CHANGE = "controller.change"
    CONTROLLER_ERASE = "controller.erase"
    ACCOUNT_ADD = "account.add"
    ACCOUNT_LIST = "account.list"
    ACCOUNT_CHANGE = "account.change"
    TOKEN_CREATE = "token.create"  # noqa: S105 - a name
    ORPHANS_SWEEP = "orphans.sweep"
    INTEGRITY_ALARM = "integrity.alarm"
    HOUSE_START = "house.start"
    HOUSE_STOP = "house.stop"
    SETTINGS_CHANGE = "settings.change"
    LOG_PRUNE = "log.prune"
    BACKUP_WRITE = "backup.write"
    BACKUP_TEST = "backup.test"
    RECOVERY_CHANGE = "recovery.change"
    HOUSE_RESTORE = "house.restore"
    HOUSE_EXAMINE = "house.examine"
    KEY_LIST = "key.list"
    KEY_ROTATE = "key.rotate"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table.

    `letter` is the action code of NEN 7513 / DICOM: Create, Read, Update, Delete, Execute.
    `states` are the states of a case in which the act makes sense; none given: any.
    """

    letter: Literal["C", "R", "U", "D", "E"]
    who: frozenset[tuple[Role, Relation]]
    states: frozenset[str] = frozenset()
    while_frozen: bool = False


_PRACTICE = (Role.DENTIST, Relation.OWN_PRACTICE)
_PLANNER = (Role.PLANNER, Relation.ASSIGNED)
_COORDINATOR = (Role.COORDINATOR, Relation.HOUSE)
_OFFICER = (Role.PRIVACY_OFFICER, Relation.HOUSE)
_OPERATOR = (Role.OPERATOR, Relation.HOUSE)
_SYSTEM = (Role.SYSTEM, Relation.HOUSE)
_EVERYONE = frozenset((role, Relation.HOUSE) for role in Role)
_SIGNED_IN = _EVERYONE - {(Role.NOBODY, Relation.HOUSE)}

POLICY: Mapping[Action, Rule] = {
    Action.SESSION_OPEN: Rule("E", _EVERYONE),
    Action.SESSION_USE: Rule("E", frozenset()),  # only its refusals are events
    Action.SESSION_VIEW: Rule("R", _SIGNED_IN),
    Action.SESSION_CONFIRM: Rule("E", _SIGNED_IN),
    Action.SESSION_CLOSE: Rule("E", _SIGNED_IN),
    Action.SECOND_AGREE: Rule("E", frozenset({_PRACTICE, _OFFICER})),
    Action.CASE_CREATE: Rule("C", frozenset({_PRACTICE})),
    Action.CASE_LIST: Rule("R", frozenset({_PRACTICE, _PLANNER, _COORDINATOR})),
    Action.CASE_SEARCH: Rule("R", frozenset({_PRACTICE})),
    Action.CASE_VIEW: Rule("R", frozenset({_PRACTICE, _PLANNER, _COORDINATOR}), while_frozen=True),
    Action.CASE_SUBMIT: Rule("U", frozenset({_PRACTICE}), frozenset({"draft"})),
    Action.CASE_ASSIGN: Rule("U", frozenset({_COORDINATOR}), frozenset({"submitted", "planning"})),
    Action.CASE_COMPLETE: Rule("U", frozenset({_PLANNER}), frozenset({"planning"})),
    Action.CASE_ERASE: Rule("D", frozenset({_PRACTICE, _SYSTEM}), while_frozen=True),
    Action.CASE_RECTIFY: Rule("U", frozenset({_PRACTICE, _SYSTEM})),
    Action.ERASURE_VIEW: Rule("R", frozenset({_PRACTICE, _OFFICER}), while_frozen=True),
    Action.ERASURE_APPROVE: Rule("U", frozenset({_PRACTICE})),
    Action.ERASURE_WITHDRAW: Rule("U", frozenset({_PRACTICE})),
    Action.FILE_UPLOAD: Rule("C", frozenset({_PRACTICE}), frozenset({"draft"})),
    Action.FILE_VIEW: Rule("R", frozenset({_PRACTICE, _PLANNER, _COORDINATOR})),
    Action.FILE_DOWNLOAD: Rule("R", frozenset({_PRACTICE, _PLANNER})),
    Action.FILE_THUMBNAIL: Rule("R", frozenset({_PRACTICE, _PLANNER})),
    Action.FILE_PLACE: Rule("U", frozenset({_PRACTICE}), frozenset({"draft"})),
    Action.FILE_REMOVE: Rule("D", frozenset({_PRACTICE}), frozenset({"draft"})),
    Action.FILE_ERASE: Rule("D", frozenset({_PRACTICE, _SYSTEM})),
    Action.FILE_INSPECT: Rule("E", frozenset({_SYSTEM})),
    Action.PLAN_UPLOAD: Rule("C", frozenset({_PLANNER}), frozenset({"planning"})),
    Action.LOG_VIEW: Rule("R", frozenset({_PRACTICE, _OFFICER}), while_frozen=True),
    Action.CONTROLLER_ADD: Rule("C", frozenset({_OPERATOR})),
    Action.CONTROLLER_LIST: Rule("R", frozenset({_OPERATOR})),
    Action.CONTROLLER_CHANGE: Rule("U", frozenset({_OPERATOR})),
    Action.CONTROLLER_ERASE: Rule("D", frozenset({_OPERATOR, _SYSTEM})),
    Action.ACCOUNT_ADD: Rule("C", frozenset({_OPERATOR})),
    Action.ACCOUNT_LIST: Rule("R", frozenset({_OPERATOR})),
    Action.ACCOUNT_CHANGE: Rule("U", frozenset({_OPERATOR})),
    Action.TOKEN_CREATE: Rule("C", frozenset({_OPERATOR})),
    Action.ORPHANS_SWEEP: Rule("D", frozenset({_OPERATOR, _SYSTEM})),
    Action.INTEGRITY_ALARM: Rule("E", frozenset({_SYSTEM})),
    Action.HOUSE_START: Rule("E", frozenset({_SYSTEM})),
    Action.HOUSE_STOP: Rule("E", frozenset({_SYSTEM})),
    Action.SETTINGS_CHANGE: Rule("U", frozenset({_SYSTEM})),
    Action.LOG_PRUNE: Rule("D", frozenset({_OPERATOR, _SYSTEM})),
    Action.BACKUP_WRITE: Rule("E", frozenset({_OPERATOR, _SYSTEM})),
    Action.BACKUP_TEST: Rule("E", frozenset({_OPERATOR})),
    Action.RECOVERY_CHANGE: Rule("U", frozenset({_OPERATOR})),
    Action.HOUSE_RESTORE: Rule("C", frozenset({_OPERATOR})),
    Action.HOUSE_EXAMINE: Rule("R", frozenset({_OPERATOR})),
    Action.KEY_LIST: Rule("R", frozenset({_OPERATOR})),
    Action.KEY_ROTATE: Rule("U", frozenset({_OPERATOR, _SYSTEM})),
}

_MAKES_ROOM = frozenset({Role.PRIVACY_OFFICER, Role.ADMINISTRATOR, Role.OPERATOR, Role.SYSTEM})


def may_use_reserve(action: Action, role: Role) -> bool:
    """Whether the act goes on when the disk is full but for its reserve.

    That is for whoever can make room. Inspection would fill it: an accepted file is a new one.
    """
    return role in _MAKES_ROOM and action is not Action.FILE_INSPECT


AFTER_ERASURE = frozenset(
    {
        *(Action.LOG_VIEW, Action.ERASURE_VIEW, Action.CASE_VIEW, Action.CASE_ERASE),
        *(Action.FILE_ERASE, Action.CASE_RECTIFY),
    }
)
"""An erased case is a tombstone: its log and certificate stay, to who could see it before.

Asking for the erasure again gives the same one. What was under way for a file or a correction of
it comes to its end; nobody asks for those anew, for the case stays frozen.
"""


def ground(action: Action, role: Role, relations: Mapping[Relation, str]) -> str | None:
    """On what ground the act is allowed, or None.

    Args:
        action: The act.
        role: Of who asks.
        relations: In which relations they stand to the object, each with the words for the log.
    """
    for relation, words in relations.items():
        if (role, relation) in POLICY[action].who:
            return words
    return None
