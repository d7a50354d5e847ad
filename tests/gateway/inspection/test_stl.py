from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gateway.inspection.errors import (
    InspectionError,
    NotAScanError,
    ScanNotFiniteError,
    ScanOutOfRangeError,
    TooManyTrianglesError,
    UnreadableScanError,
)
from gateway.inspection.report import Limits
from gateway.inspection.scans import ascii_stl as ascii_module
from gateway.inspection.scans.canonical import STL_TRIANGLE, canonical
from gateway.inspection.scans.mesh import Mesh
from gateway.inspection.scans.read import read
from tests.scans import CANARY, Triangles, arch, ascii_stl, binary_stl, corpus, cube

LIMITS = Limits()
TRIANGLES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 20), st.just(3), st.just(3)),
    elements=st.floats(-1e5, 1e5, width=32),
)


def corners(mesh: Mesh) -> Triangles:
    return np.ascontiguousarray(mesh.corners.transpose(2, 1, 0))


def refusal(content: bytes, limits: Limits = LIMITS) -> InspectionError:
    with pytest.raises(InspectionError) as caught:
        read(content, limits)
    return caught.value


@given(TRIANGLES)
def test_a_binary_scan_is_read_bit_for_bit(triangles: Triangles) -> None:
    found = corners(read(binary_stl(triangles), LIMITS))
    assert found.tobytes() == triangles.tobytes()


@given(TRIANGLES)
def test_ascii_and_binary_of_one_geometry_are_the_same_mesh(triangles: Triangles) -> None:
    found = corners(read(ascii_stl(triangles), LIMITS))
    assert found.tobytes() == triangles.tobytes()


@given(TRIANGLES)
def test_the_canonical_form_is_its_own_canonical_form(triangles: Triangles) -> None:
    once = canonical(read(binary_stl(triangles, CANARY, 0xBEEF), LIMITS))
    again = read(once, LIMITS)
    assert canonical(again) == once
    assert corners(again).tobytes() == triangles.tobytes()


def test_the_canonical_form_keeps_the_geometry_and_nothing_else() -> None:
    smuggled = binary_stl(cube(), b"<html>" + CANARY, 0x4B50) + b""
    clean = canonical(read(smuggled, LIMITS))

    records = np.frombuffer(clean, STL_TRIANGLE, offset=84)
    assert clean[:80] == bytes(80)
    assert struct.unpack_from("<I", clean, 80) == (12,)
    assert not records["attribute"].any()
    assert records["corners"].tobytes() == cube().tobytes()


def test_negative_zero_stays_negative_zero() -> None:
    triangle = np.array([[[-0.0, 0.0, 0.0], [1, -0.0, 0], [0, 1, -0.0]]], dtype=np.float32)
    for content in (binary_stl(triangle), ascii_stl(triangle)):
        clean = canonical(read(content, LIMITS))
        assert clean[84 + 12 : 84 + 48] == triangle.tobytes()


def test_normals_are_those_that_an_independent_reader_computes() -> None:
    scan = arch(4_000, seed=1)
    clean = canonical(read(binary_stl(scan), LIMITS))
    judge = trimesh.load_mesh(io.BytesIO(clean), file_type="stl", process=False)

    ours = np.frombuffer(clean, STL_TRIANGLE, offset=84)["normal"]
    assert np.allclose(ours, judge.face_normals, atol=1e-3)
    assert judge.triangles.astype(np.float32).tobytes() == scan.tobytes()


def test_a_triangle_without_area_has_a_zero_normal() -> None:
    line = np.array([[[0, 0, 0], [1, 1, 1], [2, 2, 2]]], dtype=np.float32)
    clean = canonical(read(binary_stl(line), LIMITS))
    assert clean[84:96] == bytes(12)


def size(content: bytes) -> str:
    """A name for a test whose parameter is a whole file."""
    return f"{len(content)} bytes"


REAL = [path.read_bytes() for path in corpus("stl")]


@pytest.mark.parametrize("content", [binary_stl(cube()), ascii_stl(cube()), *REAL], ids=size)
def test_a_real_scan_is_accepted_or_refused_with_a_reason(content: bytes) -> None:
    try:
        clean = canonical(read(content, LIMITS))
    except UnreadableScanError:
        return  # any other refusal of these files would be wrong
    assert canonical(read(clean, LIMITS)) == clean


@given(st.binary(max_size=400))
def test_random_bytes_are_refused_and_nothing_else_happens(content: bytes) -> None:
    refusal(content)


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_random_triangles_behind_a_random_count_are_read_or_refused(
    body: bytes, count: int
) -> None:
    content = bytes(80) + struct.pack("<I", count) + body
    try:
        mesh = read(content, LIMITS)
    except InspectionError:
        return
    assert len(content) == 84 + 50 * mesh.triangles


TOKENS = st.sampled_from(
    [
        *(b"solid", b"facet", b"normal", b"outer", b"loop", b"vertex", b"endloop", b"endfacet"),
        *(b"endsolid", b"1", b"-2.5e3", b"nan", b"inf", b"1_0", b"\n", b"\r\n", b"\0", b"\xff"),
    ]
)


@given(st.lists(TOKENS, max_size=60))
def test_a_jumble_of_words_is_refused_and_nothing_else_happens(words: list[bytes]) -> None:
    try:
        mesh = read(b"solid " + b" ".join(words), LIMITS)
    except InspectionError:
        return
    assert mesh.triangles  # by luck a well-formed one


@given(st.data())
def test_one_changed_byte_in_an_ascii_scan_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(ascii_stl(cube()))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        mesh = read(bytes(content), LIMITS)
    except InspectionError:
        return
    assert mesh.triangles == 12


@pytest.mark.parametrize("content", [binary_stl(cube()), ascii_stl(cube()).rstrip()], ids=size)
def test_a_scan_cut_short_anywhere_is_refused(content: bytes) -> None:
    # The name behind `endsolid` is the one part that may be missing.
    for end in range(len(content) - len(b" scan")):
        assert refusal(content[:end]).code in {"not_a_scan", "unreadable_scan"}


def test_a_cut_binary_scan_says_how_much_is_missing() -> None:
    error = refusal(binary_stl(cube())[:-7])
    assert (error.code, error.reason) == ("unreadable_scan", "cut_short")
    assert error.numbers == {"triangles": 12, "expected_bytes": 684, "actual_bytes": 677}


def test_bytes_behind_the_last_triangle_are_refused() -> None:
    error = refusal(binary_stl(cube()) + CANARY)
    assert (error.code, error.reason) == ("unreadable_scan", "surplus")


def test_a_cut_binary_scan_whose_header_says_solid_is_not_taken_for_text() -> None:
    assert refusal(binary_stl(cube(), b"solid scan")[:-1]).reason == "cut_short"


@pytest.mark.parametrize("header", [b"solid x", b"solid\nfacet normal 0 0 1", b"\xff" * 80])
def test_only_the_length_decides_what_is_binary(header: bytes) -> None:
    assert read(binary_stl(cube(), header), LIMITS).format == "stl_binary"


@pytest.mark.parametrize("count", [0xFFFF_FFFF, 0x8000_0000, 85_899_346, 2_500_001])
def test_a_count_that_would_wrap_allocates_nothing(count: int) -> None:
    content = bytearray(binary_stl(cube()))
    content[80:84] = struct.pack("<I", count)
    assert isinstance(refusal(bytes(content)), NotAScanError)


@pytest.mark.parametrize("write", [binary_stl, ascii_stl])
def test_more_triangles_than_the_limit_are_refused(write: object) -> None:
    content = write(cube())  # type: ignore[operator]
    error = refusal(content, Limits(triangles=11))
    assert isinstance(error, TooManyTrianglesError)
    assert error.numbers == {"triangles": 12, "limit": 11}
    assert read(content, Limits(triangles=12)).triangles == 12


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0, 0), (7, 1, 2), (11, 2, 2)])
def test_a_coordinate_that_is_no_number_names_its_triangle(
    value: float, place: tuple[int, int, int]
) -> None:
    triangles = cube()
    triangles[place] = value
    error = refusal(binary_stl(triangles))
    assert isinstance(error, ScanNotFiniteError)
    assert error.numbers == {"triangle": place[0] + 1}


@pytest.mark.parametrize("value", [100_001, -3e38])
def test_a_coordinate_too_far_out_names_its_triangle(value: float) -> None:
    triangles = cube()
    triangles[4, 1, 2] = value
    for content in (binary_stl(triangles), ascii_stl(triangles)):
        error = refusal(content)
        assert isinstance(error, ScanOutOfRangeError)
        assert error.numbers == {"triangle": 5, "limit_mm": 1e5}


def test_a_number_beyond_four_bytes_in_text_is_not_finite() -> None:
    text = ascii_stl(cube()).replace(b"vertex 1.0", b"vertex 1e300", 1)
    assert isinstance(refusal(text), ScanNotFiniteError)


def test_a_scan_without_triangles_is_refused() -> None:
    for content in (bytes(84), b"solid x\nendsolid x\n", b"solid\n\nendsolid"):
        assert refusal(content).reason == "empty"


def test_another_kind_of_file_is_no_scan() -> None:
    for content in (b"", b"\xff\xd8\xff\xe0" + bytes(200) * 9, b"<html>" * 99, b"PK\3\4" * 50):
        assert refusal(content).code in {"not_a_scan", "unreadable_scan"}
    assert isinstance(refusal(b"%PDF-1.7\n" * 40), NotAScanError)


@pytest.mark.parametrize(
    "content",
    [
        ascii_stl(cube(), newline=b"\r\n"),
        ascii_stl(cube()).upper(),
        ascii_stl(cube(), name=b"\xff\xfe \xe4\xb8\xad"),
        ascii_stl(cube(), name=b""),
        ascii_stl(cube(), name=b"a solid endsolid facet"),
        ascii_stl(cube()).replace(b"\n", b"\n\n \t\n"),
        ascii_stl(cube()).replace(b" ", b"\t  "),
        ascii_stl(cube()).rstrip(),
        b"\xef\xbb\xbf" + ascii_stl(cube()),
        b"\n\n  " + ascii_stl(cube()),
        ascii_stl(cube()[:5]) + b"\n" + ascii_stl(cube()[5:]),
        b"solid a\nendsolid a\n" + ascii_stl(cube()) + b"solid b\nendsolid b",
        ascii_stl(cube()).replace(b"normal 0 0 1", b"normal -nan(ind) nan 1.#QNAN"),
        ascii_stl(cube()).replace(b" 1.0", b" +1.e0").replace(b" 0.0", b" -.0E-5"),
    ],
    ids=size,
)
def test_the_dialects_of_ascii_are_read_alike(content: bytes) -> None:
    mesh = read(content, LIMITS)
    assert mesh.format == "stl_ascii"
    assert np.array_equal(corners(mesh), cube())


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"vertex 0.0", b"vertex 1_0", 4),
        (b"vertex 0.0", b"vertex nan", 4),
        (b"vertex 0.0", b"vertex -inf", 4),
        (b"vertex 0.0", b"vertex 0x10", 4),
        (b"vertex 0.0", b"vertex 1e", 4),
        (b"vertex 0.0", b"vertex 1.2.3", 4),
        (b"vertex 0.0", b"vertex 0.0 0.0", 4),
        (b"vertex 0.0", b"vertex", 4),
        (b"vertex 0.0", b"vertex " + b"1" * 300, 4),
        (b"vertex 0.0", b"vortex 0.0", 4),
        (b"outer loop", b"outer", 3),
        (b"outer loop", b"outerloop", 3),
        (b"normal 0 0 1", b"normal 0 0", 2),
        (b"normal 0 0 1", b"normal 0 0 1 2", 2),
        (b"facet normal", b"facet", 2),
        (b"    endloop\n", b"", 7),
        (b"    endloop\n", b"      vertex 0 0 0\n    endloop\n", 7),
        (b"endfacet\n", b"endfacets\n", 8),
        (b"endsolid scan", b"endsolids", 86),
        (b"endsolid scan", b"endsolid\nscan", 87),
        (b"solid scan", b"solid-scan", 1),
        (b"endsolid scan", b"vertex endsolid", 86),
    ],
)
def test_an_error_in_ascii_names_its_line(old: bytes, new: bytes, line: int) -> None:
    error = refusal(ascii_stl(cube()).replace(old, new, 1))
    assert (error.code, error.reason, error.numbers) == (
        "unreadable_scan",
        "syntax",
        {"line": line},
    )


def test_a_solid_without_an_end_names_where_it_begins() -> None:
    error = refusal(ascii_stl(cube()) + b"solid second\n")
    assert (error.reason, error.numbers) == ("no_end", {"line": 87})


@pytest.mark.parametrize("block_bytes", [1, 200, 251, 1000])
def test_where_a_long_text_is_cut_makes_no_difference(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ascii_module, "_BLOCK_BYTES", block_bytes)
    if block_bytes < 200:  # less than a facet: nothing can be read, and it ends
        assert refusal(ascii_stl(cube())).reason == "syntax"
        return
    assert np.array_equal(corners(read(ascii_stl(cube()), LIMITS)), cube())
    late = ascii_stl(cube()).replace(b"endfacet\nendsolid", b"endfacet\nfacet\nendsolid")
    assert refusal(late).numbers == {"line": 86}


def test_a_hundred_thousand_solids_are_read_in_one_go() -> None:
    assert read(ascii_stl(cube()[:1]) * 100_000, LIMITS).triangles == 100_000


@pytest.mark.parametrize(
    "content",
    [
        b"solid " + b"x" * 10_000_000,
        b"solid\n" + b"x" * 10_000_000,
        b"solid\n" + b"facet normal 0 0 " + b"1" * 10_000_000 + b"\nendsolid",
        ascii_stl(cube()).replace(b"vertex 1.0", b"vertex " + b"1" * 5_000_000, 1),
        b"solid\n" + b" " * 10_000_000 + b"\nendsolid",
        b"solid\n" + b"\n" * 10_000_000 + b"endsolid",
        b"solid\n" + b"x\n" * 5_000_000 + b"endsolid",
        b"solid\nendsolid\n" * 500_000,
    ],
    ids=["name", "body", "normal", "number", "blank", "blank lines", "short lines", "solids"],
)
def test_endless_nothing_is_refused(content: bytes) -> None:
    assert isinstance(refusal(content), UnreadableScanError)


def test_no_refusal_quotes_the_file() -> None:
    for content in (
        binary_stl(cube(), CANARY)[:-1],
        ascii_stl(cube(), CANARY).replace(b"outer", CANARY, 1),
        b"solid\n" + CANARY,
        CANARY * 50,
    ):
        error = refusal(content)
        shown = f"{error} {error.message_nl} {error.remedy} {error!r} {error.numbers}"
        assert CANARY.decode() not in shown
