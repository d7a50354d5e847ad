"""An alert that cannot wait: every privacy officer by mail, every webhook, in one transaction."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.notices import announce, tell
from gateway.access.policy import Role
from storage import accounts, notices

KIND = "high_alert"


async def raise_alarm(tx: AsyncConnection, alert_id: str, rule: str) -> None:
    """Tell of an alert of high severity, once this transaction commits.

    A hundred of them in a minute are a hundred messages to a program, and one mail to a person: who
    is still to be told of one is told of no other.
    """
    await announce(tx, "alert.high", id=alert_id, rule=rule)
    for officer in await accounts.able_ids(tx, Role.PRIVACY_OFFICER):
        if not await notices.has_waiting(tx, KIND, officer):
            await tell(tx, KIND, account_id=officer)
