"""After an erasure nothing opens, from any copy but those that the certificate names.

Here stands the attacker, who kept copies of everything from before and holds today's keyring with
its passphrase; beside it, as controls, what still opens: a living case, and the case itself from a
copy of the keyring that was taken before. And somebody who checks a certificate with two public
keys and nothing of ours.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
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
from storage.schema import cases, erasures, files, parts, wrapped_keys
from tests.house import API, BYTES, PASSPHRASE, SCAN, TUS, House
from tests.scans import arch, binary_stl
from tests.storage.accesslog.rfc9162 import includes

RECORDS = ("identity", "notes", "brief")
SCANS = [binary_stl(arch(1_500, seed=seed)) for seed in range(4)]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Kept:
    """Copies of rows and blobs, taken at some moment."""

    keys: Sequence[Row]
    cases: Sequence[Row]
    files: Sequence[Row]
    blobs: Mapping[str, bytes]

    @classmethod
    async def of(cls, house: House) -> Kept:
        """Everything that is stored now."""
        vault = house.settings.data / "blobs" / "vault"
        return cls(
            keys=await _rows(house.rooms.keystore, wrapped_keys),
            cases=await _rows(house.rooms.main, cases),
            files=await _rows(house.rooms.main, files),
            blobs={path.name: path.read_bytes() for path in vault.rglob("*") if path.is_file()},
        )

    def __add__(self, other: Kept) -> Kept:
        return Kept(
            [*self.keys, *other.keys],
            [*self.cases, *other.cases],
            [*self.files, *other.files],
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
    for row, key, name in product(kept.cases, list(found.keys.values()), RECORDS):
        record = envelope.record_key(key, row["controller_id"], row["id"])
        place = Context(Purpose.RECORD, row["controller_id"], row["id"], name)
        try:
            plain = envelope.unseal(record, row[f"sealed_{name}"] or b"", place)
        except KeysError:
            continue
        found.records[row["id"], name] = plain


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
    assert {name for owner, name in today.records if owner == living} == set(RECORDS)
    # The honest rest: a copy of the keyring, with its passphrase. The certificate says so.
    (blob_id,) = blob_ids
    then = await loot(kept_keyring, before)
    assert then.files[blob_id] == original
    assert b"Proefpersoon" in then.records[erased, "identity"]
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


async def test_a_certificate_is_verified_with_two_public_keys_and_nothing_of_ours(
    house: House,
) -> None:
    case_id, scan = await house.submitted_case()
    (sealed,) = [row for row in await _rows(house.rooms.main, files) if row["id"] == scan["id"]]
    certificate = await house.dentist.erase(case_id)
    keys = await _public_keys(house)

    body = _verified_body(certificate, keys)

    assert body["case_id"] == case_id
    assert [file["id"] for file in body["files"]] == [scan["id"]]
    assert body["files"][0]["ciphertext_sha256"] == sealed["sealed_sha256"].hex()
    assert body["controller_id"] == house.practice.id
    assert "Proefpersoon" not in json.dumps(certificate)


async def test_a_certificate_that_was_changed_anywhere_is_found_out(house: House) -> None:
    case_id, _ = await house.submitted_case()
    certificate = await house.dentist.erase(case_id)
    keys = await _public_keys(house)
    places: list[tuple[str | int, ...]] = list(_leaves(certificate))

    unnoticed = []
    for place in places:
        forged = json.loads(json.dumps(certificate))
        *path, last = place
        target = forged
        for step in path:
            target = target[step]
        target[last] = _other(target[last])
        try:
            _verified_body(forged, keys)
        except Exception:  # noqa: BLE001, S112 - whatever it is, it was noticed
            continue
        unnoticed.append(place)

    assert len(places) > 20
    assert unnoticed == []


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
    keys = await _public_keys(house)
    assert [_verified_body(c, keys)["case_id"] for c in certificates] == case_ids


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
    keys = await _rows(house.rooms.keystore, wrapped_keys)
    assert not [row for row in keys if row["case_id"] == case_id]
    blobs = house.settings.data / "blobs"
    assert [path for path in blobs.rglob("*") if path.is_file()] == []


async def _rows(database: Database, table: Table) -> list[dict[str, Any]]:
    async with database.reading() as connection:
        return [dict(row) for row in (await connection.execute(select(table))).mappings()]


@dataclass(frozen=True)
class PublicKey:
    """A C2SP verifier key, read from its text alone."""

    name: str
    key_id: bytes
    key: Ed25519PublicKey

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        name, key_id, encoded = text.strip().split("+", 2)
        raw = base64.b64decode(encoded)
        assert raw[0] == 1  # Ed25519
        computed = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        assert computed.hex() == key_id
        return cls(name, computed, Ed25519PublicKey.from_public_bytes(raw[1:]))


async def _public_keys(house: House) -> tuple[PublicKey, PublicKey]:
    """Of certificates and of the log, as the server publishes them."""
    log = house.settings.log_key_path.read_text()
    certificates = house.settings.certificate_key_path.read_text()
    return PublicKey.parse(certificates), PublicKey.parse(log)


def _verified_body(certificate: Any, keys: tuple[PublicKey, PublicKey]) -> Any:
    """The body, if signature, record, commitment, inclusion proof and checkpoint are all right."""
    signer, log = keys
    body, place = certificate["body"], certificate["log"]
    assert set(certificate) == {"body", "signature", "key", "log"}
    assert PublicKey.parse(certificate["key"]).key_id == signer.key_id
    text = rfc8785.dumps(body)
    signature = base64.b64decode(certificate["signature"], validate=True)
    signer.key.verify(signature, b"kluis/erasure-certificate/1\n" + text)

    record = json.loads(place["record"])
    assert record["event"]["detail"]["certificate_sha256"] == hashlib.sha256(text).hexdigest()
    assert record["object"]["case_id"] == body["case_id"]
    salt = base64.b64decode(place["salt"], validate=True)
    commitment = hmac.digest(salt, place["record"].encode(), "sha256")
    origin, size, root = _opened_note(place["checkpoint"], log)
    assert (origin, size) == (log.name, place["size"])
    path = [base64.b64decode(node, validate=True) for node in place["hashes"]]
    assert includes(commitment, place["index"], size, path, root)
    return body


def _opened_note(note: str, log: PublicKey) -> tuple[str, int, bytes]:
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    (line,) = [s for s in signatures.splitlines() if s.startswith(f"\N{EM DASH} {log.name} ")]
    raw = base64.b64decode(line.rpartition(" ")[2], validate=True)
    assert raw[:4] == log.key_id
    log.key.verify(raw[4:], text.encode())
    origin, size, root = text.splitlines()
    return origin, int(size), base64.b64decode(root, validate=True)


def _leaves(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict | list):
        steps = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for step, below in steps for leaf in _leaves(below, (*place, step))]
    return [place]


def _other(value: Any) -> Any:
    """Something else of the same kind; in a text, one letter in its middle."""
    if isinstance(value, str) and value:
        at = len(value) // 2
        return value[:at] + ("B" if value[at] != "B" else "C") + value[at + 1 :]
    return value + 1 if isinstance(value, int) else "something"
