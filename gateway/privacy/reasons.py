"""The reason that somebody gives for an erasure: it stays when all else is gone."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.access.grants import Access, Grant, Target
from gateway.errors import CaseFrozenError, IntegrityFailedError, InvalidInputError
from gateway.privacy.casekeys import CaseKeys
from gateway.privacy.patients import Patient
from gateway.privacy.redaction import without_identity

REASON_LIMIT = 500
WITHHELD = "[withheld: the identity to take out of it does not open]"


class Reasons:
    """Takes the patients' identifiers out of reasons."""

    def __init__(self, access: Access, keys: CaseKeys) -> None:
        """Identities are opened by `keys`."""
        self._access = access
        self._keys = keys

    async def cleaned(self, grants: Sequence[Grant], reason: str) -> str:
        """The reason without the patients' identifiers: it outlives the cases.

        Of a case whose erasure took its key away they are not known any more.
        """
        for grant in grants:
            try:
                opened = await self._keys.open_case(grant)
                async with self._access.watching(grant, Target("case", grant.case.id)):
                    identity = opened.unseal("identity", grant.case.sealed_identity or b"")
            except CaseFrozenError:
                continue
            except IntegrityFailedError:
                # The right to erasure does not hang on a case that opens.
                return WITHHELD
            patient = Patient.from_bytes(identity)
            known = (patient.name, patient.birth_date, patient.number)
            reason = without_identity(reason, *known).text
        return reason


def check_reason(reason: str, field: str = "reason") -> None:
    """Refuse an empty reason, and one that is a story. Raises InvalidInputError."""
    if not reason.strip() or len(reason) > REASON_LIMIT:
        raise InvalidInputError(field=field, reason=f"take 1 to {REASON_LIMIT} characters")
