from __future__ import annotations

import numpy as np
import pytest

from gateway.inspection.errors import InspectionError, UnreadableScanError
from gateway.inspection.report import Limits
from gateway.inspection.scans.canonical import STL_TRIANGLE, canonical
from gateway.inspection.scans.read import read
from tests.scans import Triangles, ascii_stl, binary_stl, cube

LIMITS = Limits()


def test_what_a_binary_scan_says_is_handed_over_for_the_search() -> None:
    assert read(binary_stl(cube()), LIMITS).dropped == ()
    mesh = read(binary_stl(cube(), b" Jansen  \xe9 "), LIMITS)
    assert (mesh.dropped, mesh.texts) == (("header",), ("Jansen  \xe9",))
    mesh = read(binary_stl(cube(), attribute=7), LIMITS)
    assert (mesh.dropped, mesh.texts) == (("attributes",), ())


def test_the_names_of_solids_are_handed_over_for_the_search() -> None:
    one, other = ascii_stl(cube(), b"Jansen \xc3\xa9"), ascii_stl(cube(), b"upper").upper()
    mesh = read(one + b"solid\nendsolid\n" + other, LIMITS)
    assert mesh.dropped == ("names",)
    assert mesh.texts == ("Jansen \xe9", "Jansen \xe9", "UPPER", "UPPER")
    assert read(ascii_stl(cube(), b""), LIMITS).texts == ()


def test_the_texts_of_a_scan_are_cut_off() -> None:
    long = read(b"solid " + b"x" * 100_000 + b"\n" + ascii_stl(cube(), b"y")[7:], LIMITS)
    assert [len(text) for text in long.texts] == [1 << 16]
    many = read(ascii_stl(cube()[:1], b"z") * 2_000, LIMITS)
    assert len(many.texts) == 1_000


def turned(content: bytes, normals: Triangles) -> bytes:
    records = np.frombuffer(bytearray(content), STL_TRIANGLE, offset=84)
    records["normal"] = normals
    return content[:84] + records.tobytes()


def test_stored_normals_on_the_wrong_side_are_counted() -> None:
    clean = canonical(read(binary_stl(cube()), LIMITS))
    normals = np.frombuffer(clean, STL_TRIANGLE, offset=84)["normal"].copy()
    assert read(clean, LIMITS).wrong_normals == 0
    assert read(turned(clean, -normals), LIMITS).wrong_normals == 12
    assert read(turned(clean, 0 * normals), LIMITS).wrong_normals == 0
    normals[3:5] *= -1e-3
    normals[7] = np.nan
    mesh = read(turned(clean, normals), LIMITS)
    assert mesh.wrong_normals == 2
    assert canonical(mesh) == clean


def test_stored_normals_of_text_are_counted_likewise() -> None:
    content = ascii_stl(cube())  # all say that they point upwards
    up = np.cross(cube()[:, 1] - cube()[:, 0], cube()[:, 2] - cube()[:, 0])[:, 2]
    assert read(content, LIMITS).wrong_normals == (up < 0).sum() == 2
    assert read(content.replace(b"normal 0 0 1", b"normal nan x 1"), LIMITS).wrong_normals == 0
    assert read(content.replace(b"normal 0 0 1", b"normal 0 0 0"), LIMITS).wrong_normals == 0


def test_a_facet_may_not_begin_in_one_solid_and_end_in_another() -> None:
    content = ascii_stl(cube()).replace(b"    endloop", b"endsolid a\nsolid b\n    endloop", 1)
    with pytest.raises(UnreadableScanError) as caught:
        read(content, LIMITS)
    assert caught.value.numbers == {"line": 7}


@pytest.mark.parametrize(
    ("size", "count", "code"),
    [
        (83, 0, "not_a_scan"),
        (84, 1, "unreadable_scan"),
        (84, 2_500_000, "unreadable_scan"),
        (84, 2_500_001, "not_a_scan"),
    ],
)
def test_a_count_within_the_limit_is_that_of_a_damaged_scan(
    size: int, count: int, code: str
) -> None:
    with pytest.raises(InspectionError) as caught:
        read((bytes(80) + count.to_bytes(4, "little"))[:size], LIMITS)
    assert caught.value.code == code
