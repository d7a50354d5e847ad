"""Who may do what with which case: one table, to be read by a lawyer.

Whatever is not in the table is denied. A role has an act only in the relation to the case that
stands beside it. `privacy`, `intake` and `release` take a Grant, and a Grant exists only where
this table says yes (access/grants.py). What each act is in plain words stands in
access/sentences.py; docs/policy.md is written from both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Role(StrEnum):
    """What somebody is. Those of OF_CONTROLLER belong to a controller, and nobody else does."""

    DENTIST = "dentist"
    PRACTICE_MANAGER = "practice_manager"  # a dentist's rights, and the practice's people
    SERVICE = "service"  # a practice's software; it has tokens and no password
    COORDINATOR = "coordinator"
    PLANNER = "planner"
    PRIVACY_OFFICER = "privacy_officer"
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"  # runs the command on the data directory itself
    SYSTEM = "system"  # work that no person started
    NOBODY = "nobody"  # has not signed in


class Relation(StrEnum):
    """How somebody stands to a case or an account; the first that allows an act is its ground."""

    SELF = "self"  # the account is one's own
    OWN_PRACTICE = "own_practice"  # the case or account is of the practice that one belongs to
    ASSIGNED = "assigned"  # an assignment to the case is running
    EMERGENCY = "emergency"  # an emergency that one declared for the case is running
    SUPERVISOR = "supervisor"  # one hands out the work on the case
    HOUSE = "house"  # none: the role is enough


class Action(StrEnum):
    """Every act. The names are API: they stand in the access log."""

    SESSION_OPEN = "session.open"
    SESSION_USE = "session.use"
    SESSION_VIEW = "session.view"
    SESSION_PROVE = "session.prove"
    SESSION_CONFIRM = "session.confirm"
    SESSION_CLOSE = "session.close"
    SESSION_LIST = "session.list"
    SESSION_END = "session.end"
    SESSION_LIST_ALL = "session.list_all"
    SESSION_END_ALL = "session.end_all"
    SESSION_STUFFING = "session.stuffing"
    FACTOR_LIST = "factor.list"
    FACTOR_ADD = "factor.add"
    FACTOR_ACTIVATE = "factor.activate"
    FACTOR_REMOVE = "factor.remove"
    RECOVERY_CODES_RENEW = "recovery_codes.renew"
    PASSWORD_CHANGE = "password.change"  # noqa: S105 - a name
    SECOND_AGREE = "second.agree"
    CASE_CREATE = "case.create"
    CASE_LIST = "case.list"
    CASE_SEARCH = "case.search"
    CASE_VIEW = "case.view"
    CASE_SUBMIT = "case.submit"
    CASE_ASSIGN = "case.assign"
    CASE_HAND_OVER = "case.hand_over"
    CASE_COMPLETE = "case.complete"
    CASE_ERASE = "case.erase"
    CASE_RECTIFY = "case.rectify"
    ASSIGNMENT_LIST = "assignment.list"
    ASSIGNMENT_END = "assignment.end"
    CASE_RESTRICT = "case.restrict"
    CASE_RELEASE = "case.release"
    EMERGENCY_DECLARE = "emergency.declare"
    EMERGENCY_LIST = "emergency.list"
    EMERGENCY_REVIEW = "emergency.review"
    CONFIDENTIALITY_VIEW = "confidentiality.view"
    CONFIDENTIALITY_CONFIRM = "confidentiality.confirm"
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
    ALERT_LIST = "alert.list"
    ALERT_VIEW = "alert.view"
    ALERT_ASSIGN = "alert.assign"
    ALERT_COMMENT = "alert.comment"
    ALERT_DISMISS = "alert.dismiss"
    MISUSE_REPORT = "misuse.report"
    INCIDENT_OPEN = "incident.open"
    INCIDENT_LIST = "incident.list"
    INCIDENT_VIEW = "incident.view"
    INCIDENT_CHANGE = "incident.change"
    INCIDENT_NOTE = "incident.note"
    INCIDENT_JOIN = "incident.join"
    INCIDENT_SCOPE = "incident.scope"
    INCIDENT_MEASURE = "incident.measure"
    INCIDENT_REGISTER = "incident.register"
    BREACH_COMPOSE = "breach_notice.compose"
    BREACH_SEND = "breach_notice.send"
    BREACH_LIST = "breach_notice.list"
    BREACH_VIEW = "breach_notice.view"
    BREACH_ACKNOWLEDGE = "breach_notice.acknowledge"
    EVIDENCE_ADD = "evidence.add"
    EVIDENCE_TAKE = "evidence.take"
    WATCH_REPLAY = "watch.replay"
    CANARY_MAKE = "canary.make"
    CANARY_LIST = "canary.list"
    CANARY_END = "canary.end"
    REVIEW_LIST = "review.list"
    REVIEW_VIEW = "review.view"
    REVIEW_JUDGE = "review.judge"
    CONTROLLER_ADD = "controller.add"
    CONTROLLER_LIST = "controller.list"
    CONTROLLER_CHANGE = "controller.change"
    CONTROLLER_ERASE = "controller.erase"
    ACCOUNT_ADD = "account.add"
    ACCOUNT_LIST = "account.list"
    ACCOUNT_CHANGE = "account.change"
    ACCOUNT_LINK = "account.link"
    ACCOUNT_INVITE = "account.invite"
    INVITATION_ACCEPT = "invitation.accept"
    PASSWORD_RESET_ASK = "password_reset.ask"  # noqa: S105 - a name
    PASSWORD_RESET = "password_reset.complete"  # noqa: S105 - a name
    FACTOR_RECOVERY_ASK = "factor_recovery.ask"
    FACTOR_RECOVERY_LIST = "factor_recovery.list"
    FACTOR_RECOVERY_AGREE = "factor_recovery.agree"
    FACTOR_RECOVERY_OBJECT = "factor_recovery.object"
    FACTOR_RECOVERY = "factor_recovery.complete"
    PROFILE_VIEW = "profile.view"
    PROFILE_CHANGE = "profile.change"
    PROFILE_EXPORT = "profile.export"
    PROFILE_CLOSE = "profile.close"
    PRACTICE_VIEW = "practice.view"
    PRACTICE_CHANGE = "practice.change"
    NOTICE_SEND = "notice.send"
    DELIVERY_LIST = "delivery.list"
    DELIVERY_RETRY = "delivery.retry"
    TOKEN_CREATE = "token.create"  # noqa: S105 - a name
    TOKEN_LIST = "token.list"  # noqa: S105 - a name
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 - a name
    SERVICE_ADD = "service.add"
    SERVICE_LIST = "service.list"
    SERVICE_CHANGE = "service.change"
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
    `never_self`: not on one's own account, whoever one is.
    """

    letter: Literal["C", "R", "U", "D", "E"]
    who: frozenset[tuple[Role, Relation]]
    states: frozenset[str] = frozenset()
    while_frozen: bool = False
    never_self: bool = False


PRACTICE_ROLES = frozenset({Role.DENTIST, Role.PRACTICE_MANAGER})
"""A practice's people: they may do with its cases what its dentists may."""

OF_CONTROLLER = PRACTICE_ROLES | {Role.SERVICE}
"""Whose accounts belong to a controller."""

_PRACTICE = frozenset((role, Relation.OWN_PRACTICE) for role in PRACTICE_ROLES)
_SERVICE = (Role.SERVICE, Relation.OWN_PRACTICE)
_MANAGER = (Role.PRACTICE_MANAGER, Relation.OWN_PRACTICE)
_ADMINISTRATOR = (Role.ADMINISTRATOR, Relation.HOUSE)
_PLANNER = (Role.PLANNER, Relation.ASSIGNED)
_SUPERVISOR = (Role.COORDINATOR, Relation.SUPERVISOR)
_EMERGENCY = frozenset((role, Relation.EMERGENCY) for role in (Role.COORDINATOR, Role.PLANNER))
_OFFICER = (Role.PRIVACY_OFFICER, Relation.HOUSE)
_OPERATOR = (Role.OPERATOR, Relation.HOUSE)
_SYSTEM = (Role.SYSTEM, Relation.HOUSE)
_EVERYONE = frozenset((role, Relation.HOUSE) for role in Role)
STAFF = frozenset({Role.COORDINATOR, Role.PLANNER, Role.PRIVACY_OFFICER, Role.ADMINISTRATOR})
"""The processor's own people: they confirm their duty of confidentiality (P12)."""

_OWN_ACCOUNT = frozenset((role, Relation.SELF) for role in PRACTICE_ROLES | STAFF)

POLICY: Mapping[Action, Rule] = {
    Action.SESSION_OPEN: Rule("E", _EVERYONE),
    Action.SESSION_USE: Rule("E", frozenset()),  # only its refusals are events
    Action.SESSION_VIEW: Rule("R", _OWN_ACCOUNT),
    Action.SESSION_PROVE: Rule("E", frozenset()),  # an event of a sign-in that asks for more
    Action.SESSION_CONFIRM: Rule("E", _OWN_ACCOUNT),
    Action.SESSION_CLOSE: Rule("E", _OWN_ACCOUNT),
    Action.SESSION_LIST: Rule("R", _OWN_ACCOUNT),
    Action.SESSION_END: Rule("D", _OWN_ACCOUNT | {_ADMINISTRATOR, _MANAGER, _SYSTEM}),
    Action.SESSION_LIST_ALL: Rule("R", frozenset({_ADMINISTRATOR, _MANAGER})),
    Action.SESSION_END_ALL: Rule("D", frozenset({_ADMINISTRATOR, _MANAGER})),
    Action.SESSION_STUFFING: Rule("E", frozenset()),  # an event of many sign-ins together
    Action.FACTOR_LIST: Rule("R", _OWN_ACCOUNT),
    Action.FACTOR_ADD: Rule("C", _OWN_ACCOUNT),
    Action.FACTOR_ACTIVATE: Rule("U", _OWN_ACCOUNT),
    Action.FACTOR_REMOVE: Rule("D", _OWN_ACCOUNT),
    Action.RECOVERY_CODES_RENEW: Rule("U", _OWN_ACCOUNT),
    Action.PASSWORD_CHANGE: Rule("U", _OWN_ACCOUNT),
    Action.SECOND_AGREE: Rule("E", _PRACTICE | {_OFFICER}),
    Action.CASE_CREATE: Rule("C", _PRACTICE | {_SERVICE}),
    Action.CASE_LIST: Rule("R", _PRACTICE | {_SERVICE, _PLANNER, _SUPERVISOR}),
    Action.CASE_SEARCH: Rule("R", _PRACTICE | {_SERVICE}),
    Action.CASE_VIEW: Rule(
        "R", _PRACTICE | _EMERGENCY | {_SERVICE, _PLANNER, _SUPERVISOR}, while_frozen=True
    ),
    Action.CASE_SUBMIT: Rule("U", _PRACTICE | {_SERVICE}, frozenset({"draft"})),
    Action.CASE_ASSIGN: Rule("U", frozenset({_SUPERVISOR}), frozenset({"submitted", "planning"})),
    Action.CASE_HAND_OVER: Rule("U", frozenset({_PLANNER}), frozenset({"planning"})),
    Action.CASE_COMPLETE: Rule("U", frozenset({_PLANNER}), frozenset({"planning"})),
    Action.CASE_ERASE: Rule("D", _PRACTICE | {_SYSTEM}, while_frozen=True),
    Action.CASE_RECTIFY: Rule("U", _PRACTICE | {_SYSTEM}),
    Action.ASSIGNMENT_LIST: Rule("R", frozenset({_SUPERVISOR})),
    Action.ASSIGNMENT_END: Rule("U", frozenset({_SYSTEM}), while_frozen=True),
    Action.CASE_RESTRICT: Rule("U", _PRACTICE | {_OFFICER, _SYSTEM}),
    Action.CASE_RELEASE: Rule("U", _PRACTICE | {_OFFICER}),
    Action.EMERGENCY_DECLARE: Rule(
        "E",
        frozenset({(Role.PLANNER, Relation.HOUSE), _SUPERVISOR}),
        frozenset({"submitted", "planning", "completed"}),
    ),
    Action.EMERGENCY_LIST: Rule("R", _PRACTICE | {_OFFICER}),
    Action.EMERGENCY_REVIEW: Rule("U", frozenset({_OFFICER}), while_frozen=True),
    Action.CONFIDENTIALITY_VIEW: Rule("R", _OWN_ACCOUNT),
    Action.CONFIDENTIALITY_CONFIRM: Rule("U", _OWN_ACCOUNT),
    Action.ERASURE_VIEW: Rule("R", _PRACTICE | {_OFFICER}, while_frozen=True),
    Action.ERASURE_APPROVE: Rule("U", _PRACTICE),
    Action.ERASURE_WITHDRAW: Rule("U", _PRACTICE),
    Action.FILE_UPLOAD: Rule("C", _PRACTICE | {_SERVICE}, frozenset({"draft"})),
    Action.FILE_VIEW: Rule("R", _PRACTICE | _EMERGENCY | {_SERVICE, _PLANNER, _SUPERVISOR}),
    Action.FILE_DOWNLOAD: Rule("R", _PRACTICE | _EMERGENCY | {_SERVICE, _PLANNER}),
    Action.FILE_THUMBNAIL: Rule("R", _PRACTICE | _EMERGENCY | {_SERVICE, _PLANNER}),
    Action.FILE_PLACE: Rule("U", _PRACTICE | {_SERVICE}, frozenset({"draft"})),
    Action.FILE_REMOVE: Rule("D", _PRACTICE | {_SERVICE}, frozenset({"draft"})),
    Action.FILE_ERASE: Rule("D", _PRACTICE | {_SYSTEM}),
    Action.FILE_INSPECT: Rule("E", frozenset({_SYSTEM})),
    Action.PLAN_UPLOAD: Rule("C", frozenset({_PLANNER}), frozenset({"planning"})),
    Action.LOG_VIEW: Rule("R", _PRACTICE | {_OFFICER}, while_frozen=True),
    Action.ALERT_LIST: Rule("R", frozenset({_OFFICER})),
    Action.ALERT_VIEW: Rule("R", frozenset({_OFFICER})),
    Action.ALERT_ASSIGN: Rule("U", frozenset({_OFFICER})),
    Action.ALERT_COMMENT: Rule("U", frozenset({_OFFICER})),
    Action.ALERT_DISMISS: Rule("U", frozenset({_OFFICER})),
    Action.MISUSE_REPORT: Rule("C", _PRACTICE, while_frozen=True),
    Action.INCIDENT_OPEN: Rule("C", frozenset({_OFFICER})),
    Action.INCIDENT_LIST: Rule("R", frozenset({_OFFICER})),
    Action.INCIDENT_VIEW: Rule("R", frozenset({_OFFICER})),
    Action.INCIDENT_CHANGE: Rule("U", frozenset({_OFFICER})),
    Action.INCIDENT_NOTE: Rule("C", frozenset({_OFFICER})),
    Action.INCIDENT_JOIN: Rule("U", frozenset({_OFFICER})),
    Action.INCIDENT_SCOPE: Rule("R", frozenset({_OFFICER})),
    Action.INCIDENT_MEASURE: Rule("E", frozenset({_OFFICER})),
    Action.INCIDENT_REGISTER: Rule("R", frozenset({_OFFICER})),
    Action.BREACH_COMPOSE: Rule("C", frozenset({_OFFICER})),
    Action.BREACH_SEND: Rule("E", frozenset({_OFFICER})),
    Action.BREACH_LIST: Rule("R", _PRACTICE),
    Action.BREACH_VIEW: Rule("R", _PRACTICE | {_OFFICER}),
    Action.BREACH_ACKNOWLEDGE: Rule("U", _PRACTICE),
    Action.EVIDENCE_ADD: Rule("C", frozenset({_OFFICER})),
    Action.EVIDENCE_TAKE: Rule("R", frozenset({_OFFICER})),
    Action.WATCH_REPLAY: Rule("R", frozenset({_OPERATOR})),
    Action.CANARY_MAKE: Rule("C", frozenset({_OFFICER})),
    Action.CANARY_LIST: Rule("R", frozenset({_OFFICER})),
    Action.CANARY_END: Rule("U", frozenset({_OFFICER})),
    Action.REVIEW_LIST: Rule("R", frozenset({_OFFICER})),
    Action.REVIEW_VIEW: Rule("R", frozenset({_OFFICER})),
    Action.REVIEW_JUDGE: Rule("U", frozenset({_OFFICER})),
    Action.CONTROLLER_ADD: Rule("C", frozenset({_OPERATOR})),
    Action.CONTROLLER_LIST: Rule("R", frozenset({_OPERATOR})),
    Action.CONTROLLER_CHANGE: Rule("U", frozenset({_OPERATOR})),
    Action.CONTROLLER_ERASE: Rule("D", frozenset({_OPERATOR, _SYSTEM})),
    Action.ACCOUNT_ADD: Rule("C", frozenset({_OPERATOR, _ADMINISTRATOR, _MANAGER, _SYSTEM})),
    Action.ACCOUNT_LIST: Rule("R", frozenset({_OPERATOR, _ADMINISTRATOR, _MANAGER})),
    Action.ACCOUNT_CHANGE: Rule(
        "U", frozenset({_OPERATOR, _ADMINISTRATOR, _MANAGER, _SYSTEM}), never_self=True
    ),
    Action.ACCOUNT_LINK: Rule("U", frozenset({_SYSTEM})),
    Action.ACCOUNT_INVITE: Rule("E", frozenset({_OPERATOR, _ADMINISTRATOR, _MANAGER})),
    Action.INVITATION_ACCEPT: Rule("U", _EVERYONE),
    Action.PASSWORD_RESET_ASK: Rule("E", _EVERYONE),
    Action.PASSWORD_RESET: Rule("U", _EVERYONE),
    Action.FACTOR_RECOVERY_ASK: Rule("C", frozenset({_MANAGER, _OFFICER}), never_self=True),
    Action.FACTOR_RECOVERY_LIST: Rule("R", frozenset({_MANAGER, _OFFICER, _ADMINISTRATOR})),
    Action.FACTOR_RECOVERY_AGREE: Rule("U", frozenset({_ADMINISTRATOR}), never_self=True),
    Action.FACTOR_RECOVERY_OBJECT: Rule("U", _OWN_ACCOUNT | {_MANAGER, _OFFICER, _ADMINISTRATOR}),
    Action.FACTOR_RECOVERY: Rule("D", frozenset({_SYSTEM})),
    Action.PROFILE_VIEW: Rule("R", _OWN_ACCOUNT),
    Action.PROFILE_CHANGE: Rule("U", _OWN_ACCOUNT),
    Action.PROFILE_EXPORT: Rule("R", _OWN_ACCOUNT),
    Action.PROFILE_CLOSE: Rule("D", _OWN_ACCOUNT),
    Action.PRACTICE_VIEW: Rule("R", _PRACTICE),
    Action.PRACTICE_CHANGE: Rule("U", frozenset({_MANAGER})),
    Action.NOTICE_SEND: Rule("E", frozenset({_SYSTEM})),
    Action.DELIVERY_LIST: Rule("R", frozenset({_OFFICER, _ADMINISTRATOR})),
    Action.DELIVERY_RETRY: Rule("E", frozenset({_OFFICER, _ADMINISTRATOR})),
    Action.TOKEN_CREATE: Rule("C", _OWN_ACCOUNT | {_OPERATOR}),
    Action.TOKEN_LIST: Rule("R", _OWN_ACCOUNT),
    Action.TOKEN_REVOKE: Rule("D", _OWN_ACCOUNT),
    Action.SERVICE_ADD: Rule("C", frozenset({_MANAGER})),
    Action.SERVICE_LIST: Rule("R", frozenset({_MANAGER})),
    Action.SERVICE_CHANGE: Rule("U", frozenset({_MANAGER})),
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


def allowing(action: Action, role: Role, relations: Iterable[Relation]) -> Relation | None:
    """By which of their relations to the object somebody of this role may do the act, or None."""
    who = POLICY[action].who
    return next((relation for relation in relations if (role, relation) in who), None)
