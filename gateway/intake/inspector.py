"""From received to a verdict: open the parts in memory, inspect, seal the canonical file.

The state of the row is the queue. Whichever node claims a received file works on it under a
lease; what a crash leaves is claimed again by the next. The steps, and what a failure leaves:

1. claim the row                    nothing
2. open the parts, in memory        nothing; an altered part refuses the file and is logged
3. inspect in a confined worker     nothing; a worker that dies or hangs refuses the file
4. blob and file key in the vault   an orphan blob and key: the sweep
5. row, verdict and event together  the file is accepted or refused
6. drop upload key, delete parts    orphan parts that do not open: the sweep
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import accumulate
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import system
from gateway.access.grants import Access, Grant, Target
from gateway.access.policy import Action
from gateway.errors import CaseFrozenError, IntegrityFailedError
from gateway.ids import now
from gateway.inspection.errors import (
    InspectionCrashedError,
    InspectionError,
    InspectionUnavailableError,
)
from gateway.inspection.pool import WorkerPool
from gateway.inspection.report import Kind as InspectionKind
from gateway.inspection.report import Limits
from gateway.intake.parts import part_context
from gateway.intake.uploads import Kind, clear_quarantine
from gateway.intake.vault import seal_into_vault
from gateway.privacy.casekeys import CaseKeys
from gateway.privacy.verdict import Verdict
from gateway.settings import Settings
from keys.errors import UnsealError
from keys.stream import unseal_bytes
from storage import cases, files
from storage.blobs import Area, BlobStore
from storage.database import Database
from storage.files import File, Part

CLAIM = timedelta(seconds=90)  # longer than an inspection may take
MOST_ATTEMPTS = 3  # a file whose inspection took a node down so often is refused
POLL_SECONDS = 1.0
PDF = b"%PDF-"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Clean:
    """What is to be kept of an accepted file. A PDF has no report: it is not opened."""

    content: bytes = field(repr=False)
    media_type: str
    report: Mapping[str, object] | None


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
            async with self._main.transaction() as tx:
                return await files.claim_received(tx, self._node_id, at, at + CLAIM)
        except Exception as error:  # noqa: BLE001 - a database away for a while must not end the loop
            log.error("claim_failed", error=type(error).__name__)
            return None

    async def _work(self, file: File) -> None:
        try:
            await self.inspect(file)
        except Exception as error:  # noqa: BLE001 - one file must not stop the others; it stays received
            log.error("inspection_failed", file=file.id, error=type(error).__name__)
        finally:
            self._slots.release()

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
        except (InspectionUnavailableError, CaseFrozenError):
            return  # no verdict: it is tried again, or the erasure takes it along
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
        if file.kind == Kind.PLAN and content[0].startswith(PDF):
            return Clean(b"".join(content), "application/pdf", None)  # sealed, never opened by us
        kind: InspectionKind = "photo" if file.kind == Kind.PHOTO else "scan"
        result = await self._pool.inspect(kind, content, self._limits)
        return Clean(result.clean, result.media_type, result.report.to_json())

    async def _accept(self, grant: Grant, file: File, clean: Clean) -> bool:
        opened = await self._keys.open_case(grant)
        sealed = await seal_into_vault(self._keys, self._blobs, opened, file.id, clean.content)
        verdict = Verdict(sealed.sha256.hex(), clean.report)
        async with self._main.transaction() as tx:
            columns = {
                "media_type": clean.media_type,
                "number": await files.next_number(tx, file.case_id, file.kind),
                "size": sealed.size,
                "blob_id": sealed.blob_id,
                "sealed_sha256": sealed.sealed_sha256,
                "sealed_verdict": opened.seal(f"verdict/{file.id}", verdict.to_bytes()),
            }
            return await self._finish(tx, grant, file, "accepted", columns)

    async def _refuse(self, grant: Grant, file: File, problem: dict[str, Any]) -> bool:
        """Refuse the file: it leaves nothing but its reason."""
        async with self._main.transaction() as tx:
            verdict = {"problem": json.dumps(problem), "sealed_name": None}
            return await self._finish(tx, grant, file, "refused", verdict)

    async def _finish(
        self, tx: AsyncConnection, grant: Grant, file: File, state: str, verdict: dict[str, Any]
    ) -> bool:
        """Commit verdict and event, unless another node or an erasure came in between."""
        case = await cases.lock(tx, file.case_id)
        current = await files.get(tx, file.id)
        if case is None or case.frozen_at is not None or current is None:
            return False
        if current.claimed_by != self._node_id or current.attempts != file.attempts:
            return False
        finished = {"state": state, "finished_at": now()}
        if not await files.change_from(tx, file.id, "received", **finished, **verdict):
            return False
        await files.delete_parts(tx, file.id)
        outcome = {"verdict": state, "kind": file.kind}
        await self._access.outcome_in(tx, grant, Target("file", file.id), **outcome)
        return True
