"""Replacing the root key of a local keyring while processes go on.

They hold the root key from before in memory. The file carries the new one for them, wrapped under
the old, until each living process has said that it has taken it over; a process that starts
meanwhile is unlocked by the passphrase. A crash leaves a file that either opens; run again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.ids import now
from keys.providers.local import LocalKeyring
from storage import nodes
from storage.database import Database

WAIT_SECONDS = 0.2


async def renew_root(
    main: Database,
    access: Access,
    keyring: LocalKeyring,
    actor: Actor,
    passphrase: str,
    tell: Callable[[int], None],
) -> None:
    """Make a new root key, unlocked by this passphrase, and end what the old one opens.

    Args:
        main: Where processes say which root key they hold.
        access: Logs it.
        keyring: Opened with the passphrase until now.
        actor: Who asks.
        passphrase: From now on; may be the one until now.
        tell: Told, again and again, how many processes are waited for.

    Raises:
        PassphraseError: The passphrase is empty.
    """
    grant = await access.authorise(actor, Action.KEY_ROTATE, target=Target("key", "root"))
    await keyring.renew_root(passphrase)
    while waiting := await _holding_another(main, await keyring.edition()):
        tell(waiting)
        await asyncio.sleep(WAIT_SECONDS)
    await keyring.forget_root()
    await access.outcome(grant)


async def _holding_another(main: Database, edition: str) -> int:
    async with main.reading() as connection:
        return len(await nodes.using_others(connection, edition, now()))
