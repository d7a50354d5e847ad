"""Evidence of an incident: attachments, sealed as they come in, opened for a privacy officer.

An attachment is cut into parts that each are sealed; its head says its name, size, hash and number
of parts. One that was cut short, swapped or altered does not open. Nothing of it is ever shown by
the server: it leaves as bytes, under a name of the server's own.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

from gateway.access.actors import Actor
from gateway.access.grants import Target
from gateway.access.policy import Action
from gateway.errors import IntegrityFailedError, InvalidInputError, NotFoundError, TooLargeError
from gateway.ids import new_id, now
from gateway.incidents.incidents import Incidents
from gateway.incidents.timeline import Line, add_line
from storage import incidents
from storage.database import Database
from storage.incidents import Evidence

LIMIT = 8 * 1024 * 1024
NAME_LIMIT = 200
PART = 512 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """What is said of an attachment; `sha256` in hex."""

    name: str = field(repr=False)
    size: int
    sha256: str
    parts: int

    @classmethod
    def of(cls, name: str, content: bytes) -> Head:
        """Of some content."""
        return cls(
            name, len(content), hashlib.sha256(content).hexdigest(), -(-len(content) // PART)
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> Head:
        """What `to_bytes` wrote."""
        return cls(**json.loads(raw))

    def to_bytes(self) -> bytes:
        """As it is sealed."""
        return json.dumps(asdict(self)).encode()


class EvidenceRoom:
    """Takes evidence in and gives it out."""

    def __init__(self, main: Database, register: Incidents) -> None:
        """Rows in `main`; `register` knows the incidents."""
        self._main = main
        self._incidents = register

    async def add(self, actor: Actor, incident_id: str, name: str, content: bytes) -> Evidence:
        """Attach something.

        Raises:
            NotFoundError: There is no such incident.
            InvalidInputError: It is empty, or its name is none.
            TooLargeError: More than LIMIT bytes.
        """
        if not 1 <= len(name.strip()) <= NAME_LIMIT or not name.isprintable():
            raise InvalidInputError(field="name", reason=f"take 1 to {NAME_LIMIT} characters")
        if not content:
            raise InvalidInputError(field="body", reason="it is empty")
        if len(content) > LIMIT:
            raise TooLargeError(limit=LIMIT)
        grant = await self._incidents.authorise(actor, Action.EVIDENCE_ADD, incident_id)
        opened = await self._incidents.unlocked(incident_id)
        evidence_id, cut = new_id(), range(0, len(content), PART)
        head = Head.of(name.strip(), content)
        parts = [
            opened.seal(f"evidence/{evidence_id}/{number}", content[start : start + PART])
            for number, start in enumerate(cut)
        ]
        evidence = Evidence(
            id=evidence_id,
            incident_id=incident_id,
            by=actor.id,
            at=now(),
            size=len(content),
            sealed_head=opened.seal(f"evidence/{evidence_id}", head.to_bytes()),
        )
        async with self._main.transaction() as tx:
            if await incidents.lock(tx, incident_id) is None:
                raise NotFoundError
            await incidents.add_evidence(tx, evidence, parts)
            await add_line(tx, opened, Line.EVIDENCE, by=actor.id, ref=evidence_id)
            target = Target("incident", incident_id)
            await self._incidents.access.outcome_in(
                tx, grant, target, evidence=evidence_id, bytes=head.size, sha256=head.sha256
            )
        return evidence

    async def take(self, actor: Actor, incident_id: str, evidence_id: str) -> tuple[Head, bytes]:
        """Open an attachment.

        Raises:
            NotFoundError: The incident has no such attachment.
            IntegrityFailedError: It is not what was sealed.
        """
        grant = await self._incidents.authorise(actor, Action.EVIDENCE_TAKE, incident_id)
        opened = await self._incidents.unlocked(incident_id)
        async with self._main.reading() as connection:
            known = {each.id: each for each in await incidents.evidence_of(connection, incident_id)}
            if evidence_id not in known:
                raise NotFoundError
            sealed = await incidents.evidence_parts(connection, evidence_id)
        place = f"evidence/{evidence_id}"
        head = Head.from_bytes(opened.unseal(place, known[evidence_id].sealed_head))
        content = b"".join(
            opened.unseal(f"{place}/{number}", part) for number, part in enumerate(sealed)
        )
        if (len(sealed), hashlib.sha256(content).hexdigest()) != (head.parts, head.sha256):
            raise IntegrityFailedError(id=evidence_id)
        await self._incidents.access.outcome(grant, evidence=evidence_id, bytes=len(content))
        return head, content
