"""What narrows the policy down: by how somebody came, by the state of a case, by a full disk.

The table says who may do what (access/policy.py); nothing here allows anything.
"""

from __future__ import annotations

from gateway.access.policy import STAFF, Action, Role

SESSION_ONLY = frozenset(
    {
        *(Action.TOKEN_CREATE, Action.TOKEN_REVOKE, Action.SERVICE_ADD, Action.SERVICE_CHANGE),
        *(Action.SESSION_CONFIRM, Action.SESSION_LIST, Action.SESSION_END),
        *(Action.SESSION_LIST_ALL, Action.SESSION_END_ALL),
        *(Action.FACTOR_LIST, Action.FACTOR_ADD, Action.FACTOR_ACTIVATE, Action.FACTOR_REMOVE),
        *(Action.RECOVERY_CODES_RENEW, Action.PASSWORD_CHANGE, Action.PROFILE_CLOSE),
        *(Action.FACTOR_RECOVERY_ASK, Action.FACTOR_RECOVERY_AGREE, Action.FACTOR_RECOVERY_OBJECT),
        *(Action.ACCOUNT_ADD, Action.ACCOUNT_CHANGE, Action.ACCOUNT_INVITE),
        Action.PRACTICE_CHANGE,  # its address is where it is told of emergencies
    }
)
"""What no bearer token does: whoever steals one must not make it last, widen it, shut its owner
out, or let anybody else in. A token has no password to repeat; these acts ask for a signed-in
person.
"""

BY_NAME = frozenset(
    {
        *(Action.EMERGENCY_DECLARE, Action.EMERGENCY_REVIEW, Action.CONFIDENTIALITY_CONFIRM),
        *(
            Action.CASE_ERASE,
            Action.FILE_ERASE,
            Action.ERASURE_APPROVE,
            Action.ALERT_DISMISS,
            Action.REVIEW_JUDGE,
            Action.INCIDENT_MEASURE,
            Action.BREACH_SEND,
            Action.BREACH_ACKNOWLEDGE,
        ),
    }
)
"""What a bearer token does only if its own limits name it: what cannot be undone, and a person's
own word. A program that was given a token to read must not break the glass with it. Only the token
that an operator made for a person's command line, with no limit of acts, cases or networks, does
these as the person does.
"""

WHILE_RESTRICTED = frozenset(
    {
        *(Action.SESSION_OPEN, Action.SESSION_VIEW, Action.SESSION_CONFIRM, Action.SESSION_CLOSE),
        *(Action.SESSION_LIST, Action.PROFILE_VIEW, Action.PASSWORD_CHANGE),
        *(Action.FACTOR_LIST, Action.FACTOR_ADD, Action.FACTOR_ACTIVATE, Action.FACTOR_REMOVE),
    }
)
"""What a session does whose person must have a second factor, and has none yet: enrol one."""

LOCKED = "locked"
WHILE_LOCKED = frozenset({Action.SESSION_VIEW, Action.SESSION_CONFIRM, Action.SESSION_CLOSE})
"""What a session of staff does that was silent for a while: prove oneself again, or sign out."""

_MAKES_ROOM = frozenset({Role.PRIVACY_OFFICER, Role.ADMINISTRATOR, Role.OPERATOR, Role.SYSTEM})


def may_use_reserve(action: Action, role: Role) -> bool:
    """Whether the act goes on when the disk is full but for its reserve.

    That is for whoever can make room. Inspection would fill it: an accepted file is a new one.
    """
    return role in _MAKES_ROOM and action is not Action.FILE_INSPECT


AFTER_ERASURE = frozenset(
    {
        *(Action.LOG_VIEW, Action.ERASURE_VIEW, Action.CASE_VIEW, Action.CASE_ERASE),
        *(Action.FILE_ERASE, Action.CASE_RECTIFY, Action.EMERGENCY_REVIEW),
        Action.MISUSE_REPORT,
    }
)
"""An erased case is a tombstone: its log and certificate stay, to who could see it before.

Asking for the erasure again gives the same one. What was under way for a file or a correction of
it comes to its end; nobody asks for those anew, for the case stays frozen.
"""


ON_RESTRICTED_CASE = frozenset(
    {
        *(Action.CASE_VIEW, Action.FILE_VIEW, Action.FILE_DOWNLOAD, Action.FILE_THUMBNAIL),
        *(Action.CASE_RECTIFY, Action.CASE_ERASE, Action.FILE_ERASE, Action.CASE_RELEASE),
        *(Action.ERASURE_VIEW, Action.ERASURE_APPROVE, Action.ERASURE_WITHDRAW),
        *(Action.LOG_VIEW, Action.EMERGENCY_REVIEW, Action.MISUSE_REPORT),
    }
)
"""What settles the doubt for which a case was restricted (GDPR article 18), and nothing else.

It is the practice's to settle: assignments and emergencies give nobody access meanwhile.
"""

_ABOUT_PATIENTS = frozenset(
    {
        *("case", "file", "plan", "assignment", "emergency", "erasure", "log"),
        *("incident", "evidence"),
    }
)


def needs_confidentiality(action: Action, role: Role) -> bool:
    """Whether who asks must have confirmed their duty of confidentiality (P12)."""
    return role in STAFF and action.partition(".")[0] in _ABOUT_PATIENTS
