"""From received to a verdict: open the parts in memory, inspect, seal the canonical file.

The state of the row is the queue. Whichever node claims a received file works on it under a
lease; what a crash leaves is claimed again by the next. The steps, and what a failure leaves:

1. claim the row                    nothing
2. open the parts, in memory        nothing; an altered part refuses the file and is logged
3. scan for viruses, if that is set nothing; while the scanner is away no file is claimed
   inspect in a confined worker     nothing; a worker that dies or hangs refuses the file
   search what text it held         nothing; the text itself is thrown away
4. blob and file key in the vault   an orphan blob and key: the sweep
5. row, verdict and event together  the file is accepted or refused
6. drop upload key, delete parts    orphan parts that do not open: the sweep
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import accumulate
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import system
from gateway.access.grants import Access, Grant, Target
from gateway.access.policy import Action
from gateway.errors import CaseFrozenError, IntegrityFailedError, UnavailableError
from gateway.ids import now
from gateway.inspection.errors import (
    InspectionCrashedError,
    InspectionError,
    InspectionUnavailableError,
)
from gateway.inspection.report import Kind as InspectionKind
from gateway.inspection.report import Limits
from gateway.inspection.workers.pool import WorkerPool
from gateway.intake.clamav import Clamd
from gateway.intake.parts import part_context
from gateway.intake.remarks import IdentifiersRemoved, Remark, sent_before, with_remarks
from gateway.intake.uploads import Kind, clear_quarantine
from gateway.intake.vault import seal_into_vault
from gateway.privacy.casekeys import CaseKeys, OpenCase
from gateway.privacy.patients import Patient
from gateway.privacy.redaction import without_identity
from gateway.privacy.verdict import Verdict
from gateway.settings import Settings
from keys.errors import ProviderUnavailableError, UnsealError
from keys.stream import unseal_bytes
from storage import cases, files
from storage.blobs import Area, BlobStore
from storage.database import Database
from storage.files import File, Part

SLACK = timedelta(seconds=30)  # of a claim beyond what a scanner and an inspection may take
MOST_ATTEMPTS = 3  # a file whose inspection took a node down so often is refused
# The log, a key store, the scanner or the workers cannot serve now.
AWAY = (UnavailableError, ProviderUnavailableError, InspectionUnavailableError)
PAUSE = timedelta(seconds=5)  # before a file is tried again that got no verdict
POLL_SECONDS = 1.0
PDF = b"%PDF-"
DOCUMENT: Mapping[str, Any] = {"kind": "document", "version": 1, "findings": []}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Clean:
    """What is to be kept of an accepted file, and the texts that were in it, which are not."""

    content: bytes = field(repr=False)
    media_type: str
    report: Mapping[str, Any]
    thumbnail: bytes = field(default=b"", repr=False)
    texts: tuple[str, ...] = field(default=(), repr=False)


class Inspector:
    """Claims received files and gives each its verdict."""

    def __init__(
        self,
        main: Database,
        blobs: BlobStore,
        access: Access,
        keys: CaseKeys,
        pool: WorkerPool,
        settings: Settings,
        node_id: str,
    ) -> None:
        """Work as node `node_id`, on as many files at a time as there are workers."""
        self.arrived = asyncio.Event()
        self._main = main
        self._blobs = blobs
        self._access = access
        self._keys = keys
        self._pool = pool
        self._node_id = node_id
        self._scanner = (
            Clamd.of(settings.clamd_address, settings.inspection_seconds)
            if settings.clamd_address
            else None
        )
        self._claim_for = timedelta(seconds=2 * settings.inspection_seconds) + SLACK
        self._slots = asyncio.Semaphore(settings.inspection_workers)
        self._limits = Limits(
            triangles=settings.scan_limit_triangles, pixels=settings.photo_limit_pixels
        )

    async def run(self) -> None:
        """Inspect what arrives until cancelled; what is under way then is claimed again later."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._slots.acquire()
                file = await self._claim()
                if file is not None:
                    tasks.create_task(self._work(file))
                    continue
                self._slots.release()
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self.arrived.wait()
                self.arrived.clear()

    async def _claim(self) -> File | None:
        at = now()
        try:
            async with self._main.reading() as connection:
                if not await files.any_received(connection, at):
                    return None
            if self._scanner is not None and not await self._scanner.is_there():
                log.error("virus_scanner_away")
                return None
            # While no key can be opened, a claim would only use up the file's attempts.
            await self._keys.check()
            async with self._main.transaction() as tx:
                return await files.claim_received(tx, self._node_id, at, at + self._claim_for)
        except Exception as error:  # noqa: BLE001 - a database away for a while must not end the loop
            log.error("claim_failed", error=type(error).__name__)
            return None

    async def _work(self, file: File) -> None:
        try:
            await self.inspect(file)
        except Exception as error:  # noqa: BLE001 - one file must not stop the others; it stays received
            log.error("inspection_failed", file=file.id, error=type(error).__name__)
            if isinstance(error, AWAY):
                await self._give_back(file)
        finally:
            self._slots.release()

    async def _give_back(self, file: File) -> None:
        """End the claim: it was not the file's fault, and costs it no attempt."""
        with suppress(SQLAlchemyError, OSError):  # else the claim runs out by itself
            async with self._main.transaction() as tx:
                await files.give_back(tx, file.id, self._node_id, file.attempts, now() + PAUSE)

    async def inspect(self, file: File) -> None:
        """Give one claimed file its verdict."""
        grant = await self._access.authorise(
            system("inspection"), Action.FILE_INSPECT, file.case_id, target=Target("file", file.id)
        )
        if grant.case.frozen_at is not None:
            return  # the erasure takes it along
        async with self._main.reading() as connection:
            parts = await files.parts_of(connection, file.id)
        try:
            async with self._access.watching(grant, Target("file", file.id)):
                clean = await self._verdict(grant, file, parts)
            done = await self._accept(grant, file, clean)
        except CaseFrozenError:
            return  # the erasure takes it along
        except InspectionUnavailableError:
            raise  # no verdict
        except InspectionError as error:
            reason = {"code": error.code, "reason": error.reason, "numbers": error.numbers}
            done = await self._refuse(grant, file, reason)
        except IntegrityFailedError as error:
            done = await self._refuse(grant, file, {"code": error.code})
        if done:
            await clear_quarantine(
                self._keys, self._blobs, file.id, [part.blob_id for part in parts]
            )

    async def _verdict(self, grant: Grant, file: File, parts: Sequence[Part]) -> Clean:
        if file.attempts > MOST_ATTEMPTS:
            raise InspectionCrashedError
        key = await self._keys.upload_key(grant, file.id)
        content: list[bytes] = []
        for part in parts:
            size = await self._blobs.size(Area.QUARANTINE, part.blob_id)
            sealed = await self._blobs.read(Area.QUARANTINE, part.blob_id, 0, size)
            place = part_context(file, part)
            content.append(await asyncio.to_thread(unseal_bytes, key, sealed, place))
        starts = [0, *accumulate(len(piece) for piece in content)]
        if starts != [*(part.start for part in parts), file.length]:
            raise UnsealError  # a part was taken away
        if self._scanner is not None:
            await self._scanner.scan(content)
        if file.kind == Kind.PLAN and content[0].startswith(PDF):
            return Clean(b"".join(content), "application/pdf", DOCUMENT)  # never opened by us
        kind: InspectionKind = "photo" if file.kind == Kind.PHOTO else "scan"
        result = await self._pool.inspect(kind, content, self._limits)
        return Clean(
            result.clean,
            result.media_type,
            result.report.to_json(),
            result.thumbnail,
            result.texts,
        )

    async def _accept(self, grant: Grant, file: File, clean: Clean) -> bool:
        async with self._main.reading() as connection:
            # As they are together: the case may have been given another key since the claim.
            case = await cases.get(connection, file.case_id)
            current = await files.get(connection, file.id)
        grant = replace(grant, subject=case)
        if current is not None and current.sealed_name is not None:
            file = replace(file, sealed_name=current.sealed_name)
        opened = await self._keys.open_case(grant)
        async with self._access.watching(grant, Target("file", file.id)):
            name, removed = await asyncio.to_thread(_searched, opened, grant, file, clean.texts)
        sealed = await seal_into_vault(self._keys, self._blobs, opened, file.id, clean.content)
        async with self._main.transaction() as tx:
            if not await self._is_claimed(tx, file):
                return False
            await _check_key(tx, opened)
            verdict = Verdict(sealed.sha256.hex(), clean.report)
            earlier = _verdicts(opened, await files.of_case(tx, file.case_id))
            remarks: list[Remark] = [*sent_before(file.kind, verdict, earlier), *removed]
            verdict = replace(verdict, report=with_remarks(clean.report, remarks))
            columns = {
                "media_type": clean.media_type,
                "warnings": _warnings(verdict.report),
                "number": await files.next_number(tx, file.case_id, file.kind),
                "size": sealed.size,
                "blob_id": sealed.blob_id,
                "sealed_sha256": sealed.sealed_sha256,
                "sealed_name": opened.seal(f"name/{file.id}", name.encode()),
                "sealed_verdict": opened.seal(f"verdict/{file.id}", verdict.to_bytes()),
            }
            if clean.thumbnail:
                picture = opened.seal(f"thumbnail/{file.id}", clean.thumbnail)
                await files.add_thumbnail(tx, file.id, picture)
            await self._finish(tx, grant, file, "accepted", columns)
        return True

    async def _refuse(self, grant: Grant, file: File, problem: dict[str, Any]) -> bool:
        """Refuse the file: it leaves nothing but its reason."""
        async with self._main.transaction() as tx:
            if not await self._is_claimed(tx, file):
                return False
            verdict = {"problem": json.dumps(problem), "sealed_name": None}
            await self._finish(tx, grant, file, "refused", verdict)
        return True

    async def _is_claimed(self, tx: AsyncConnection, file: File) -> bool:
        """Whether it still is ours; another node or an erasure may have come in between.

        The lock of the case holds until the verdict is committed.
        """
        case = await cases.lock(tx, file.case_id)
        current = await files.get(tx, file.id)
        if case is None or case.frozen_at is not None or current is None:
            return False
        ours = current.claimed_by == self._node_id and current.attempts == file.attempts
        return ours and current.state == "received"

    async def _finish(
        self, tx: AsyncConnection, grant: Grant, file: File, state: str, verdict: dict[str, Any]
    ) -> None:
        """Commit verdict and event."""
        finished = {"state": state, "finished_at": now()}
        await files.change(tx, file.id, **finished, **verdict)
        await files.delete_parts(tx, file.id)
        outcome = {"verdict": state, "kind": file.kind}
        await self._access.outcome_in(tx, grant, Target("file", file.id), **outcome)


def _warnings(report: Mapping[str, Any]) -> int:
    """How many findings a person should look at."""
    return sum(finding["severity"] == "warning" for finding in report["findings"])


async def _check_key(tx: AsyncConnection, opened: OpenCase) -> None:
    """Refuse to add to a case under a key that it no longer has. The lock of the case is held.

    Raises:
        UnavailableError: It was given another key meanwhile; the file is tried again.
    """
    case = await cases.get(tx, opened.id)
    if case is None or case.key_id != opened.key_id:
        raise UnavailableError


def _searched(
    opened: OpenCase, grant: Grant, file: File, texts: Sequence[str]
) -> tuple[str, Sequence[IdentifiersRemoved]]:
    """The file's name without identifiers of the patient, and where some were found.

    Raises:
        UnsealError: Identity or name is not what was sealed.
    """
    patient = Patient.from_bytes(opened.unseal("identity", grant.case.sealed_identity or b""))
    known = (patient.name, patient.birth_date, patient.number)
    name = opened.unseal(f"name/{file.id}", file.sealed_name or b"").decode()
    bare = without_identity(name, *known)
    # Each by itself: two that follow each other are no number, and no date.
    inside = dict.fromkeys(
        kind for text in texts for kind in without_identity(text, *known).removed
    )
    found = (
        IdentifiersRemoved("file_name", bare.removed),
        IdentifiersRemoved("file", tuple(inside)),
    )
    return bare.text, [remark for remark in found if remark.kinds]


def _verdicts(opened: OpenCase, rows: Sequence[File]) -> Sequence[tuple[File, Verdict]]:
    """The accepted files of the case with their verdicts.

    One that does not open is left out: whoever looks at that file is told, and it is logged then.
    """
    found = []
    for row in rows:
        with suppress(UnsealError):
            if row.sealed_verdict is not None:
                unsealed = opened.unseal(f"verdict/{row.id}", row.sealed_verdict)
                found.append((row, Verdict.from_bytes(unsealed)))
    return found
