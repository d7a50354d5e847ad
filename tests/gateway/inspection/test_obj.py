from __future__ import annotations

import io

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
)
from gateway.inspection.report import Limits
from gateway.inspection.scans.canonical import canonical
from gateway.inspection.scans.read import read
from tests.gateway.inspection.writers import Rgb, colours, corners, obj
from tests.scans import CANARY, Triangles, cube

LIMITS = Limits()
TRIANGLES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.just(3), st.just(3)),
    elements=st.floats(-1e5, 1e5, width=32),
)
SQUARE = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
PLACES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=np.float32)


def refusal(content: bytes, limits: Limits = LIMITS) -> InspectionError:
    with pytest.raises(InspectionError) as caught:
        read(content, limits)
    return caught.value


@given(TRIANGLES)
def test_a_scan_is_read_bit_for_bit(triangles: Triangles) -> None:
    mesh = read(obj(triangles), LIMITS)
    assert (mesh.format, mesh.colours) == ("obj", None)
    assert corners(mesh).tobytes() == triangles.tobytes()


@given(TRIANGLES, st.data())
def test_colours_are_kept(triangles: Triangles, data: st.DataObject) -> None:
    shades: Rgb = data.draw(arrays.arrays(np.uint8, triangles.shape))
    mesh = read(obj(triangles, shades), LIMITS)
    assert np.array_equal(colours(mesh), shades)
    assert np.array_equal(colours(read(canonical(mesh), LIMITS)), shades)


def test_colours_up_to_255_are_read_as_such() -> None:
    content = b"v 0 0 0 255 0 0\nv 1 0 0 0 128 0\nv 0 1 0 1 2 300\nf 1 2 3"
    assert colours(read(content, LIMITS)).tolist() == [[[255, 0, 0], [0, 128, 0], [1, 2, 255]]]


def test_a_colour_that_is_no_number_is_refused() -> None:
    error = refusal(b"v 0 0 0 1 0 0\nv 1 0 0 0 inf 0\nv 0 1 0 1 1 1\nf 1 2 3")
    assert error.numbers == {"line": 2}


def test_a_colour_on_some_vertices_alone_is_left_out() -> None:
    mesh = read(b"v 0 0 0 1 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3", LIMITS)
    assert (mesh.colours, mesh.dropped) == (None, ("attributes",))


@pytest.mark.parametrize(
    "face",
    [
        *("1 2 3", "1/1 2/2 3/3", "1//9 2//9 3//9", "1/5/9 2/5/9 3/5/9", "1/-1/-2 2//1 3"),
        *("-4 -3 -2", "-4/1 2/2/2 -2", " 1\t2   3 ", "00000001 +2 3", "1 2 3\r"),
    ],
)
def test_every_form_of_a_face_is_the_same_triangle(face: str) -> None:
    mesh = read(SQUARE + b"f " + face.encode() + b"\n", LIMITS)
    assert np.array_equal(corners(mesh), PLACES[[[0, 1, 2]]])


def test_counting_back_begins_where_the_face_stands() -> None:
    mesh = read(b"v 9 9 9\n" + SQUARE + b"f -4 -3 -2\nv 5 5 5\nf -5 -4 -1\nf 6 2 3\n", LIMITS)
    last = np.array([[5, 5, 5]], dtype=np.float32)
    places = np.concatenate((PLACES, last))
    assert np.array_equal(corners(mesh), places[[[0, 1, 2], [0, 1, 4], [4, 0, 1]]])


def test_long_numbers_of_corners_are_read_to_their_end() -> None:
    vertices = b"v 0 0 0\n" * 1_234_567 + b"v 1 2 3\nv 0 1 0\nv 1 0 0\n"
    mesh = read(
        vertices + b"f 1234568/1 -2//1 1234570/12345678/12345678\nf -1234570 -3/1 -1", LIMITS
    )
    assert corners(mesh).tolist() == [
        [[1, 2, 3], [0, 1, 0], [1, 0, 0]],
        [[0, 0, 0], [1, 2, 3], [1, 0, 0]],
    ]


def test_quads_and_polygons_become_fans() -> None:
    mesh = read(SQUARE + b"v 0 .5 0\nf 1 2 3 4 5\nf 1/1 2/1 3/1 4/1", LIMITS)
    places = np.concatenate((PLACES, np.array([[0, 0.5, 0]], dtype=np.float32)))
    fans = [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 1, 2], [0, 2, 3]]
    assert np.array_equal(corners(mesh), places[fans])


def test_what_is_left_out_is_said_and_handed_over_for_the_search() -> None:
    mesh = read(
        b"# of %s\nmtllib Jansen.mtl\no Pieters\ng teeth gums\nusemtl enamel\ns 1\n" % CANARY
        + SQUARE
        + b"vn 0 0 1\nvt 0 0\nl 1 2\nf 1 2 3\n",
        LIMITS,
    )
    assert mesh.dropped == (
        *("comments", "elements", "groups", "materials", "names", "normals", "textures"),
    )
    assert set(mesh.texts) == {
        *("of CANARY-7f3a", "Jansen.mtl", "Pieters", "teeth gums", "enamel", "1"),
    }
    assert CANARY not in canonical(mesh)


def test_what_another_program_writes_is_read() -> None:
    made = trimesh.creation.icosphere(subdivisions=2)
    mesh = read(str(made.export(file_type="obj", include_normals=True)).encode(), LIMITS)
    assert np.allclose(corners(mesh), made.triangles, atol=1e-7)


def test_another_program_reads_the_same() -> None:
    content = obj(cube())
    judge = trimesh.load_mesh(io.BytesIO(content), file_type="obj", process=False)
    assert np.array_equal(judge.triangles, corners(read(content, LIMITS)))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"f 1 2 0", "corner"),
        (b"f 1 2 5", "corner"),
        (b"f 1 2 -5", "corner"),
        (b"f 1 2 99999999", "corner"),
        (b"f 1 2", "polygon"),
        (b"f", "polygon"),
        (b"f" + b" 1" * 65, "polygon"),
        (b"f 1 2 4294967297", "syntax"),
        (b"f 1 2 3.0", "syntax"),
        (b"f 1 2 3/", "syntax"),
        (b"f 1 2 3/1/", "syntax"),
        (b"f 1 2 3//", "syntax"),
        (b"f 1 2 3/1/1/1", "syntax"),
        (b"f 1 2 /3", "syntax"),
        (b"f 1 2 3/x", "syntax"),
        (b"f 1 2 3//x", "syntax"),
        (b"f 1 2 3 \\", "syntax"),
        (b"f 1 2 3 # x", "syntax"),
        (b"f 1 2 3\0", "syntax"),
        (b"v 1 2", "syntax"),
        (b"v 1 2 3 4 5", "syntax"),
        (b"v 1 2 3 4 5 6 7", "syntax"),
        (b"v 1 2 nan", "syntax"),
        (b"v 1 2 1_0", "syntax"),
        (b"v 1 2 0x1", "syntax"),
        (b"curv 0 1 1 2", "syntax"),
        (b"call other.obj", "syntax"),
        (b"<script>", "syntax"),
        (b"f 1 2 3" + b" " * 4096 + b"4", "syntax"),
        (b"# " + b"x" * 5000, "syntax"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number(line: bytes, reason: str) -> None:
    error = refusal(SQUARE + b"f 1 2 3\n\n" + line + b"\nf 1 2 3\n")
    assert error.reason == reason
    assert error.numbers == ({"line": 7} if reason == "syntax" else {"face": 2})


def test_a_file_without_faces_is_empty() -> None:
    assert refusal(SQUARE).reason == "empty"
    assert refusal(b"f 1 2 3\n").reason == "corner"


def test_limits_are_those_of_every_scan() -> None:
    content = obj(cube())
    assert read(content, Limits(triangles=12)).triangles == 12
    assert refusal(content, Limits(triangles=11)).numbers == {"triangles": 12, "limit": 11}
    assert refusal(SQUARE + b"f 1 2 3 4\n" * 2, Limits(triangles=3)).numbers["triangles"] == 4
    many = refusal(SQUARE + b"f 1 2 3\n", Limits(triangles=1))
    assert isinstance(many, TooManyTrianglesError)
    assert many.numbers == {"vertices": 4, "limit": 3}
    assert isinstance(refusal(obj(cube(2e5))), ScanOutOfRangeError)
    assert isinstance(refusal(SQUARE + b"v 1e300 0 0\nf 1 2 5\n"), ScanNotFiniteError)


@pytest.mark.parametrize(
    "content",
    [b"# only\n# comments\n", b"hello\nv 1 2 3\n", b"\0v 1 2 3\nf 1 1 1", b"vx 1\n", b"#\n" * 9999],
)
def test_what_does_not_begin_as_an_obj_is_none(content: bytes) -> None:
    assert isinstance(refusal(content), NotAScanError)


@given(st.data())
def test_changed_bytes_are_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(obj(cube()[:2]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        mesh = read(bytes(content), LIMITS)
    except InspectionError:
        return
    assert mesh.triangles <= 9


TOKENS = st.sampled_from(
    [*("v", "f", "vt", "#", "o", "\n", "\r\n", "1", "-1", "2/1", "//", "1//1", "0.5", "nan", "\\")]
)


@given(st.lists(TOKENS, max_size=60))
def test_a_jumble_of_words_is_refused_and_nothing_else_happens(words: list[str]) -> None:
    try:
        mesh = read(("v 0 0 0\n" + " ".join(words)).encode(), LIMITS)
    except InspectionError:
        return
    assert mesh.triangles  # by luck a well-formed one
