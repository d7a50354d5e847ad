"""The inventory: everything that is kept, in all stores, read in pages; memory stays bounded.

It may be taken while a server is at work, and for as long as it takes: it lets go of versions of
keys that are destroyed meanwhile, as every process does. What a crash leaves is no fault: orphans
are counted, and the sweep removes them when they are old enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.access.accountkeys import HOUSE, opens
from gateway.access.accountkeys import place_of as key_place
from gateway.access.actors import operator
from gateway.access.grants import Access
from gateway.access.policy import Action
from gateway.audit.certificate import body_sha256
from gateway.inventory.cases import RESTORE, CaseExaminer
from gateway.inventory.tally import ASK, Fault, Tally
from gateway.privacy.heartbeat import Heartbeat
from keys.context import Context, Purpose
from keys.keyring import Keyring
from storage import accounts, cases, erasures, factors, files, incidents, inventory, keystore
from storage.accesslog.checkpoint import Head, OpenNote
from storage.accesslog.verify import verify
from storage.accounts import Controller
from storage.blobs import Area, BlobStore, check_blob_id
from storage.database import Database
from storage.inventory import LedgerEntry

_NEWEST = "put the newest keystore and the newest keys of the provider in place, of one time"
_TWICE = "an older back-up was put back over a newer one: put the newest in place"
_AGAIN = "have its owner set it up again"
_AWAY = "move this file out of the directory: the sweep stops at it"
_LOG = "run `kluis log verify`; keep a copy, and compare with what witnesses have"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Looks at everything; `kluis doctor --deep`."""

    main: Database
    keystore: Database
    keyring: Keyring
    blobs: BlobStore
    access: Access
    heartbeat: Heartbeat
    claim: Callable[[str], None]
    open_note: OpenNote
    head_path: Path

    async def bytes_to_read(self) -> int:
        """About how many bytes `take` reads from the vault."""
        async with self.main.reading() as connection:
            return await inventory.bytes_in_vault(connection)

    async def take(self, advanced: Callable[[int], None]) -> list[Tally]:
        """Look at everything once, as the operator.

        Args:
            advanced: Told how many bytes of the vault were read since it was last told.

        Raises:
            ProviderUnavailableError: Keys cannot be tried now.
            UnavailableError: The event cannot be written, so nothing is looked at.
        """
        grant = await self.access.authorise(operator(), Action.HOUSE_EXAMINE)
        examiner = CaseExaminer(
            self.main,
            self.keystore,
            self.keyring,
            self.blobs,
            opened=lambda: self.claim(grant.event_id),
            advanced=advanced,
        )
        async with self._letting_go():
            found = [
                await self._controllers(examiner),
                await self._accounts(examiner),
                await self._incidents(examiner),
                await self._cases(examiner),
                await self._keys(),
                await self._blobs(Area.VAULT),
                await self._blobs(Area.QUARANTINE),
                await self._ledger(),
                await self._log(),
            ]
        faults = sum(len(tally.faults) + tally.unnamed for tally in found)
        await self.access.outcome(grant, faults=faults)
        return found

    @asynccontextmanager
    async def _letting_go(self) -> AsyncIterator[None]:
        await self.heartbeat.beat()
        beating = asyncio.create_task(self.heartbeat.run())
        try:
            yield
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
            await self.heartbeat.leave()

    async def _controllers(self, examiner: CaseExaminer) -> Tally:
        tally = Tally("practices")
        async with self.main.reading() as connection:
            known = {it.id: it for it in await accounts.list_controllers(connection)}
        async with self.keystore.reading() as connection:
            owners = await inventory.owners_of_versions(connection)
        # Keys that were made for a practice whose row never came seal nothing.
        tally.left = len(owners - known.keys() - {HOUSE})
        if HOUSE in owners:
            await tally.look(partial(self._versions, HOUSE, closed=False))
            tally.seen -= 1
        for _, controller in sorted(known.items()):
            await tally.look(partial(self._controller, controller, examiner))
        return tally

    async def _controller(self, controller: Controller, examiner: CaseExaminer) -> frozenset[Fault]:
        closed = controller.closed_at is not None
        found = await self._versions(controller.id, closed=closed)
        if closed:
            return found
        place = Context(Purpose.INDEX_KEY, controller.id, object_id=controller.id)
        key = await examiner.wrapped_key(place)
        return found | {key} if isinstance(key, Fault) else found

    async def _versions(self, controller_id: str, *, closed: bool) -> frozenset[Fault]:
        where = f"practice {controller_id}"
        held = await self.keyring.versions(controller_id)
        async with self.main.reading() as connection:
            move = await erasures.puncture_under_way(connection, controller_id)
        async with self.keystore.reading() as connection:
            rows = await keystore.versions(connection, controller_id)
        known = {row.version: row.state for row in rows}
        # Newer than all that is known: made, and nothing is wrapped under it. A back-up of the
        # keys may be that step ahead of the keystore's; the next move takes the number up.
        unused = {version for version in held if version > max(known, default=0)}
        found = {
            Fault(where, wrong, remedy)
            for version in (known.keys() | held) - unused
            for wrong, remedy in _version_faults(
                version,
                known.get(version, "unknown"),
                held=version in held,
                moving=move is not None and version in {move.old_version, move.new_version},
            )
        }
        # The erasure of a closed one takes every version and the index key along.
        if not closed and list(known.values()).count("current") != 1:
            found.add(Fault(where, "not exactly one version of its key is current", _NEWEST))
        return frozenset(found)

    async def _accounts(self, examiner: CaseExaminer) -> Tally:
        """The keys of those who give one-time codes."""
        tally, last = Tally("accounts with codes"), ""
        while True:
            async with self.main.reading() as connection:
                page = await factors.with_codes(connection, last, inventory.PAGE)
            if not page:
                return tally
            for account_id in page:
                await tally.look(partial(self._account, account_id, examiner))
            last = page[-1]

    async def _account(self, account_id: str, examiner: CaseExaminer) -> frozenset[Fault]:
        async with self.main.reading() as connection:
            account = await accounts.get_account(connection, account_id)
            enrolled = await factors.of_account(connection, account_id)
        if account is None or not enrolled:
            return frozenset()
        key = await examiner.wrapped_key(key_place(account))
        if isinstance(key, Fault):
            return frozenset({key})
        sealed = [it for it in enrolled if it.sealed_secret is not None]
        return frozenset(
            Fault(f"factor {it.id}", "its secret does not open", _AGAIN)
            for it in sealed
            if not opens(key, account, it.id, it.sealed_secret or b"")
        )

    async def _incidents(self, examiner: CaseExaminer) -> Tally:
        """The keys of incidents; what is sealed under them is opened by nobody here."""
        tally, before = Tally("incidents"), None
        while True:
            async with self.main.reading() as connection:
                page = await incidents.list_incidents(
                    connection, closed=True, before=before, limit=inventory.PAGE
                )
            if not page:
                return tally
            for each in page:
                await tally.look(partial(self._incident, each.id, examiner))
            before = page[-1].id

    @staticmethod
    async def _incident(incident_id: str, examiner: CaseExaminer) -> frozenset[Fault]:
        place = Context(Purpose.INCIDENT_KEY, HOUSE, object_id=incident_id)
        key = await examiner.wrapped_key(place)
        return frozenset({key} if isinstance(key, Fault) else ())

    async def _cases(self, examiner: CaseExaminer) -> Tally:
        tally, last = Tally("cases"), ""
        while True:
            async with self.main.reading() as connection:
                page = await inventory.case_page(connection, last)
            if not page:
                break
            for case in page:
                tally.left += case.frozen_at is not None and case.state != "erased"
                await tally.look(partial(examiner.examine, case.id))
            last = page[-1].id
        await tally.look(self._subjects)
        tally.seen -= 1
        return tally

    async def _subjects(self) -> frozenset[Fault]:
        async with self.main.reading() as connection:
            lone = await inventory.subjects_without_a_case(connection)
        wrong = Fault("patients", f"{lone} pseudonyms are of no case", ASK)
        return frozenset({wrong} if lone else ())

    async def _keys(self) -> Tally:
        """Keys that no row names. Those that a row names were tried with it."""
        tally, last = Tally("wrapped keys"), ("", "", "")
        names = {
            Purpose.UPLOAD_KEY: files.known_uploads,
            Purpose.FILE_KEY: files.known_blobs,
            Purpose.CASE_KEY: cases.known_keys,
            Purpose.INDEX_KEY: inventory.known_controllers,
            Purpose.ACCOUNT_KEY: inventory.open_accounts,
            Purpose.INCIDENT_KEY: incidents.known,
        }
        while True:
            async with self.keystore.reading() as connection:
                page = await inventory.key_page(connection, last)
            if not page:
                return tally
            tally.seen += len(page)
            async with self.main.reading() as connection:
                for purpose in sorted({row.purpose for row in page}):
                    theirs = [row.object_id for row in page if row.purpose == purpose]
                    if purpose not in names:
                        tally.add(Fault(f"{purpose} {theirs[0]}", "no key of ours", ASK))
                        continue
                    named = await names[Purpose(purpose)](connection, theirs)
                    tally.left += len(set(theirs) - named)
            last = (page[-1].purpose, page[-1].object_id, page[-1].under)

    async def _blobs(self, area: Area) -> Tally:
        """Blobs that no row names. Those that a row names were read with it."""
        tally, batch = Tally(f"blobs in {area}"), list[str]()
        async for stat in self.blobs.list(area):
            tally.seen += 1
            try:
                check_blob_id(stat.blob_id)
            except ValueError:
                tally.add(Fault(f"{area}: {stat.blob_id}", "not a blob", _AWAY))
                continue
            batch.append(stat.blob_id)
            if len(batch) == inventory.PAGE:
                tally.left += await self._unnamed(batch)
                batch.clear()
        tally.left += await self._unnamed(batch)
        return tally

    async def _unnamed(self, blob_ids: list[str]) -> int:
        async with self.main.reading() as connection:
            return len(set(blob_ids) - await files.known_blobs(connection, blob_ids))

    async def _ledger(self) -> Tally:
        tally, last = Tally("erasures"), ""
        while True:
            async with self.keystore.reading() as connection:
                page = await inventory.ledger_page(connection, last)
            if not page:
                break
            for entry in page:
                await tally.look(partial(self._entry, entry))
            last = page[-1].case_id
        return tally

    async def _entry(self, entry: LedgerEntry) -> frozenset[Fault]:
        where = f"case {entry.case_id}"
        async with self.main.reading() as connection:
            case = await cases.get(connection, entry.case_id)
            erasure = await erasures.of_case(connection, entry.case_id)
        if erasure is not None and erasure.step != "done":
            return frozenset()  # it stands in the ledger before its end
        if case is None or erasure is None or case.state != "erased":
            return frozenset(
                {Fault(where, "erased, and the main database does not know it", _TWICE)}
            )
        if erasure.requested_by == RESTORE:
            return frozenset()  # what is certified went with the data that were lost
        if body_sha256(erasure.body or "") != entry.certificate_sha256:
            return frozenset({Fault(where, "its certificate is not that of the ledger", ASK)})
        return frozenset()

    async def _log(self) -> Tally:
        found = await verify(self.main, self.open_note, Head.read(self.head_path))
        tally = Tally("access log", found.size, found.pending)
        if not found.ok:
            tally.add(Fault(f"entry {found.wrong_index}", found.problem or "", _LOG))
        return tally


def _version_faults(version: int, state: str, *, held: bool, moving: bool) -> list[tuple[str, str]]:
    """What is wrong with one version: what the keystore says of it, and what the provider has.

    While a key moves on, the provider may be a step ahead of the keystore.
    """
    wrong = {
        f"version {version} is current, and the provider does not have it": state == "current"
        and not held,
        f"version {version} was destroyed, and the provider has it again": state == "destroyed"
        and held,
        f"version {version} is in the provider, and the keystore does not know it": state
        == "unknown",
        f"version {version} is {state}, and its key is not moving on": state
        in {"creating", "retiring"}
        and not moving,
    }
    remedies = {"destroyed": _TWICE}
    return [(words, remedies.get(state, _NEWEST)) for words, is_so in wrong.items() if is_so]
