"""Erasure on a client's instruction: freeze, puncture, prove, delete, certify.

Each step is the state of the request's row and idempotent; a crash anywhere goes on with the
step that was not written yet. Waiting erasures of one controller share one puncture. The steps
of docs/design.md, and the row's state once they are done:

1     freeze the case; its wrapped key is kept as evidence for 7                 frozen
2-6   move the controller's key on (privacy/puncture.py)                         punctured
7     the evidence no longer opens under anything                                proved
8     delete blobs, keys, rows                                                   deleted
9     commit `erased` with the hash of the certificate's body                    recorded
      wait for the checkpoint, attach the proof, sign                            done
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor, system
from gateway.access.grants import Access, Grant, Target
from gateway.access.policy import Action
from gateway.access.sessions import Sessions
from gateway.audit.certificate import body_sha256, canonical
from gateway.errors import IntegrityFailedError, InvalidInputError, NotFoundError
from gateway.ids import new_id, now
from gateway.privacy import certificate
from gateway.privacy.casekeys import CaseKeys
from gateway.privacy.patients import Patient
from gateway.privacy.puncture import Punctures
from gateway.privacy.redaction import without_identity
from keys.context import Context, Purpose
from keys.errors import UnknownKeyVersionError, UnsealError
from keys.keyring import Keyring
from storage import cases, erasures, files, keystore, leases
from storage.accesslog.reading import proof
from storage.blobs import Area, BlobStore
from storage.database import Database
from storage.erasures import Erasure
from storage.errors import LeaseLostError
from storage.leases import Lease

REASON_LIMIT = 500
WITHHELD = "[withheld: the identity to take out of it does not open]"
LEASE = "erasure"
LEASE_TIME = timedelta(seconds=10)
POLL_SECONDS = 1.0
WAIT_SECONDS = 0.1

log = structlog.get_logger()


class EvidenceOpensError(Exception):
    """The self-test failed: what should be gone still opens. The erasure stops and says so."""


class Erasures:
    """Takes requests, and carries them out to the certificate."""

    def __init__(
        self,
        *,
        main: Database,
        key_database: Database,
        blobs: BlobStore,
        access: Access,
        sessions: Sessions,
        keys: CaseKeys,
        keyring: Keyring,
        punctures: Punctures,
        node_id: str,
    ) -> None:
        """Work as node `node_id`; one node at a time carries out."""
        self.requested = asyncio.Event()
        self._main = main
        self._keystore = key_database
        self._blobs = blobs
        self._access = access
        self._sessions = sessions
        self._keys = keys
        self._keyring = keyring
        self._punctures = punctures
        self._node_id = node_id
        self._lease: Lease | None = None

    async def request(self, actor: Actor, case_id: str, reason: str, confirm: str) -> Erasure:
        """Freeze the case and put its erasure in line; asking again gives the same one.

        Raises:
            InvalidInputError: No reason, or `confirm` is not the case's id.
            ConfirmationRequiredError: A browser whose password was given too long ago.
        """
        if not reason.strip() or len(reason) > REASON_LIMIT:
            raise InvalidInputError(field="reason", reason=f"take 1 to {REASON_LIMIT} characters")
        if confirm != case_id:
            raise InvalidInputError(field="confirm", reason="repeat the id of the case")
        await self._sessions.require_confirmation(actor, Action.CASE_ERASE)
        grant = await self._access.authorise(actor, Action.CASE_ERASE, case_id)
        async with self._main.reading() as connection:
            known = await erasures.of_case(connection, case_id)
        if known is not None:
            return known
        erasure = Erasure(
            id=new_id(),
            case_id=case_id,
            controller_id=grant.case.controller_id,
            step="frozen",
            requested_by=actor.id,
            requested_at=now(),
            reason=await self._cleaned(grant, reason),
        )
        async with self._main.transaction() as tx:
            case = await cases.lock(tx, case_id)
            if (asked := await erasures.of_case(tx, case_id)) is not None:
                return asked
            if case is None:
                raise NotFoundError
            await cases.change(tx, case_id, frozen_at=now())
            await cases.end_assignments(tx, case_id, now())
            await erasures.add(tx, erasure)
            await self._access.outcome_in(tx, grant, Target("erasure", erasure.id))
        self.requested.set()
        return erasure

    async def _cleaned(self, grant: Grant, reason: str) -> str:
        """The reason without the patient's identifiers: it outlives the case."""
        try:
            opened = await self._keys.open_case(grant)
            async with self._access.watching(grant, Target("case", grant.case.id)):
                identity = opened.unseal("identity", grant.case.sealed_identity or b"")
        except IntegrityFailedError:
            # The right to erasure does not hang on a case that opens.
            return WITHHELD
        patient = Patient.from_bytes(identity)
        return without_identity(reason, patient.name, patient.birth_date, patient.number).text

    async def view(self, actor: Actor, case_id: str) -> Erasure:
        """How far an erasure is, and its certificate."""
        await self._access.authorise(actor, Action.ERASURE_VIEW, case_id)
        async with self._main.reading() as connection:
            erasure = await erasures.of_case(connection, case_id)
        if erasure is None:
            raise NotFoundError
        return erasure

    async def run(self) -> None:
        """Carry out what is asked, until cancelled."""
        while True:
            pause = POLL_SECONDS
            try:
                if await self.advance():
                    pause = WAIT_SECONDS
            except Exception as error:  # noqa: BLE001 - the state of the rows is kept: try again
                log.error("erasure_failed", error=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.requested.wait()
            self.requested.clear()

    async def advance(self) -> bool:
        """Take every unfinished erasure one step further, if it is this node's turn.

        Returns:
            Whether any was left.
        """
        async with self._main.reading() as connection:
            unfinished = await erasures.unfinished(connection)
        if not unfinished:
            return False
        holder = f"{self._node_id}/erasure"
        self._lease = await leases.acquire(self._main, LEASE, holder, LEASE_TIME, now())
        if self._lease is None:
            return False
        by_controller: dict[str, list[Erasure]] = defaultdict(list)
        for erasure in unfinished:
            if erasure.step == "frozen":
                by_controller[erasure.controller_id].append(erasure)
            else:
                with self._alone(erasure.controller_id):
                    await self._finish(erasure)
        for controller_id, waiting in by_controller.items():
            with self._alone(controller_id):
                await self._puncture(controller_id, waiting)
        return True

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction of a node whose turn it still is.

        Raises:
            LeaseLostError: Another node took over; nothing is written.
        """
        if self._lease is None:
            raise LeaseLostError(LEASE)
        async with self._main.transaction() as tx:
            await leases.hold(tx, self._lease, now())
            yield tx

    @staticmethod
    @contextmanager
    def _alone(controller_id: str) -> Iterator[None]:
        """What fails for one practice holds up no other; its rows' state is kept: try again."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - see above
            log.error("erasure_failed", controller=controller_id, error=type(error).__name__)

    async def _puncture(self, controller_id: str, waiting: list[Erasure]) -> None:
        """One puncture at a time; erasures asked for meanwhile share the next one."""
        under_way = next((e.puncture_id for e in waiting if e.puncture_id), None)
        if under_way is None:
            for erasure in waiting:
                await self._keep_evidence(erasure)
            started = await self._punctures.begin(
                self._transaction, controller_id, [e.id for e in waiting]
            )
            under_way = started.id
        async with self._main.reading() as connection:
            puncture = await erasures.get_puncture(connection, under_way)
            served = await erasures.of_puncture(connection, under_way)
        while puncture.step != "destroyed":
            erased = [erasure.case_id for erasure in served]
            if not await self._punctures.advance(self._transaction, puncture, erased):
                return
            async with self._main.reading() as connection:
                puncture = await erasures.get_puncture(connection, under_way)
        async with self._transaction() as tx:
            for erasure in served:
                await erasures.change(tx, erasure.id, step="punctured")

    async def _keep_evidence(self, erasure: Erasure) -> None:
        async with self._keystore.reading() as connection:
            key = await keystore.get(connection, Purpose.CASE_KEY, erasure.case_id)
        if key is None:
            return  # its case key never existed or is gone: nothing can open
        evidence = {"wrapped": base64.b64encode(key.wrapped).decode(), "version": key.version}
        async with self._transaction() as tx:
            await erasures.change(tx, erasure.id, evidence=json.dumps(evidence))

    async def _finish(self, erasure: Erasure) -> None:
        steps = {
            "punctured": self._prove,
            "proved": self._delete,
            "deleted": self._record,
            "recorded": self._certify,
        }
        await steps[erasure.step](erasure)

    async def _prove(self, erasure: Erasure) -> None:
        """Try the evidence under every version that the provider has at this moment."""
        async with self._main.reading() as connection:
            puncture = await erasures.get_puncture(connection, erasure.puncture_id or "")
        versions = await self._keyring.versions(erasure.controller_id)
        if puncture.old_version in versions:
            raise EvidenceOpensError
        evidence = json.loads(erasure.evidence or "null")
        place = Context(Purpose.CASE_KEY, erasure.controller_id, erasure.case_id, erasure.case_id)
        for version in versions if evidence else ():
            try:
                await self._keyring.unwrap(version, base64.b64decode(evidence["wrapped"]), place)
            except (UnsealError, UnknownKeyVersionError):
                continue
            raise EvidenceOpensError
        await self._write_body(erasure, puncture.id, sorted(versions))

    async def _write_body(self, erasure: Erasure, puncture_id: str, versions: list[int]) -> None:
        async with self._transaction() as tx:
            puncture = await erasures.get_puncture(tx, puncture_id)
            case = await cases.get(tx, erasure.case_id)
            if case is None:
                raise NotFoundError
            body = certificate.body(
                erasure,
                puncture,
                case,
                await files.of_case(tx, erasure.case_id),
                provider=self._keyring,
                living_versions=versions,
                erased_at=now().isoformat(),
            )
            text = canonical(body)
            await erasures.change(tx, erasure.id, step="proved", body=text, evidence=None)

    async def _delete(self, erasure: Erasure) -> None:
        async with self._main.reading() as connection:
            rows = await files.of_case(connection, erasure.case_id)
            parts = [p for row in rows for p in await files.parts_of(connection, row.id)]
        for row in rows:
            if row.blob_id is not None:
                await self._blobs.delete(Area.VAULT, row.blob_id)
        for part in parts:
            await self._blobs.delete(Area.QUARANTINE, part.blob_id)
        async with self._keystore.transaction() as tx:
            await keystore.remove_case(tx, erasure.case_id)
        async with self._transaction() as tx:
            await files.delete_of_case(tx, erasure.case_id)
            await erasures.change(tx, erasure.id, step="deleted")

    async def _record(self, erasure: Erasure) -> None:
        digest = body_sha256(erasure.body or "")
        async with self._keystore.transaction() as tx:
            await keystore.enter_in_ledger(
                tx, erasure.case_id, erasure.controller_id, now(), digest
            )
        grant = await self._access.authorise(system("erasure"), Action.CASE_ERASE, erasure.case_id)
        async with self._transaction() as tx:
            gone = {"sealed_identity": None, "sealed_notes": None, "sealed_brief": None}
            pseudonym = grant.case.pseudonym
            await cases.change(tx, erasure.case_id, state="erased", pseudonym=None, **gone)
            if pseudonym is not None:
                await cases.delete_subject_without_cases(tx, pseudonym)
            event_id = await self._access.outcome_in(
                tx, grant, Target("erasure", erasure.id), certificate_sha256=digest.hex()
            )
            await erasures.change(tx, erasure.id, step="recorded", event_id=event_id)

    async def _certify(self, erasure: Erasure) -> None:
        async with self._main.reading() as connection:
            placed = await proof(connection, erasure.event_id or "")
        if placed is None:
            return  # no checkpoint covers it yet
        key = await self._keyring.signing_key("certificate")
        whole = certificate.certificate(json.loads(erasure.body or "{}"), key, placed)
        async with self._transaction() as tx:
            await erasures.change(
                tx, erasure.id, step="done", certificate=json.dumps(whole), finished_at=now()
            )
