"""`kluis backup new-key`: another recovery key, for words that were lost or seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.access.actors import Actor
from gateway.access.grants import Access
from gateway.access.policy import Action, Role
from gateway.access.second import Credentials, SecondPerson
from gateway.backup.places import Places
from keys.recovery import RecoveryKey


async def change_recovery_key(
    actor: Actor,
    access: Access,
    people: SecondPerson,
    places: Places,
    given: Credentials | None,
    show: Callable[[RecoveryKey], None],
) -> Sequence[str]:
    """Make a pair, and seal keystore and keys to it at every place.

    Generations of the data from before open with the words from before. `show` is called first:
    nothing is sealed to words that nobody has seen. *A crash* after it leaves some places sealed
    to the one pair and some to the other; the next call replaces both.

    Returns:
        The places that still have what only the old words open.

    Raises:
        InvalidInputError, LoginFailedError: The second person, a privacy officer.
    """
    action = Action.RECOVERY_CHANGE
    grant = await access.authorise(actor, action)
    agreed = await people.agree(actor, action, given, Role.PRIVACY_OFFICER)
    recovery = RecoveryKey.generate()
    show(recovery)
    places.keep_recovery_key(recovery)
    failed = {*(await places.renew()).failed, *(await places.renew_keys()).failed}
    await access.outcome(
        grant,
        key=recovery.public.fingerprint,
        second="" if agreed is None else agreed.id,
        failed=sorted(failed),
    )
    return sorted(failed)
