"""After an erasure nothing opens, from any copy but those that the certificate names.

Here stands the attacker, who kept copies of everything from before and holds today's keyring with
its passphrase; beside it, as controls, what still opens: a living case, and the case itself from a
copy of the keyring that was taken before.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from gateway.ids import now
from gateway.privacy.erasure import LEASE, LEASE_TIME
from keys import envelope
from keys.context import Context, Purpose
from keys.errors import KeysError
from keys.providers.local import LocalKeyring
from keys.secret import SecretKey
from keys.stream import unseal_bytes
from storage import leases
from storage.database import Database
from storage.schema import cases, erasures, files, parts, thumbnails, wrapped_keys
from tests.house import API, BYTES, PASSPHRASE, SCAN, TUS, House
from tests.scans import arch, binary_stl
from tests.stories.test_erasure_certificate import public_keys, verified_body

RECORDS = ("identity", "notes", "brief")
SCANS = [binary_stl(arch(1_500, seed=seed)) for seed in range(4)]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Kept:
    """Copies of rows and blobs, taken at some moment."""

    keys: Sequence[Row]
    cases: Sequence[Row]
    files: Sequence[Row]
    thumbnails: Sequence[Row]
    blobs: Mapping[str, bytes]

    @classmethod
    async def of(cls, house: House) -> Kept:
        """Everything that is stored now."""
        vault = house.settings.data / "blobs" / "vault"
        return cls(
            keys=await _rows(house.rooms.keystore, wrapped_keys),
            cases=await _rows(house.rooms.main, cases),
            files=await _rows(house.rooms.main, files),
            thumbnails=await _rows(house.rooms.main, thumbnails),
            blobs={path.name: path.read_bytes() for path in vault.rglob("*") if path.is_file()},
        )

    def __add__(self, other: Kept) -> Kept:
        return Kept(
            [*self.keys, *other.keys],
            [*self.cases, *other.cases],
            [*self.files, *other.files],
            [*self.thumbnails, *other.thumbnails],
            {**self.blobs, **other.blobs},
        )


@dataclass
class Loot:
    """What the attacker opened."""

    keys: dict[tuple[str, str], SecretKey] = field(default_factory=dict)
    records: dict[tuple[str, str], bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def of_case(self, case_id: str, blob_ids: Sequence[str]) -> list[str]:
        """Everything in it that belongs to one case."""
        return [
            *(purpose for purpose, object_id in self.keys if object_id in {case_id, *blob_ids}),
            *(name for owner, name in self.records if owner == case_id),
            *(blob_id for blob_id in self.files if blob_id in blob_ids),
        ]


async def loot(keyring_path: Path, kept: Kept) -> Loot:
    """Try every key under every version of every practice's key, and everything under every key."""
    keyring = await asyncio.to_thread(LocalKeyring.open, keyring_path, PASSPHRASE)
    found = Loot()
    controllers = {row["controller_id"] for row in kept.keys}
    tops = [(owner, v) for owner in controllers for v in await keyring.versions(owner)]
    for row, (owner, version) in product(kept.keys, tops):
        # The keyring looks its key up by the context's controller.
        place = Context(Purpose(row["purpose"]), owner, row["case_id"] or "", row["object_id"])
        try:
            secret = await keyring.unwrap(version, row["wrapped"], place)
        except KeysError:
            continue
        found.keys[row["purpose"], row["object_id"]] = secret
    _open_file_keys(kept, found)
    _open_records(kept, found)
    _open_blobs(kept, found)
    return found


def _open_file_keys(kept: Kept, found: Loot) -> None:
    tops = list(found.keys.values())
    for row, top in product(kept.keys, tops):
        place = Context(
            Purpose(row["purpose"]), row["controller_id"], row["case_id"] or "", row["object_id"]
        )
        try:
            found.keys[row["purpose"], row["object_id"]] = envelope.unwrap(
                top, row["wrapped"], place
            )
        except KeysError:
            continue


def _open_records(kept: Kept, found: Loot) -> None:
    sealed = [
        (row["controller_id"], row["id"], name, row[f"sealed_{name}"] or b"")
        for row, name in product(kept.cases, RECORDS)
    ]
    pictures = {row["file_id"]: row["sealed_picture"] for row in kept.thumbnails}
    sealed += [
        (row["controller_id"], row["case_id"], f"{name}/{row['id']}", value or b"")
        for row in kept.files
        for name, value in (
            ("name", row["sealed_name"]),
            ("verdict", row["sealed_verdict"]),
            ("thumbnail", pictures.get(row["id"])),
        )
    ]
    for (controller_id, case_id, name, value), key in product(sealed, list(found.keys.values())):
        record = envelope.record_key(key, controller_id, case_id)
        try:
            plain = envelope.unseal(
                record, value, Context(Purpose.RECORD, controller_id, case_id, name)
            )
        except KeysError:
            continue
        found.records[case_id, name] = plain


def _open_blobs(kept: Kept, found: Loot) -> None:
    for row, key in product(kept.files, list(found.keys.values())):
        place = Context(
            Purpose.FILE, row["controller_id"], row["case_id"], f"{row['id']}/{row['blob_id']}"
        )
        try:
            plain = unseal_bytes(key, kept.blobs.get(row["blob_id"], b""), place)
        except KeysError:
            continue
        found.files[row["blob_id"]] = plain


async def test_what_was_kept_from_before_an_erasure_opens_with_nothing_of_today(
    house: House, tmp_path: Path
) -> None:
    erased, scan = await house.planned_case()
    living, other = await house.submitted_case()
    before = await Kept.of(house)
    blob_ids = [row["blob_id"] for row in before.files if row["case_id"] == erased]
    kept_keyring = tmp_path / "kept-keyring.json"
    shutil.copyfile(house.settings.keyring_path, kept_keyring)
    original = await house.dentist.download(erased, scan["id"])

    certificate = await house.dentist.erase(erased)
    everything = before + await Kept.of(house)
    today = await loot(house.settings.keyring_path, everything)

    assert today.of_case(erased, blob_ids) == []
    # Control: the same attacker opens all of a living case of the same practice.
    (living_blob,) = (row["blob_id"] for row in before.files if row["id"] == other["id"])
    assert today.files[living_blob] == await house.dentist.download(living, other["id"])
    of_file = {f"{name}/{other['id']}" for name in ("name", "verdict", "thumbnail")}
    assert {name for owner, name in today.records if owner == living} == {*RECORDS, *of_file}
    # The honest rest: a copy of the keyring, with its passphrase. The certificate says so.
    (blob_id,) = blob_ids
    then = await loot(kept_keyring, before)
    assert then.files[blob_id] == original
    assert b"Proefpersoon" in then.records[erased, "identity"]
    assert then.records[erased, f"thumbnail/{scan['id']}"].startswith(b"\xff\xd8\xff")
    assert any("a copied keyring file" in rest for rest in certificate["body"]["not_covered"])


async def test_only_a_new_version_is_left_and_no_key_of_the_case(
    house: House,
) -> None:
    case_id, _ = await house.submitted_case()
    before = await _rows(house.rooms.keystore, wrapped_keys)
    await house.dentist.erase(case_id)

    keyring = await asyncio.to_thread(LocalKeyring.open, house.settings.keyring_path, PASSPHRASE)
    versions = await keyring.versions(house.practice.id)
    after = await _rows(house.rooms.keystore, wrapped_keys)

    assert {row["version"] for row in before if row["purpose"] == Purpose.CASE_KEY} == {1}
    assert versions == {2}
    assert not any(row["case_id"] == case_id for row in after)


async def test_erasing_twice_gives_the_same_certificate(house: House) -> None:
    case_id, _ = await house.submitted_case()
    body = {"reason": "asked for in a test", "confirm": case_id}
    first = await house.dentist.post(f"{API}/cases/{case_id}/erasure", body, 202)
    at_once = await house.dentist.post(f"{API}/cases/{case_id}/erasure", body, 202)

    certificate = await house.dentist.erase(case_id)
    again = await house.dentist.erase(case_id)

    assert first["id"] == at_once["id"] == certificate["body"]["certificate_id"]
    assert again == certificate


async def test_erasures_that_wait_together_share_one_puncture(house: House) -> None:
    case_ids = [(await house.submitted_case(scan))[0] for scan in SCANS]
    lease = await leases.acquire(house.rooms.main, LEASE, "a busy node", LEASE_TIME, now())
    assert lease is not None
    for case_id in case_ids:
        body = {"reason": "asked for in a test", "confirm": case_id}
        await house.dentist.post(f"{API}/cases/{case_id}/erasure", body, 202)
    await leases.release(house.rooms.main, lease)

    certificates = [await house.dentist.erase(case_id) for case_id in case_ids]

    rows = await _rows(house.rooms.main, erasures)
    assert len({row["puncture_id"] for row in rows}) == 1
    assert {c["body"]["key"]["destroyed_version"] for c in certificates} == {1}
    keys = await public_keys(house)
    assert [verified_body(c, keys)["case_id"] for c in certificates] == case_ids


async def test_erasures_lose_nothing_of_the_cases_that_go_on(house: House) -> None:
    doomed = [(await house.submitted_case())[0] for _ in range(3)]
    standing, standing_file = await house.submitted_case()
    accepted: list[tuple[str, str, str]] = []

    async def go_on(scan: bytes, rounds: int) -> None:
        for _ in range(rounds):
            case_id = await house.dentist.new_case(notes="goes on")
            half = len(scan) // 2
            address, file_id = await house.dentist.begin_upload(case_id, len(scan))
            assert (await house.dentist.append(address, 0, scan[:half])).status == 204
            assert (await house.dentist.append(address, half, scan[half:])).status == 204
            file = await house.dentist.verdict(case_id, file_id)
            assert file["state"] == "accepted", file
            accepted.append((case_id, file_id, file["sha256"]))

    async def erase_one_by_one() -> list[Any]:
        return [await house.dentist.erase(case_id) for case_id in doomed]

    certificates, *_ = await asyncio.gather(erase_one_by_one(), *(go_on(scan, 4) for scan in SCANS))

    assert [c["body"]["case_id"] for c in certificates] == doomed
    assert len(accepted) == 4 * len(SCANS)
    for case_id, file_id, sha256 in accepted:
        content = await house.dentist.download(case_id, file_id)
        assert hashlib.sha256(content).hexdigest() == sha256
        case = await house.dentist.get(f"{API}/cases/{case_id}")
        assert case["patient"]["name"] == "Wilhelmina Proefpersoon"
    content = await house.dentist.download(standing, standing_file["id"])
    assert hashlib.sha256(content).hexdigest() == standing_file["sha256"]


async def test_uploads_in_flight_into_an_erased_case_end_and_leave_nothing(house: House) -> None:
    case_id = await house.dentist.new_case()
    half = len(SCAN) // 2
    paused, _ = await house.dentist.begin_upload(case_id, len(SCAN))
    assert (await house.dentist.append(paused, 0, SCAN[:half])).status == 204
    running, _ = await house.dentist.begin_upload(case_id, len(SCAN))
    arrived, erased = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield SCAN[:half]
        arrived.set()
        await erased.wait()
        yield SCAN[half:]

    headers = {**TUS, **BYTES, "Upload-Offset": "0"}
    patch = asyncio.create_task(house.dentist.ask("PATCH", running, headers=headers, data=slowly()))
    await arrived.wait()
    frozen = await house.dentist.post(
        f"{API}/cases/{case_id}/erasure", {"reason": "a test", "confirm": case_id}, 202
    )
    refused = await house.dentist.append(paused, half, SCAN[half:])
    await house.dentist.erase(case_id)
    erased.set()
    ended = await patch
    gone = await house.dentist.append(paused, half, SCAN[half:])

    assert frozen["step"] == "frozen"
    assert refused.status in {404, 409, 410}
    assert ended.status in {404, 409, 410}, ended.text
    assert gone.status in {404, 410}
    assert await house.rooms.sweeper.sweep()
    assert not [row for row in await _rows(house.rooms.main, files) if row["case_id"] == case_id]
    assert await _rows(house.rooms.main, parts) == []
    assert await _rows(house.rooms.main, thumbnails) == []
    keys = await _rows(house.rooms.keystore, wrapped_keys)
    assert not [row for row in keys if row["case_id"] == case_id]
    blobs = house.settings.data / "blobs"
    assert [path for path in blobs.rglob("*") if path.is_file()] == []


async def _rows(database: Database, table: Table) -> list[dict[str, Any]]:
    async with database.reading() as connection:
        return [dict(row) for row in (await connection.execute(select(table))).mappings()]
