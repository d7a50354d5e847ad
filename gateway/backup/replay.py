"""What a restore changes in the rows that a back-up held, so that they agree with today's keys.

The data are of one moment, keystore and provider of a later one. So, in this order:

1. an upload that was on its way is removed: its key was never backed up.
2. a practice's puncture that was under way goes on from its beginning, or has ended meanwhile; a
   version that was left retiring gets one. Every step of a puncture may be done twice.
3. a case in the ledger becomes a tombstone: it was erased since. So does a case whose key is gone
   or lies under a destroyed version, unless its erasure is under way and ends by itself.
   Nothing of it opens, so nothing of it is shown.
4. a case that was given another key since (one of its files was erased, its identity corrected)
   gets that one. What this back-up holds of its records opens under nothing.
5. a practice that has no key at all any more was erased as a whole, and is closed; what of that
   was asked for already at the time of the back-up comes to its certificates.
6. an account that was closed since is closed and erased again.
7. a file whose key is gone was removed since; one whose bytes the back-up lacks goes too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.backup.sources import Versions
from gateway.ids import new_id, now
from keys.context import Purpose
from storage import accounts, cases, files, keystore
from storage.cases import Case
from storage.rows import every
from storage.schema import cases as case_table
from storage.schema import (
    controller_versions,
    erasure_ledger,
    erasures,
    punctures,
    subject_index,
    subjects,
    thumbnails,
    wrapped_keys,
)
from storage.schema import files as file_table

RESTORE = "system:restore"
"""Who stands in the rows that a restore makes."""
REASON = "replayed when a back-up was restored"
ON_ITS_WAY = ("receiving", "received")
IDLE = ("done", "waiting", "withdrawn")


@dataclass(slots=True)
class Replayed:
    """What was changed, by id.

    Attributes:
        erased: Cases that had been erased since.
        closed: Practices that had been erased since.
        accounts: Accounts that had been closed since, but for those of such practices.
        lost: Cases whose key lies under a version that was destroyed: of an older keystore.
        unreadable: Living cases whose records of this moment open under nothing any more.
        uploads: Uploads that were on their way.
        removed: Files that had been removed since, or whose bytes the back-up lacks.
    """

    erased: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Replay:
    """Brings a loaded main database and a loaded keystore together, in a transaction of each."""

    main: AsyncConnection
    keystore: AsyncConnection
    versions: Versions
    ledger: Mapping[str, Mapping[str, Any]]
    blobs: Collection[str]
    done: Replayed = field(default_factory=Replayed)

    async def run(self) -> Replayed:
        """Do all of it."""
        held = await self._versions()
        await self._uploads()
        await self._punctures(held)
        await self._cases(held)
        await self._practices()
        await self._accounts()
        await self._files()
        return self.done

    async def _versions(self) -> Mapping[str, frozenset[int]]:
        """What the provider holds of each practice; what it does not is destroyed."""
        rows = await self.keystore.execute(
            select(controller_versions).where(controller_versions.c.state != "creating")
        )
        held: dict[str, frozenset[int]] = {}
        for row in rows.mappings().all():
            controller_id, version = row["controller_id"], row["version"]
            if controller_id not in held:
                held[controller_id] = await self.versions(controller_id)
            if version not in held[controller_id] and row["state"] != "destroyed":
                await self.keystore.execute(
                    update(controller_versions)
                    .where(
                        controller_versions.c.controller_id == controller_id,
                        controller_versions.c.version == version,
                    )
                    .values(state="destroyed", destroyed_at=now())
                )
        return held

    async def _uploads(self) -> None:
        await self.main.execute(update(file_table).values(capability_hash=None))
        ids = await self.main.scalars(
            select(file_table.c.id).where(file_table.c.state.in_(ON_ITS_WAY))
        )
        for file_id in list(ids):
            await self._remove(file_id)
            self.done.uploads.append(file_id)

    async def _remove(self, file_id: str) -> None:
        await self.main.execute(delete(thumbnails).where(thumbnails.c.file_id == file_id))
        gone = {"sealed_name": None, "sealed_verdict": None, "blob_id": None}
        await files.change(self.main, file_id, state="removed", finished_at=now(), **gone)

    async def _punctures(self, held: Mapping[str, frozenset[int]]) -> None:
        unfinished = select(punctures).where(punctures.c.step != "destroyed")
        under_way = set()
        for row in (await self.main.execute(unfinished)).mappings().all():
            ended = row["old_version"] not in held.get(row["controller_id"], frozenset())
            if not ended:
                under_way.add((row["controller_id"], row["old_version"]))
            step = {"step": "destroyed", "finished_at": now()} if ended else {"step": "begun"}
            await self.main.execute(
                update(punctures).where(punctures.c.id == row["id"]).values(**step)
            )
        known = await self.keystore.execute(
            select(controller_versions).where(
                controller_versions.c.state.in_(["retiring", "current"])
            )
        )
        versions = known.mappings().all()
        current = {r["controller_id"]: r["version"] for r in versions if r["state"] == "current"}
        for row in versions:
            place = (row["controller_id"], row["version"])
            new = current.get(row["controller_id"])
            if row["state"] == "retiring" and place not in under_way and new is not None:
                await self._move_on(*place, new)

    async def _move_on(self, controller_id: str, old: int, new: int) -> None:
        """Its own puncture is not in this back-up: whatever is left on the version moves on."""
        row = self._puncture(controller_id, old, new, "rotation")
        await self.main.execute(insert(punctures).values(row))

    @staticmethod
    def _puncture(controller_id: str, old: int, new: int, cause: str) -> dict[str, Any]:
        return {
            "id": new_id(),
            "controller_id": controller_id,
            "step": "begun",
            "old_version": old,
            "new_version": new,
            "cause": cause,
            "requested_by": RESTORE,
            "created_at": now(),
        }

    async def _cases(self, held: Mapping[str, frozenset[int]]) -> None:
        keys = await self._case_keys()
        under_way = (erasures.c.kind == "case") & erasures.c.step.not_in(IDLE)
        ending = set(await self.main.scalars(select(erasures.c.case_id).where(under_way)))
        living = await self.main.execute(select(case_table).where(case_table.c.state != "erased"))
        for case in every(Case, living):
            entry = self.ledger.get(f"{case.controller_id}/{case.id}")
            own = keys.get(case.id, {})
            alive = {
                key_id
                for key_id, version in own.items()
                if version in held.get(case.controller_id, frozenset())
            }
            if case.id in ending and not (entry and entry["certificate_sha256"]):
                continue  # it goes on by itself, to a certificate of its own
            if entry or not alive:
                await self._bury(case, entry)
                (self.done.lost if own and not entry else self.done.erased).append(case.id)
            elif case.key_id not in alive:
                await cases.change(self.main, case.id, key_id=max(alive))
                self.done.unreadable.append(case.id)

    async def _case_keys(self) -> Mapping[str, Mapping[str, int]]:
        """By case: its keys, and the version that each lies under."""
        found: dict[str, dict[str, int]] = {}
        rows = await self.keystore.stream(
            select(wrapped_keys.c.case_id, wrapped_keys.c.object_id, wrapped_keys.c.version).where(
                wrapped_keys.c.purpose == Purpose.CASE_KEY
            )
        )
        async for case_id, key_id, version in rows:
            found.setdefault(case_id, {})[key_id] = version
        return found

    async def _bury(self, case: Case, entry: Mapping[str, Any] | None) -> None:
        at: datetime = entry["erased_at"] if entry else now()
        await files.delete_of_case(self.main, case.id)
        await self.keystore.execute(delete(wrapped_keys).where(wrapped_keys.c.case_id == case.id))
        gone = {"sealed_identity": None, "sealed_notes": None, "sealed_brief": None}
        await cases.change(self.main, case.id, state="erased", frozen_at=at, pseudonym=None, **gone)
        await cases.end_assignments(self.main, case.id, at)
        if case.pseudonym is not None:
            await self._forget(case.pseudonym)
        await self._enter(case, entry, at)

    async def _forget(self, pseudonym: str) -> None:
        others = select(case_table.c.id).where(case_table.c.pseudonym == pseudonym).limit(1)
        if (await self.main.execute(others)).first() is None:
            of = subject_index.c.pseudonym == pseudonym
            await self.main.execute(delete(subject_index).where(of))
            await self.main.execute(delete(subjects).where(subjects.c.pseudonym == pseudonym))

    async def _enter(self, case: Case, entry: Mapping[str, Any] | None, at: datetime) -> None:
        """The tombstone is explained by an erasure, which ended, and by the ledger."""
        of_case = (erasures.c.case_id == case.id) & (erasures.c.kind == "case")
        ended = {"step": "done", "evidence": None, "finished_at": at}
        changed = await self.main.execute(update(erasures).where(of_case).values(**ended))
        if changed.rowcount == 0:
            erasure_id = new_id()
            row = {
                "id": erasure_id,
                "request_id": erasure_id,
                "kind": "case",
                "controller_id": case.controller_id,
                "case_id": case.id,
                "requested_by": RESTORE,
                "requested_at": at,
                "reason": REASON,
            }
            await self.main.execute(insert(erasures).values(row | ended))
        there = select(erasure_ledger.c.case_id).where(erasure_ledger.c.case_id == case.id)
        if (await self.keystore.execute(there)).first() is None:
            fresh = {
                "case_id": case.id,
                "controller_id": case.controller_id,
                "erased_at": at,
                "certificate_sha256": b"",
            }
            await self.keystore.execute(insert(erasure_ledger).values({**fresh, **(entry or {})}))

    async def _practices(self) -> None:
        for practice in await accounts.list_controllers(self.main):
            if await self.versions(practice.id):
                continue
            await self._go_on_without_keys(practice.id)
            if practice.closed_at is None:
                await accounts.close_controller(self.main, practice.id, now())
                await cases.delete_subjects(self.main, practice.id)
                self.done.closed.append(practice.id)

    async def _go_on_without_keys(self, controller_id: str) -> None:
        """Erasures without a puncture need none any more: every version is destroyed.

        Their certificates name the last one, and when it was destroyed or found so; no wrapped
        key is left to try.
        """
        begun = (
            (erasures.c.controller_id == controller_id)
            & (erasures.c.step == "frozen")
            & erasures.c.puncture_id.is_(None)
        )
        ids = list(await self.main.scalars(select(erasures.c.id).where(begun)))
        known = await self.keystore.execute(
            select(controller_versions.c.version, controller_versions.c.destroyed_at)
            .where(controller_versions.c.controller_id == controller_id)
            .order_by(controller_versions.c.version.desc())
        )
        newest = known.first()
        if not ids or newest is None:
            return
        puncture = self._puncture(controller_id, newest.version, newest.version, "erasure")
        destroyed = {"step": "destroyed", "finished_at": newest.destroyed_at}
        await self.main.execute(insert(punctures).values(puncture | destroyed))
        ended = {"step": "punctured", "puncture_id": puncture["id"], "evidence": "[]"}
        await self.main.execute(update(erasures).where(erasures.c.id.in_(ids)).values(**ended))

    async def _accounts(self) -> None:
        known = await accounts.closed_accounts(self.main)
        for account_id, at in (await keystore.closed_at(self.keystore)).items():
            account = await accounts.get_account(self.main, account_id)
            if account is not None and account_id not in known:
                await accounts.end_account(self.main, account_id, at)
                self.done.accounts.append(account_id)

    async def _files(self) -> None:
        rows = await self.main.execute(
            select(file_table.c.id, file_table.c.blob_id).where(file_table.c.blob_id.is_not(None))
        )
        keyed = set(
            await self.keystore.scalars(
                select(wrapped_keys.c.object_id).where(wrapped_keys.c.purpose == Purpose.FILE_KEY)
            )
        )
        for file_id, blob_id in rows.all():
            if blob_id not in keyed or blob_id not in self.blobs:
                await self._remove(file_id)
                self.done.removed.append(file_id)
