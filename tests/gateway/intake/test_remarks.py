"""What the gateway finds beside the inspection: identifiers, and files sent twice."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from gateway.inspection.findings import Finding, FindingCode
from gateway.intake.remarks import IdentifiersRemoved, SentBefore, sent_before, with_remarks
from gateway.privacy.completeness import Slot
from gateway.privacy.redaction import is_bsn
from gateway.privacy.verdict import Verdict
from storage.files import File
from tests.gateway.ground import SQLITE
from tests.house import API, PATIENT, SCAN, House
from tests.scans import CANARY, arch, binary_stl, jpeg
from tests.storage.first_rows import NOW

FILE = File("file", "case", "practice", "scan", "accepted", "account", NOW, 1, number=1)
BSN = "111222333"
SHAPE = "5ca1ab1e"


def codes(file: dict[str, dict[str, list[dict[str, object]]]]) -> list[object]:
    known = {"identifiers_removed", "sent_before"}
    return [found["code"] for found in file["report"]["findings"] if found["code"] in known]


@SQLITE
async def test_identifiers_in_a_file_name_are_taken_out_and_told_by_kind_alone(
    house: House,
) -> None:
    assert is_bsn(BSN)
    case_id = await house.dentist.new_case()
    name = f"WilhelminaProefpersoon_2001-02-03_{BSN}_PX40917 upper.stl"

    file = await house.dentist.upload(case_id, SCAN, name=name)

    assert file["name"] == "[name]_[birth_date]_[bsn]_[number] upper.stl"
    (remark,) = [f for f in file["report"]["findings"] if f["code"] == "identifiers_removed"]
    assert remark["where"] == "file_name"
    assert remark["kinds"] == ["name", "birth_date", "number", "bsn"]
    assert (remark["severity"], remark["number"], remark["unit"]) == ("note", 4, "kinds")
    assert "the patient's name, the birth date, the patient's number, a BSN" in remark["message_en"]
    assert "de naam van de patiënt, de geboortedatum" in remark["message_nl"]
    assert file["slot"] == "upper"


@SQLITE
async def test_identifiers_in_the_texts_of_a_file_are_told_by_kind_and_the_texts_are_gone(
    house: House,
) -> None:
    case_id = await house.dentist.new_case()
    header = f"Proefpersoon, W. {BSN}".encode()
    scan = binary_stl(arch(500, seed=3), header)

    file = await house.dentist.upload(case_id, scan, name="x.stl")

    (remark,) = [f for f in file["report"]["findings"] if f["code"] == "identifiers_removed"]
    assert (remark["where"], remark["kinds"]) == ("file", ["name", "bsn"])
    case = await house.dentist.ask("GET", f"{API}/cases/{case_id}/files/{file['id']}")
    assert BSN not in case.text
    assert "Proefpersoon" not in case.text


@SQLITE
async def test_a_photo_that_names_somebody_else_has_no_such_remark(house: House) -> None:
    case_id = await house.dentist.new_case()
    plain = await house.dentist.upload(case_id, jpeg(), "photo", "front.jpg")
    named = await house.dentist.new_case({**PATIENT, "name": CANARY.decode(), "number": "P-7731"})

    file = await house.dentist.upload(named, jpeg(), "photo", "front.jpg")

    assert codes(plain) == []
    assert codes(file) == ["identifiers_removed"]


@SQLITE
async def test_a_file_sent_twice_is_told_on_the_second(house: House) -> None:
    case_id, dentist = await house.dentist.new_case(), house.dentist
    first = await dentist.upload(case_id, SCAN, name="upper.stl")
    again = await dentist.upload(case_id, SCAN, name="lower.stl")
    photo = await dentist.upload(case_id, jpeg(), "photo", "front.jpg")
    photo_again = await dentist.upload(case_id, jpeg(), "photo", "left.jpg")
    elsewhere = await dentist.upload(await dentist.new_case(), SCAN, name="upper.stl")

    assert [codes(file) for file in (first, photo, elsewhere)] == [[], [], []]
    assert [codes(file) for file in (again, photo_again)] == [["sent_before"], ["sent_before"]]
    (found,) = [f for f in again["report"]["findings"] if f["code"] == "sent_before"]
    assert (found["severity"], found["number"], found["unit"]) == ("warning", 1, "scan")
    assert "the same scan as scan 1 (upper jaw)" in found["message_en"]
    assert "dezelfde scan als scan 1 (bovenkaak)" in found["message_nl"]


@SQLITE
async def test_the_same_surface_with_its_triangles_in_another_order_is_the_same_scan(
    house: House,
) -> None:
    case_id, shape = await house.dentist.new_case(), arch(500, seed=9)
    await house.dentist.upload(case_id, binary_stl(shape), name="a.stl")

    turned = await house.dentist.upload(case_id, binary_stl(shape[::-1]), name="b.stl")
    other = await house.dentist.upload(case_id, binary_stl(arch(500, seed=10)), name="c.stl")

    assert codes(turned) == ["sent_before"]
    assert codes(other) == []


@SQLITE
async def test_a_file_that_was_removed_is_not_one_sent_before(house: House) -> None:
    case_id = await house.dentist.new_case()
    first = await house.dentist.upload(case_id, SCAN)
    await house.dentist.ask("DELETE", f"{API}/cases/{case_id}/files/{first['id']}")

    assert codes(await house.dentist.upload(case_id, SCAN)) == []


@pytest.mark.parametrize(
    ("kind", "verdict", "same"),
    [
        ("scan", Verdict("aa", {"same_scan": SHAPE}), True),
        ("scan", Verdict("bb", {"same_scan": SHAPE}), True),
        ("scan", Verdict("aa", {}), True),
        ("scan", Verdict("bb", {"same_scan": "0ddba11"}), False),
        ("scan", Verdict("bb", {}), False),
        ("photo", Verdict("aa", {"same_scan": SHAPE}), False),
    ],
)
def test_the_same_is_what_has_the_same_bytes_or_the_same_shape_and_is_of_one_kind(
    kind: str, verdict: Verdict, same: bool
) -> None:
    earlier = [(replace(FILE, slot="upper"), Verdict("aa", {"same_scan": SHAPE}))]

    found = sent_before(kind, verdict, earlier)

    assert found == ((SentBefore("scan", 1, Slot.UPPER),) if same else ())


def test_of_several_the_first_is_named_and_two_without_a_shape_are_not_one_scan() -> None:
    known = Verdict("aa", {"same_scan": None})
    second = replace(FILE, id="second", number=2)

    assert sent_before("scan", known, [(FILE, known), (second, known)]) == (
        SentBefore("scan", 1, None),
    )
    assert sent_before("scan", Verdict("bb", {"same_scan": None}), [(FILE, known)]) == ()


def test_remarks_stand_behind_the_findings_of_the_inspection() -> None:
    report = {"kind": "scan", "findings": [{"code": "holes"}]}

    said = with_remarks(report, [SentBefore("scan", 3, Slot.OTHER)])

    assert [found["code"] for found in said["findings"]] == ["holes", "sent_before"]
    assert "scan 3." in said["findings"][1]["message_en"]
    assert report["findings"] == [{"code": "holes"}]


def test_a_remark_has_the_form_of_a_finding() -> None:
    finding = set(Finding(next(iter(get_args(FindingCode))), 1).to_json())

    assert set(SentBefore("scan", 1, None).to_json()) == finding
    assert set(IdentifiersRemoved("file", ("bsn",)).to_json()) == {*finding, "where", "kinds"}
