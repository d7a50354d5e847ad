"""The manifest: only what the house signed counts, and no bytes break its reader."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backup.errors import BackupDamagedError, BackupForeignError
from gateway.backup.place import Generation, LogState, Manifest, Part, Place
from keys.secret import SecretKey
from keys.signing import SigningKey, Verifiers

SIGNER = SigningKey("certificate", SecretKey(b"s" * 32))
SIGNERS = Verifiers.parse(SIGNER.verifier)
PART = Part("data.sealed", 1, "00" * 32)
MANIFEST = Manifest(
    generation="g1",
    at="2026-11-22T12:00:00+00:00",
    version="0.1.0",
    provider="local",
    data=PART,
    blobs=PART,
    keystore=PART,
    log=LogState("kluis.example/log", 3, "00" * 32, ""),
    public={"log.pub": "a", "certificate.pub": "b"},
)
PATH = Path("generations/g1/manifest.json")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def written(directory: Path, raw: bytes) -> Generation:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "manifest.json").write_bytes(raw)
    return Generation.read(directory)


def test_what_was_signed_is_read_back(tmp_path: Path) -> None:
    generation = written(tmp_path / "g1", MANIFEST.signed(SIGNER.sign))

    generation.check(SIGNERS)
    assert generation.manifest == MANIFEST


@pytest.mark.parametrize("field", sorted(json.loads(MANIFEST.signed(SIGNER.sign))["body"]))
def test_a_change_of_any_field_is_seen(tmp_path: Path, field: str) -> None:
    said: Any = json.loads(MANIFEST.signed(SIGNER.sign))
    value = said["body"][field]
    said["body"][field] = {**value, "size": 9} if isinstance(value, dict) else f"{value}0"

    with pytest.raises((BackupForeignError, BackupDamagedError)):
        written(tmp_path / "g1", json.dumps(said).encode()).check(SIGNERS)


def test_a_manifest_counts_in_its_own_directory_alone(tmp_path: Path) -> None:
    with pytest.raises(BackupDamagedError):
        written(tmp_path / "g2", MANIFEST.signed(SIGNER.sign))


def test_one_of_another_house_is_foreign(tmp_path: Path) -> None:
    other = SigningKey("certificate", SecretKey.generate())

    with pytest.raises(BackupForeignError):
        written(tmp_path / "g1", MANIFEST.signed(other.sign)).check(SIGNERS)


@given(st.binary(max_size=80))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    with pytest.raises(BackupDamagedError):
        Manifest.parse(raw, PATH)


@given(st.sampled_from(sorted(json.loads(MANIFEST.signed(SIGNER.sign))["body"])), JSON)
def test_no_value_of_a_field_breaks_the_reader(field: str, value: Any) -> None:
    said: Any = json.loads(MANIFEST.signed(SIGNER.sign))
    said["body"][field] = value
    try:
        Manifest.parse(json.dumps(said).encode(), PATH)
    except BackupDamagedError:
        return


def test_a_generation_that_cannot_be_read_holds_up_no_other(tmp_path: Path) -> None:
    place = Place(tmp_path)
    written(place.generations / "g1", MANIFEST.signed(SIGNER.sign))
    later = replace(MANIFEST, generation="g2").signed(SIGNER.sign)
    (place.generations / "g2").mkdir()
    (place.generations / "g2" / "manifest.json").write_bytes(later[:-9])

    assert [each.id for each in place.whole()] == ["g1"]
    with pytest.raises(BackupDamagedError):
        place.newest()
    assert place.newest("g1").manifest == MANIFEST
