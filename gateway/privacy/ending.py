"""The end of an erasure whose key is punctured: prove, delete, record, certify.

Each step is idempotent; privacy/erasure.py says when it is whose turn.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import system
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.audit.certificate import body_sha256, canonical
from gateway.errors import NotFoundError
from gateway.ids import now
from gateway.privacy import certificate
from gateway.privacy.puncture import Punctures, Transaction
from keys.context import Context, Purpose
from keys.errors import UnknownKeyVersionError, UnsealError
from keys.keyring import Keyring
from storage import cases, erasures, files, keystore
from storage.accesslog.reading import proof
from storage.blobs import Area, BlobStore
from storage.cases import Case
from storage.database import Database
from storage.erasures import Erasure

ACTIONS = {
    "case": Action.CASE_ERASE,
    "file": Action.FILE_ERASE,
    "rectification": Action.CASE_RECTIFY,
    "client": Action.CONTROLLER_ERASE,
}


class EvidenceOpensError(Exception):
    """The self-test failed: what should be gone still opens. The erasure stops and says so."""


class Ending:
    """Takes erasures from punctured to done."""

    def __init__(
        self,
        *,
        main: Database,
        key_database: Database,
        blobs: BlobStore,
        access: Access,
        keyring: Keyring,
        punctures: Punctures,
    ) -> None:
        """Certificates are signed by the `keyring`'s key for them."""
        self._main = main
        self._keystore = key_database
        self._blobs = blobs
        self._access = access
        self._keyring = keyring
        self._punctures = punctures

    async def go_on(self, transaction: Transaction, erasure: Erasure) -> None:
        """Do the next step, in transactions in which it is still this node's turn."""
        steps = {
            "punctured": self._prove,
            "proved": self._delete,
            "deleted": self._record,
            "recorded": self._certify,
        }
        await steps[erasure.step](transaction, erasure)

    async def _prove(self, transaction: Transaction, erasure: Erasure) -> None:
        """Try the evidence under every version that the provider has at this moment."""
        async with self._main.reading() as connection:
            puncture = await erasures.get_puncture(connection, erasure.puncture_id or "")
        versions = await self._keyring.versions(erasure.controller_id)
        if puncture.old_version in versions:
            raise EvidenceOpensError
        for kept in json.loads(erasure.evidence or "[]"):
            if await self._opens(erasure, kept, versions):
                raise EvidenceOpensError
        if erasure.kind == "client":
            if not await self._is_last(erasure):
                return  # what is left of the key goes when nothing needs it any more
            if not await self._punctures.destroy_last(erasure.controller_id):
                return
            versions = await self._keyring.versions(erasure.controller_id)
            if versions:
                raise EvidenceOpensError
        await self._write_body(transaction, erasure, puncture.id, sorted(versions))

    async def _is_last(self, erasure: Erasure) -> bool:
        """Whether nothing else of this controller is to be carried out."""
        async with self._main.reading() as connection:
            left = await erasures.pending(connection, erasure.controller_id)
            under_way = await erasures.puncture_under_way(connection, erasure.controller_id)
        return [one.id for one in left] == [erasure.id] and under_way is None

    async def _opens(
        self, erasure: Erasure, kept: Mapping[str, str], versions: Collection[int]
    ) -> bool:
        """Whether a wrapped key that was kept opens under one of these versions."""
        place = Context(
            Purpose(kept["purpose"]), erasure.controller_id, erasure.case_id or "", kept["object"]
        )
        for version in versions:
            with suppress(UnsealError, UnknownKeyVersionError):
                await self._keyring.unwrap(version, base64.b64decode(kept["wrapped"]), place)
                return True
        return False

    async def _write_body(
        self, transaction: Transaction, erasure: Erasure, puncture_id: str, versions: list[int]
    ) -> None:
        async with transaction() as tx:
            puncture = await erasures.get_puncture(tx, puncture_id)
            old = puncture.old_version
            body = certificate.body(
                erasure,
                puncture,
                await self._facts(tx, erasure),
                provider=self._keyring,
                destroyed_by=(await self._keyring.keeper(erasure.controller_id, old)).name,
                living_versions=versions,
                erased_at=now().isoformat(),
            )
            text = canonical(body)
            await erasures.change(tx, erasure.id, step="proved", body=text, evidence=None)

    async def _facts(self, tx: AsyncConnection, erasure: Erasure) -> Mapping[str, Any]:
        """What is gone, or is about to go: ids, sizes, hashes of ciphertext."""
        if erasure.kind == "client":
            return await self._facts_of_client(tx, erasure)
        if erasure.kind != "case":
            told: Mapping[str, Any] = json.loads(erasure.facts or "{}")
            return told
        case = await cases.get(tx, erasure.case_id or "")
        if case is None:
            raise NotFoundError
        return {
            "records": certificate.records(case),
            "files": certificate.files(await files.of_case(tx, case.id)),
        }

    async def _facts_of_client(self, tx: AsyncConnection, erasure: Erasure) -> Mapping[str, Any]:
        puncture = await erasures.get_puncture(tx, erasure.puncture_id or "")
        async with self._keystore.reading() as connection:
            known = await keystore.versions(connection, erasure.controller_id)
        erased = await erasures.certificates_of(tx, erasure.controller_id)
        return {
            "cases": [{"id": case_id, "certificate_id": each} for case_id, each in erased],
            "also_destroyed": [v.version for v in known if v.version > puncture.old_version],
        }

    async def _delete(self, transaction: Transaction, erasure: Erasure) -> None:
        deleting = {
            "case": self._delete_case,
            "file": self._delete_file,
            "client": self._delete_client,
        }
        if (delete := deleting.get(erasure.kind)) is not None:
            await delete(transaction, erasure)
        async with transaction() as tx:
            await erasures.change(tx, erasure.id, step="deleted")

    async def _delete_file(self, _transaction: Transaction, erasure: Erasure) -> None:
        blob_id = json.loads(erasure.facts or "{}").get("blob_id")
        if blob_id is not None:
            await self._blobs.delete(Area.VAULT, blob_id)

    async def _delete_client(self, transaction: Transaction, erasure: Erasure) -> None:
        async with self._keystore.transaction() as tx:
            await keystore.remove_controller(tx, erasure.controller_id)
        async with transaction() as tx:
            await cases.delete_subjects(tx, erasure.controller_id)

    async def _delete_case(self, transaction: Transaction, erasure: Erasure) -> None:
        case_id = erasure.case_id or ""
        async with self._main.reading() as connection:
            rows = await files.of_case(connection, case_id)
            parts = [p for row in rows for p in await files.parts_of(connection, row.id)]
        for row in rows:
            if row.blob_id is not None:
                await self._blobs.delete(Area.VAULT, row.blob_id)
        for part in parts:
            await self._blobs.delete(Area.QUARANTINE, part.blob_id)
        async with self._keystore.transaction() as tx:
            await keystore.remove_case(tx, case_id)
        async with transaction() as tx:
            await files.delete_of_case(tx, case_id)

    async def _record(self, transaction: Transaction, erasure: Erasure) -> None:
        digest = body_sha256(erasure.body or "")
        action = ACTIONS[erasure.kind]
        if erasure.kind == "case":
            async with self._keystore.transaction() as tx:
                await keystore.certify_in_ledger(tx, erasure.case_id or "", digest)
        grant = await self._access.authorise(system("erasure"), action, erasure.case_id)
        async with transaction() as tx:
            if erasure.kind == "case":
                await _make_tombstone(tx, grant.case)
            event_id = await self._access.outcome_in(
                tx,
                grant,
                Target("erasure", erasure.id),
                controller_id=erasure.controller_id,
                certificate_sha256=digest.hex(),
            )
            await erasures.change(tx, erasure.id, step="recorded", event_id=event_id)

    async def _certify(self, transaction: Transaction, erasure: Erasure) -> None:
        async with self._main.reading() as connection:
            placed = await proof(connection, erasure.event_id or "")
        if placed is None:
            return  # no checkpoint covers it yet
        key = await self._keyring.signing_key("certificate")
        whole = certificate.certificate(json.loads(erasure.body or "{}"), key, placed)
        async with transaction() as tx:
            await erasures.change(
                tx, erasure.id, step="done", certificate=json.dumps(whole), finished_at=now()
            )


async def _make_tombstone(tx: AsyncConnection, case: Case) -> None:
    """Leave of a case that it was, and when; forget a patient who has no other."""
    gone = {"sealed_identity": None, "sealed_notes": None, "sealed_brief": None}
    await cases.change(tx, case.id, state="erased", pseudonym=None, **gone)
    if case.pseudonym is not None:
        await cases.delete_subject_without_cases(tx, case.pseudonym)
