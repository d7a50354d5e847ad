"""On OpenBao: one file goes, a patient is corrected, and in the end the whole client."""

from __future__ import annotations

import json

from gateway.access.actors import operator
from gateway.access.second import Credentials
from tests.adversary.test_left_behind import RIGHT, certified, erase_file, rectify
from tests.gateway.ground import employee
from tests.gateway.privacy.test_closing import ended
from tests.house import API, PASSWORD, House
from tests.openbao import BaoMount
from tests.stories.test_erasure_certificate import public_keys, verified_body
from tests.stories.test_openbao import far_house, own_bao, own_mount, remote

__all__ = ["far_house", "own_bao", "own_mount", "remote"]


async def test_no_wrap_from_before_opens_and_in_the_end_no_key_of_the_client_is_left(
    far_house: House, own_mount: BaoMount
) -> None:
    case_id, scan = await far_house.submitted_case()

    of_file = await erase_file(far_house, case_id, scan["id"])
    asked = await rectify(far_house, case_id)
    of_patient = await certified(far_house, asked["id"])

    keys = await public_keys(far_house)
    assert verified_body(of_file, keys)["key"]["destroyed_version"] == 1
    assert verified_body(of_patient, keys)["key"]["destroyed_version"] == 2
    owner = f"c.{far_house.practice.id}"
    assert own_mount.keys() == {f"{owner}.3"}
    assert (await far_house.dentist.get(f"{API}/cases/{case_id}"))["patient"] == RIGHT

    officer = await employee(far_house, "privacy_officer")
    given = Credentials(officer, PASSWORD)
    closing, client = far_house.rooms.closing, far_house.practice.id
    certificates = await ended(far_house, await closing.close(operator(), client, "it ends", given))

    bodies = [verified_body(each, keys) for each in certificates]
    assert {body["kind"] for body in bodies} == {"case", "client"}
    assert own_mount.keys() == set()
    assert "Echtenaam" not in json.dumps(bodies)
    attacker = own_mount.provider()
    assert await attacker.versions(client) == frozenset()
    await attacker.close()
