"""Telling somebody what happened: an account or a practice by mail, a program by webhook.

What is written here is written in the transaction of what it tells of: both are there, or neither
is. gateway/delivery sends it.
"""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.ids import new_id, now
from storage import notices
from storage.notices import EVERY_HOOK, Notice


async def tell(
    tx: AsyncConnection,
    kind: str,
    *,
    account_id: str | None = None,
    controller_id: str | None = None,
    address: str | None = None,
    **values: str | datetime,
) -> None:
    """Tell an account or a practice something, once this transaction commits.

    Args:
        tx: In which it happens.
        kind: Which text of `NOTICES`.
        account_id: Whom.
        controller_id: Or which practice, at its own address.
        address: Of an account that has none any more.
        values: What the text names beside `at`: ids and times, nobody's name and no secret.
    """
    at = now()
    said = {name: _said(value) for name, value in {"at": at, **values}.items()}
    notice = Notice(
        id=new_id(),
        kind=kind,
        created_at=at,
        due_at=at,
        account_id=account_id,
        controller_id=controller_id,
        address=address,
        detail=json.dumps(said),
    )
    await notices.add(tx, notice)


async def announce(tx: AsyncConnection, kind: str, **about: str) -> None:
    """Tell every webhook something, once this transaction commits.

    Args:
        tx: In which it happens.
        kind: The type of the message, such as `alert.high`.
        about: Ids and kinds; nobody's name, no words of anybody and no secret.
    """
    at, detail = now(), json.dumps(about)
    await notices.add(tx, Notice(new_id(), kind, at, at, hook=EVERY_HOOK, detail=detail))


def _said(value: str | datetime) -> str:
    return value if isinstance(value, str) else moment(value)


def moment(at: datetime) -> str:
    """A time as mails say it, in UTC."""
    return f"{at:%Y-%m-%d %H:%M}"
