"""Restoring: what comes back, what must not, and what is said of the rest."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.access.actors import operator
from gateway.access.second import Credentials
from gateway.app import log_verifier, open_rooms
from gateway.audit.certificate import check
from gateway.backup.errors import (
    KeystoreTooOldError,
    LogContradictsError,
)
from gateway.backup.restoring import next_origin
from gateway.privacy.certificate import NOTHING_TO_TRY
from gateway.signingkeys import public_keys
from keys.signing import Verifier, Verifiers
from storage import cases, erasures
from storage.accesslog.checkpoint import Head
from storage.accesslog.verify import verify
from storage.blobs import Area
from tests.gateway.backup.ground import OFFICER, Ground, back_up, hire_officer, refused_at
from tests.gateway.ground import SQLITE, signed_in, until
from tests.house import (
    API,
    PASSPHRASE,
    PASSWORD,
    PATIENT,
    SCAN,
    TUS,
    Person,
    open_house,
    serving,
)


async def test_a_restored_house_has_every_case_and_every_file(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        case_id, file = await house.submitted_case()
        content = await house.dentist.download(case_id, file["id"])
        await back_up(house, ground.place)
        dentist = house.dentist

    restored = await ground.restore()

    assert (restored.cases, restored.files) == (1, 1)
    assert not any((restored.changed.erased, restored.changed.removed, restored.changed.unreadable))
    async with serving(ground.target) as (rooms, url, session):
        token = await rooms.accounts.create_token(email=dentist.email)
        again = Person(session, url, token)
        case = await again.get(f"{API}/cases/{case_id}")
        assert case["patient"]["name"] == "Wilhelmina Proefpersoon"
        assert await again.download(case_id, file["id"]) == content
        refused = await replace(again, token=dentist.token).ask("GET", f"{API}/cases")
        assert refused.status == 401


async def test_a_restored_old_back_up_never_shows_an_erased_case(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        erased, _ = await house.submitted_case()
        kept, _ = await house.submitted_case()
        await back_up(house, ground.place)
        await house.dentist.erase(erased)
        dentist = house.dentist

    restored = await ground.restore()

    assert restored.changed.erased == [erased]
    async with serving(ground.target) as (rooms, url, session):
        token = await rooms.accounts.create_token(email=dentist.email)
        again = Person(session, url, token)
        assert (await again.get(f"{API}/cases/{erased}"))["state"] == "erased"
        assert (await again.get(f"{API}/cases/{kept}"))["patient"]["name"]
        blobs = [stat async for stat in rooms.blobs.list(Area.VAULT)]
        looked_at = await rooms.inventory.take(lambda _: None)
    assert len(blobs) == 1
    assert not [fault for tally in looked_at for fault in tally.faults]


@SQLITE
async def test_neither_does_an_old_copy_of_the_whole_place_with_todays_keys(ground: Ground) -> None:
    """The old keystore knows nothing of the erasure, and has the key: it lies under nothing."""
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        erased, _ = await house.submitted_case()
        kept, _ = await house.submitted_case()
        await back_up(house, ground.place)
        old = ground.copy_of_place("tape")
        await house.dentist.erase(erased)

    alone = replace(ground.sources, places=[old])
    with pytest.raises(KeystoreTooOldError):
        await ground.restore(alone)
    restored = await ground.restore(alone, accept_losses=True)

    # The whole practice moved on, and this keystore did not: nothing in it opens any more.
    assert sorted(restored.changed.lost) == sorted([erased, kept])
    async with open_rooms(ground.target, PASSPHRASE) as rooms:
        assert not [stat async for stat in rooms.blobs.list(Area.VAULT)]
        async with rooms.main.reading() as connection:
            for case_id in (erased, kept):
                case = await cases.get(connection, case_id)
                assert case is not None
                assert (case.state, case.sealed_identity) == ("erased", None)


@SQLITE
async def test_the_newest_keystore_of_all_places_is_taken(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        erased, _ = await house.submitted_case()
        await house.submitted_case()
        await back_up(house, ground.place)
        old = ground.copy_of_place("tape")
        await house.dentist.erase(erased)

    restored = await ground.restore(replace(ground.sources, places=[old, ground.place]))

    assert restored.changed.erased == [erased]
    assert restored.cases == 1


@SQLITE
async def test_a_corrected_identity_is_listed_and_its_old_name_opens_nowhere(
    ground: Ground,
) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        changed, _ = await house.submitted_case()
        kept, _ = await house.submitted_case()
        await back_up(house, ground.place)
        other = {**PATIENT, "name": "Wilhelmina Verbeterd"}
        answer = await house.dentist.ask("PUT", f"{API}/cases/{changed}/patient", json=other)
        assert answer.status == 202, answer.text

        async def is_done() -> bool:
            async with house.rooms.main.reading() as connection:
                return not await erasures.unfinished(connection)

        await until(is_done)
        email = house.dentist.email

    restored = await ground.restore()

    assert restored.changed.unreadable == [changed]
    assert restored.cases == 2
    async with serving(ground.target) as (rooms, url, session):
        again = Person(session, url, await rooms.accounts.create_token(email=email))
        assert (await again.get(f"{API}/cases/{kept}"))["patient"]["name"] == PATIENT["name"]
        refused = await again.ask("GET", f"{API}/cases/{changed}")
        assert refused.status >= 400
        assert "Proefpersoon" not in refused.text


@SQLITE
async def test_a_client_erased_since_stays_closed(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        gone, leaver = await house.add_practice()
        case_id = await leaver.new_case()
        kept, _ = await house.submitted_case()
        await back_up(house, ground.place)
        agreed = Credentials(OFFICER, PASSWORD)
        request_id = await house.rooms.closing.close(operator(), gone.id, "it ended", agreed)

        async def is_done() -> bool:
            return await house.rooms.closing.certificates(request_id) is not None

        await until(is_done)

    restored = await ground.restore()

    assert restored.changed.closed == [gone.id]
    assert restored.changed.erased == [case_id]
    async with open_rooms(ground.target, PASSPHRASE) as rooms:
        people = {person.id: person for person in await rooms.accounts.list_accounts()}
        assert people[leaver.id].closed_at is not None
        assert people[leaver.id].email == f"{leaver.id}@closed.invalid"
        assert kept not in restored.changed.erased


@SQLITE
async def test_a_closed_account_does_not_come_back_from_an_older_back_up(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        browser = await signed_in(house, "planner")
        account = await browser.ask("GET", f"{API}/account")
        own, email = account.json()["id"], account.json()["email"]
        await back_up(house, ground.place)
        old = ground.place.whole()[0].id
        assert (await browser.ask("DELETE", f"{API}/account")).status == 204
        await back_up(house, ground.place)

    restored = await ground.restore(replace(ground.sources, generation=old))

    assert restored.changed.accounts == [own]
    async with serving(ground.target) as (rooms, _, _):
        looked_at = await rooms.inventory.take(lambda _: None)
        assert not [fault for tally in looked_at for fault in tally.faults]
        people = {person.id: person for person in await rooms.accounts.list_accounts()}
        assert people[own].closed_at is not None
        assert people[own].password_hash is None
        assert email not in {person.email for person in people.values()}


@SQLITE
async def test_the_end_of_a_client_that_was_only_asked_for_comes_to_its_certificates(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing() -> bool:
        return False

    async def is_done() -> bool:
        return await rooms.closing.certificates(request_id) is not None

    async with open_house(ground.settings) as house:
        await hire_officer(house)
        gone, leaver = await house.add_practice()
        await leaver.new_case()
        rooms = house.rooms
        with monkeypatch.context() as held:
            held.setattr(rooms.erasures, "advance", nothing)
            agreed = Credentials(OFFICER, PASSWORD)
            request_id = await rooms.closing.close(operator(), gone.id, "it ended", agreed)
            await back_up(house, ground.place)
        await until(is_done)

    await ground.restore()

    async with serving(ground.target) as (rooms, _, _):
        await until(is_done)
        whole = await rooms.closing.certificates(request_id)
        assert whole is not None
        assert {erasure.kind for erasure in whole} == {"case", "client"}
        signers = public_keys(ground.target.certificate_key_path)
        log = Verifiers((log_verifier(ground.target.log_key_path),))
        for erasure in whole:
            certificate = json.loads(erasure.certificate or "")
            check(certificate, signers, log)
            assert certificate["body"]["key"]["self_test"] == NOTHING_TO_TRY


async def test_the_log_goes_on_under_another_name_and_says_what_is_missing(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        case_id, _ = await house.submitted_case()
        await back_up(house, ground.place)
        certificate = await house.dentist.erase(case_id)
        # The erasure has renewed the keystore, and with it what the place knows of the log.
        before = log_verifier(ground.settings.log_key_path)

    restored = await ground.restore()

    assert restored.log.missing > 0
    assert restored.log.proven
    assert restored.log.until is not None
    async with open_house(ground.target) as house:
        after = log_verifier(ground.target.log_key_path)
        assert after.name == before.name + "/restored-1"
        assert after.public != before.public

        async def is_signed() -> bool:
            head = Head.read(ground.target.log_head_path)
            return head is not None and head.size > restored.log.entries

        await until(is_signed)
        found = await verify(house.rooms.main, after.open_note, None)
        assert found.ok, found.problem
    old_keys = ground.target.log_key_path.read_text().splitlines()[1:]
    assert [Verifier.parse(line) for line in old_keys] == [before]
    check(certificate, public_keys(ground.target.certificate_key_path), Verifiers((before,)))


@SQLITE
async def test_a_checkpoint_that_was_kept_elsewhere_counts(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        await back_up(house, ground.place)
        old = ground.copy_of_place("tape")
        await house.submitted_case()
        await back_up(house, ground.place)
    head = Head.read(ground.settings.log_head_path)
    assert head is not None

    alone = replace(ground.sources, places=[old], checkpoint=head.note)
    restored = await ground.restore(alone)

    assert restored.log.missing == head.size - restored.log.entries
    assert not restored.log.proven


@SQLITE
async def test_a_log_that_contradicts_a_known_checkpoint_is_refused(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        await back_up(house, ground.place)
        await house.submitted_case()
        await back_up(house, ground.place)
    said = json.loads(ground.place.head.read_bytes())
    first = ground.place.whole()[0]
    nodes = said["proofs"][str(first.manifest.log.size)]
    nodes[-1] = "00" * 32
    ground.place.head.write_text(json.dumps(said))

    chosen = replace(ground.sources, generation=first.id)
    await refused_at(ground, LogContradictsError, sources=chosen)


@SQLITE
async def test_uploads_on_their_way_are_lost_and_listed(ground: Ground) -> None:
    async with open_house(ground.settings) as house:
        await hire_officer(house)
        case_id = await house.dentist.new_case()
        address, file_id = await house.dentist.begin_upload(case_id, len(SCAN))
        await house.dentist.append(address, 0, SCAN[:1000])
        await back_up(house, ground.place)
        email = house.dentist.email

    restored = await ground.restore()

    assert restored.changed.uploads == [file_id]
    async with serving(ground.target) as (rooms, url, session):
        again = Person(session, url, await rooms.accounts.create_token(email=email))
        file = await again.get(f"{API}/cases/{case_id}/files/{file_id}")
        assert file["state"] == "removed"
        path = address.partition(API)[1:]
        gone = await again.ask("HEAD", "".join(path), headers=TUS)
        assert gone.status in {404, 410}


def test_no_two_trees_go_by_one_name() -> None:
    assert next_origin("kluis.example/log") == "kluis.example/log/restored-1"
    assert next_origin("kluis.example/log/restored-9") == "kluis.example/log/restored-10"
