"""`kluis certificate verify`: with two public keys, and no server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.certificate import CertificateError, check
from gateway.signingkeys import public_keys
from keys.secret import SecretKey
from keys.signing import SigningKey
from tests.adversary.attacks import altered_everywhere
from tests.gateway.cli.conftest import Kluis
from tests.gateway.exports.test_readable import shown_in
from tests.gateway.ground import SQLITE
from tests.house import House


async def erased(house: House, directory: Path) -> tuple[Path, Any]:
    """A certificate in a file, and as it is."""
    case_id, _ = await house.submitted_case()
    certificate = await house.dentist.erase(case_id)
    path = directory / "erasure.json"
    path.write_text(json.dumps(certificate))
    return path, certificate


@SQLITE
async def test_a_certificate_is_checked_without_a_server_and_its_limits_are_shown(
    house: House, kluis: Kluis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, certificate = await erased(house, tmp_path)
    keys = ("--key", house.settings.certificate_key_path, "--log-key", house.settings.log_key_path)
    monkeypatch.setenv("KLUIS_SERVER", "http://127.0.0.1:9")  # nobody listens there

    pdf = tmp_path / "erasure.pdf"
    told = await asyncio.to_thread(kluis, "certificate", "verify", path, *keys, "--pdf", pdf)
    ran = await asyncio.to_thread(kluis, "certificate", "verify", path, *keys, "--json")

    assert told.code == ran.code == 0
    assert pdf.read_bytes().startswith(b"%PDF-")
    assert pdf.read_bytes().count(b"/Type /Page\n") == 1
    again = await asyncio.to_thread(kluis, "certificate", "verify", path, *keys, "--pdf", path)
    assert again.code == 1
    assert json.loads(path.read_text()) == certificate
    printed = shown_in(pdf.read_bytes())
    assert certificate["body"]["case_id"] in printed
    assert certificate["body"]["certificate_id"] in printed
    assert certificate["body"]["case_id"] in told.out
    for sentence in certificate["body"]["not_covered"]:
        assert sentence[:30] in told.out
    assert ran.answer["ok"] is True
    assert ran.answer["body"] == certificate["body"]
    assert ran.answer["index"] == certificate["log"]["index"]


@SQLITE
async def test_a_certificate_that_was_changed_anywhere_is_refused(house: House) -> None:
    case_id, _ = await house.submitted_case()
    certificate = await house.dentist.erase(case_id)
    keys = [
        public_keys(path)
        for path in (house.settings.certificate_key_path, house.settings.log_key_path)
    ]
    assert check(certificate, *keys) == certificate["body"]

    places = 0
    for _, forged in altered_everywhere(certificate):
        places += 1
        with pytest.raises(CertificateError):
            check(forged, *keys)
    assert places > 20


@SQLITE
async def test_a_certificate_by_a_key_that_is_not_trusted_is_refused_with_the_reason(
    house: House, kluis: Kluis, tmp_path: Path
) -> None:
    path, certificate = await erased(house, tmp_path)
    log = house.settings.log_key_path

    swapped = await asyncio.to_thread(
        kluis, "certificate", "verify", path, "--key", log, "--log-key", log, "--json"
    )
    certificate["body"]["erased_at"] = "1999-01-01T00:00:00+00:00"
    path.write_text(json.dumps(certificate))
    keys = ("--key", house.settings.certificate_key_path, "--log-key", log)
    altered = await asyncio.to_thread(kluis, "certificate", "verify", path, *keys, "--json")

    assert swapped.code == altered.code == 1
    assert "another key" in swapped.failure["message"]
    assert "altered" in altered.failure["message"]


@pytest.mark.parametrize("content", ["", "[]", "null", '{"body": {}}', "[" * 100_000, "\udcff"])
def test_whatever_is_no_certificate_is_refused_in_words(
    content: str, kluis: Kluis, tmp_path: Path
) -> None:
    path = tmp_path / "erasure.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    key = SigningKey("log.example", SecretKey(bytes(32))).verifier

    ran = kluis("certificate", "verify", path, "--key", key, "--log-key", key, "--json")

    assert ran.code == 1
    assert ran.failure["code"] in {"certificate", "local_file"}


def test_a_key_that_is_none_is_named(kluis: Kluis, tmp_path: Path) -> None:
    ran = kluis(
        *("certificate", "verify", tmp_path / "none.json"),
        *("--key", "nothing", "--log-key", "nothing", "--json"),
    )

    assert ran.code == 2
    assert ran.failure["field"] == "key"
