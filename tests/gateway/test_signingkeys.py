"""New keys for the log and for certificates: what older ones signed stays right."""

from __future__ import annotations

import os
from typing import Any, cast

import pytest

from gateway.audit.certificate import CertificateError, check
from gateway.signingkeys import DAY, LogKeys, end_log_key, public_keys, renew_signing_key
from keys.errors import SignatureError, UnknownSigningKeyError
from keys.providers.local import LocalKeyring
from keys.providers.successor import AdoptingProvider
from keys.signing import Verifiers
from storage.accesslog.checkpoint import Head
from storage.accesslog.verify import verify
from tests.gateway.ground import SQLITE, logged
from tests.house import API, PASSPHRASE, House

TEXT = "kluis.local/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


def provider(house: House) -> AdoptingProvider:
    return cast(AdoptingProvider, house.rooms.provider)


async def checkpoint(house: House) -> str:
    answer = await house.stranger.ask("GET", f"{API}/log/checkpoint")
    assert answer.status == 200
    return answer.text


def is_right(certificate: Any, certificates: Verifiers, log: Verifiers) -> bool:
    try:
        check(certificate, certificates, log)
    except CertificateError:
        return False
    return True


@SQLITE
async def test_certificates_of_every_key_stay_right(house: House) -> None:
    path, log = house.settings.certificate_key_path, public_keys(house.settings.log_key_path)
    old = public_keys(path)
    before = await house.dentist.erase(await house.dentist.new_case())

    assert await renew_signing_key(house.settings, provider(house), "certificate")
    after = await house.dentist.erase(await house.dentist.new_case())

    both = public_keys(path)
    new = Verifiers(both.keys[:1])
    assert both.keys[1:] == old.keys
    assert is_right(before, both, log)
    assert is_right(after, both, log)
    assert is_right(after, new, log)
    assert not is_right(after, old, log)
    assert not is_right(before, new, log)
    published = await house.stranger.get(f"{API}/keys")
    assert [published["certificate"], *published["earlier"]] == path.read_text().split()


@SQLITE
async def test_the_log_is_signed_by_both_keys_until_the_old_one_is_ended(house: House) -> None:
    settings = house.settings
    old = public_keys(settings.log_key_path)
    assert await renew_signing_key(settings, provider(house), "log")
    await house.rooms.log_keys.refresh()
    both = public_keys(settings.log_key_path)
    new = Verifiers(both.keys[:1])

    certificate = await house.dentist.erase(await house.dentist.new_case())
    signed = await checkpoint(house)
    assert old.open_note(signed) == new.open_note(signed) == both.open_note(signed)
    certificates = public_keys(settings.certificate_key_path)
    for log in (old, new, both):
        assert is_right(certificate, certificates, log)
    assert not await renew_signing_key(settings, provider(house), "log")

    await end_log_key(provider(house))
    await end_log_key(provider(house))
    await house.rooms.log_keys.refresh()
    await house.dentist.erase(await house.dentist.new_case())
    alone = await checkpoint(house)
    assert new.open_note(alone)
    with pytest.raises(SignatureError):
        old.open_note(alone)
    head = Head.read(settings.log_head_path)
    assert (await verify(house.rooms.main, both.open_note, head)).ok
    assert not (await verify(house.rooms.main, new.open_note, head)).ok


@SQLITE
async def test_the_old_key_of_the_log_ends_by_itself_when_its_days_are_over(house: House) -> None:
    path, access = house.settings.log_key_path, house.rooms.services.access
    old = public_keys(path)
    await renew_signing_key(house.settings, provider(house), "log")
    await house.rooms.log_keys.tend(access, 30)
    assert old.open_note(house.rooms.log_keys.sign(TEXT)) == TEXT

    published = path.stat().st_mtime - 31 * DAY
    os.utime(path, (published, published))
    await house.rooms.log_keys.tend(access, 30)

    with pytest.raises(SignatureError):
        old.open_note(house.rooms.log_keys.sign(TEXT))
    with pytest.raises(UnknownSigningKeyError):
        await house.rooms.provider.signing_key("log-before")
    ends = [each for each in await logged(house, "key.rotate") if each["user"]["role"] == "system"]
    assert [each["event"]["stage"] for each in ends] == ["authorised", "outcome"]
    await house.rooms.log_keys.tend(access, 30)


@SQLITE
async def test_a_key_that_is_not_published_yet_ends_no_other(house: House) -> None:
    path, access = house.settings.log_key_path, house.rooms.services.access
    old, published = public_keys(path), path.read_bytes()
    await renew_signing_key(house.settings, provider(house), "log")
    path.write_bytes(published)  # as if it had broken off between the two
    long_ago = path.stat().st_mtime - 400 * DAY
    os.utime(path, (long_ago, long_ago))

    await house.rooms.log_keys.tend(access, 30)

    assert old.open_note(house.rooms.log_keys.sign(TEXT)) == TEXT


@SQLITE
async def test_a_replacement_that_broke_off_is_published_and_not_made_twice(house: House) -> None:
    settings, path = house.settings, house.settings.certificate_key_path
    before = path.read_text()
    await renew_signing_key(settings, provider(house), "certificate")
    made = path.read_text()
    path.write_text(before)  # as if killed before it was published

    await renew_signing_key(settings, provider(house), "certificate")

    assert path.read_text() == made


@SQLITE
async def test_a_process_that_was_not_told_opens_what_a_new_key_signs(house: House) -> None:
    settings = house.settings
    other = LogKeys(settings.log_key_path, LocalKeyring.open(settings.keyring_path, PASSPHRASE))
    await other.refresh()

    await renew_signing_key(settings, provider(house), "log")
    await end_log_key(provider(house))
    await house.rooms.log_keys.refresh()

    note = house.rooms.log_keys.sign(TEXT)
    assert other.open_note(note) == TEXT
    assert house.rooms.log_keys.open_note(other.sign(TEXT)) == TEXT
    with pytest.raises(SignatureError):
        other.open_note("no note")
