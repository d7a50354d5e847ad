"""One key per incident: seals what people wrote about it, and what they attached.

It lies in the keystore under the key of the house (access/accountkeys.py): no practice's key opens
an incident, and none is lost with a practice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.access.accountkeys import HOUSE
from gateway.access.controllerkeys import ControllerKeys
from gateway.errors import IntegrityFailedError
from keys import envelope
from keys.context import Context, Purpose
from keys.errors import UnsealError
from keys.secret import SecretKey


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident's key at hand."""

    incident_id: str
    key: SecretKey = field(repr=False)

    def seal(self, object_id: str, value: bytes) -> bytes:
        """Seal a value, bound to the incident and to an id."""
        return envelope.seal(self.key, value, self._place(object_id))

    def unseal(self, object_id: str, sealed: bytes) -> bytes:
        """Open a value. Raises IntegrityFailedError if it is not what was sealed there."""
        try:
            return envelope.unseal(self.key, sealed, self._place(object_id))
        except UnsealError as error:
            raise IntegrityFailedError(id=object_id) from error

    def read(self, object_id: str, sealed: bytes | None) -> str | None:
        """Open a text, if there is one. Raises IntegrityFailedError."""
        return None if sealed is None else self.unseal(object_id, sealed).decode()

    def _place(self, object_id: str) -> Context:
        return Context(Purpose.INCIDENT, HOUSE, object_id=f"{self.incident_id}/{object_id}")


class IncidentKeys:
    """Makes and opens incidents' keys."""

    def __init__(self, keys: ControllerKeys) -> None:
        """Store the keys wrapped by `keys`."""
        self._keys = keys

    async def create(self, incident_id: str) -> OpenIncident:
        """Make the key of a new incident, durably. Raises UnavailableError."""
        await self._keys.create_if_none(HOUSE)
        secret = SecretKey.generate()
        await self._keys.store(secret, _place_of(incident_id))
        return OpenIncident(incident_id, secret)

    async def open(self, incident_id: str) -> OpenIncident:
        """Open the key of an incident. Raises IntegrityFailedError: it is not what was stored."""
        try:
            return OpenIncident(incident_id, await self._keys.open(_place_of(incident_id)))
        except UnsealError as error:
            raise IntegrityFailedError(id=incident_id) from error


def _place_of(incident_id: str) -> Context:
    return Context(Purpose.INCIDENT_KEY, HOUSE, object_id=incident_id)
