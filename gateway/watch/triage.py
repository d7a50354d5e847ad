"""What people do about alerts: look, hand on, comment, dismiss; and what a practice reports.

Acts on alerts are events of the house, and in no practice's own series: who is suspected may be
somebody of that practice, and reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.grants import Access, Grant, Target
from gateway.access.policy import Action, Role
from gateway.errors import InvalidInputError, NotFoundError, WrongStateError
from gateway.ids import new_id, now
from gateway.privacy.reasons import Reasons, check_reason
from storage import accounts, alerts
from storage.alerts import Alert, MisuseReport, Note
from storage.database import Database


@dataclass(frozen=True, slots=True)
class AlertSight:
    """An alert, what was said about it, and what practices reported about its case."""

    alert: Alert
    notes: Sequence[Note] = ()
    reports: Sequence[MisuseReport] = ()


class Triage:
    """Shows alerts to privacy officers, and takes what they decide."""

    def __init__(self, main: Database, access: Access, reasons: Reasons) -> None:
        """Rows in `main`."""
        self._main = main
        self._access = access
        self._reasons = reasons

    async def list(
        self,
        actor: Actor,
        *,
        state: Literal["open", "dismissed"] | None,
        least_severity: int,
        before: str | None,
        limit: int,
    ) -> Sequence[Alert]:
        """Alerts, the newest first; arguments as in `storage.alerts.list_alerts`."""
        grant = await self._access.authorise(actor, Action.ALERT_LIST)
        async with self._main.reading() as connection:
            found = await alerts.list_alerts(
                connection, state=state, least_severity=least_severity, before=before, limit=limit
            )
        await self._access.outcome(grant, alerts=[alert.id for alert in found])
        return found

    async def view(self, actor: Actor, alert_id: str) -> AlertSight:
        """One alert with all that was said. Raises NotFoundError."""
        await self._authorise(actor, Action.ALERT_VIEW, alert_id)
        async with self._main.reading() as connection:
            return await _sight(connection, alert_id)

    async def assign(self, actor: Actor, alert_id: str, account_id: str | None) -> AlertSight:
        """Say which privacy officer looks into an open alert; none given: oneself.

        Raises:
            InvalidInputError: The account is none of a privacy officer.
            WrongStateError: It was dismissed.
        """
        grant = await self._authorise(actor, Action.ALERT_ASSIGN, alert_id)
        taker = account_id or actor.id
        async with self._main.transaction() as tx:
            account = await accounts.get_account(tx, taker)
            if (
                account is None
                or account.role != Role.PRIVACY_OFFICER
                or account.disabled_at is not None
            ):
                raise InvalidInputError(field="account_id", reason="name a privacy officer")
            await self._change(tx, alert_id, assigned_to=taker)
            await _add_note(tx, actor, alert_id, "assignment", taker)
            await self._access.outcome_in(tx, grant, account=taker)
            return await _sight(tx, alert_id)

    async def comment(self, actor: Actor, alert_id: str, words: str) -> AlertSight:
        """Add a comment, in any state. Raises InvalidInputError, NotFoundError."""
        check_reason(words, field="words")
        grant = await self._authorise(actor, Action.ALERT_COMMENT, alert_id)
        async with self._main.transaction() as tx:
            if await alerts.get(tx, alert_id) is None:
                raise NotFoundError
            await _add_note(tx, actor, alert_id, "comment", words)
            await self._access.outcome_in(tx, grant)
            return await _sight(tx, alert_id)

    async def dismiss(self, actor: Actor, alert_id: str, reason: str) -> AlertSight:
        """Close an open alert with a reason; it opens again only if it becomes more severe.

        Raises:
            InvalidInputError: No reason.
            WrongStateError: It was dismissed.
        """
        check_reason(reason)
        grant = await self._authorise(actor, Action.ALERT_DISMISS, alert_id)
        async with self._main.transaction() as tx:
            await self._change(tx, alert_id, state=alerts.DISMISSED)
            await _add_note(tx, actor, alert_id, "dismissal", reason)
            await self._access.outcome_in(tx, grant)
            return await _sight(tx, alert_id)

    async def report(self, actor: Actor, case_id: str, words: str) -> MisuseReport:
        """Take a practice's word that somebody read its case without a reason (P37).

        The words are kept out of the log, and the patient's identity out of the words.

        Raises:
            InvalidInputError: No words.
        """
        check_reason(words, field="words")
        grant = await self._access.authorise(actor, Action.MISUSE_REPORT, case_id)
        report = MisuseReport(
            id=new_id(),
            case_id=case_id,
            controller_id=grant.case.controller_id,
            by=actor.id,
            at=now(),
            words=await self._reasons.cleaned([grant], words.strip()),
        )
        async with self._main.transaction() as tx:
            await alerts.add_misuse_report(tx, report)
            await self._access.outcome_in(tx, grant, Target("misuse_report", report.id))
        return report

    async def _authorise(self, actor: Actor, action: Action, alert_id: str) -> Grant:
        return await self._access.authorise(actor, action, target=Target("alert", alert_id))

    @staticmethod
    async def _change(
        tx: AsyncConnection,
        alert_id: str,
        *,
        state: str | None = None,
        assigned_to: str | None = None,
    ) -> None:
        if not await alerts.change(tx, alert_id, state=state, assigned_to=assigned_to):
            alert = await alerts.get(tx, alert_id)
            if alert is None:
                raise NotFoundError
            raise WrongStateError(needed=alerts.OPEN, state=alert.state)


async def _add_note(
    tx: AsyncConnection,
    actor: Actor,
    alert_id: str,
    kind: Literal["assignment", "comment", "dismissal"],
    words: str,
) -> None:
    await alerts.add_note(tx, Note(new_id(), alert_id, kind, actor.id, now(), words.strip()))


async def _sight(connection: AsyncConnection, alert_id: str) -> AlertSight:
    alert = await alerts.get(connection, alert_id)
    if alert is None:
        raise NotFoundError
    notes = await alerts.notes_of(connection, alert_id)
    if alert.case_id is None:
        return AlertSight(alert, notes)
    return AlertSight(alert, notes, await alerts.misuse_reports_of(connection, alert.case_id))
