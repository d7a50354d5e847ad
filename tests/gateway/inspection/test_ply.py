from __future__ import annotations

import io
import re

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gateway.inspection.errors import (
    InspectionError,
    ScanNotFiniteError,
    TooManyTrianglesError,
)
from gateway.inspection.report import Limits
from gateway.inspection.scans.canonical import canonical, media_type
from gateway.inspection.scans.read import read
from tests.gateway.inspection.writers import Rgb, colours, corners, ply
from tests.scans import CANARY, Triangles, arch, cube

LIMITS = Limits()
TRIANGLES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.just(3), st.just(3)),
    elements=st.floats(-1e5, 1e5, width=32),
)
ORDERS = pytest.mark.parametrize("order", ["<", ">", ""])
SHADES = np.arange(12 * 9, dtype=np.uint8).reshape(12, 3, 3)


def refusal(content: bytes, limits: Limits = LIMITS) -> InspectionError:
    with pytest.raises(InspectionError) as caught:
        read(content, limits)
    return caught.value


def text(vertices: str, faces: str, rows: list[str], extra: str = "") -> bytes:
    """A text PLY: the properties of its two elements, and the rows of both around an empty one."""
    split_at = rows.index("")
    lines = ["ply", "format ascii 1.0", *filter(None, extra.split("\n"))]
    lines += [f"element vertex {split_at}", *(f"property {one}" for one in vertices.split(", "))]
    lines += [f"element face {len(rows) - split_at - 1}"]
    lines += [f"property {one}" for one in faces.split(", ")]
    return "\n".join((*lines, "end_header", *filter(None, rows), "")).encode()


XYZ = "float x, float y, float z"
LIST = "list uchar int vertex_indices"
CORNERS = ["0 0 0", "1 0 0", "1 1 0", "0 1 0", ""]


@ORDERS
@given(triangles=TRIANGLES)
def test_every_form_is_read_bit_for_bit(order: str, triangles: Triangles) -> None:
    mesh = read(ply(triangles, order), LIMITS)
    assert mesh.format == ("ply_binary" if order else "ply_ascii")
    assert corners(mesh).tobytes() == triangles.tobytes()
    assert mesh.colours is None
    assert media_type(mesh) == "model/stl"


@ORDERS
@given(triangles=TRIANGLES, data=st.data())
def test_colours_of_vertices_are_kept(
    order: str, triangles: Triangles, data: st.DataObject
) -> None:
    shades: Rgb = data.draw(arrays.arrays(np.uint8, triangles.shape))
    mesh = read(ply(triangles, order, vertex_colours=shades), LIMITS)
    clean = canonical(mesh)
    again = read(clean, LIMITS)

    assert np.array_equal(colours(mesh), shades)
    assert corners(again).tobytes() == triangles.tobytes()
    assert np.array_equal(colours(again), shades)
    assert canonical(again) == clean
    assert media_type(again) == media_type(mesh) == "application/ply"
    assert again.dropped == again.texts == ()


@ORDERS
def test_the_colour_of_a_face_is_that_of_its_corners(order: str) -> None:
    mesh = read(ply(cube(), order, face_colours=SHADES), LIMITS)
    assert np.array_equal(colours(mesh), np.repeat(SHADES[:, :1], 3, axis=1))


def test_colours_of_vertices_win_over_those_of_faces() -> None:
    mesh = read(ply(cube(), vertex_colours=SHADES, face_colours=SHADES[::-1]), LIMITS)
    assert np.array_equal(colours(mesh), SHADES)
    assert mesh.dropped == ("attributes",)


@ORDERS
@pytest.mark.parametrize("index", ["u1", "i2", "u4"])
def test_every_type_of_number_is_read(order: str, index: str) -> None:
    mesh = read(ply(cube(), order, kind="f8", index=index, newline=b"\r\n"), LIMITS)
    assert corners(mesh).tobytes() == cube().tobytes()


def test_an_independent_program_reads_what_is_kept() -> None:
    scan = arch(2_000, seed=1)
    shades = np.arange(9 * len(scan), dtype=np.uint8).reshape(-1, 3, 3)
    clean = canonical(read(ply(scan, vertex_colours=shades), LIMITS))
    judge = trimesh.load_mesh(io.BytesIO(clean), file_type="ply", process=False)
    assert judge.triangles.astype(np.float32).tobytes() == scan.tobytes()
    seen = judge.visual.vertex_colors[judge.faces][:, :, :3]  # type: ignore[union-attr]
    assert np.array_equal(seen, shades)


@pytest.mark.parametrize("encoding", ["binary_little_endian", "ascii"])
def test_what_another_program_writes_is_read(encoding: str) -> None:
    made = trimesh.creation.icosphere(subdivisions=2)
    content = trimesh.exchange.ply.export_ply(made, encoding=encoding, vertex_normal=True)
    mesh = read(content, LIMITS)
    assert np.allclose(corners(mesh), made.triangles, atol=1e-7)
    assert mesh.dropped == ("comments", "normals")


def test_quads_and_convex_polygons_become_triangles() -> None:
    hexagon = [f"{np.cos(turn):.6f} {np.sin(turn):.6f} 0" for turn in np.arange(6) * np.pi / 3]
    mesh = read(text(XYZ, LIST, [*hexagon, "", "4 0 1 2 3", "3 0 3 4", "6 0 1 2 3 4 5"]), LIMITS)
    places = np.array([list(map(float, place.split())) for place in hexagon], dtype=np.float32)
    expected = places[[[0, 1, 2], [0, 2, 3], [0, 3, 4]] + [[0, i, i + 1] for i in range(1, 5)]]
    assert np.array_equal(corners(mesh), expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_rows_of_different_lengths_are_walked_through(order: str) -> None:
    header = (
        f"ply\nformat binary_{'little' if order == '<' else 'big'}_endian 1.0\n"
        "element vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 3\nproperty uchar flag\nproperty list short int vertex_index\n"
        "property list uchar float quality\nproperty double angle\nend_header\n"
    ).encode()
    places = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], order + "f4")
    body = b""
    for polygon, more in (((0, 1, 2), 0), ((0, 1, 2, 3), 2), ((1, 2, 3), 1)):
        body += b"\7" + np.array(len(polygon), order + "i2").tobytes()
        body += np.array(polygon, order + "i4").tobytes()
        body += bytes((more,)) + bytes(4 * more + 8)
    mesh = read(header + places.tobytes() + body, LIMITS)
    expected = places.astype(np.float32)[[[0, 1, 2], [0, 1, 2], [0, 2, 3], [1, 2, 3]]]
    assert np.array_equal(corners(mesh), expected)
    for end in range(len(body)):
        assert refusal(header + places.tobytes() + body[:end]).reason == "missing"


def test_a_polygon_that_folds_over_itself_is_refused() -> None:
    arrow = ["0 0 0", "2 1 0", "0 2 0", "0.5 1 0", ""]
    inside = text(XYZ, LIST, [*arrow, "3 0 1 2", "4 1 2 3 0"])
    folded = text(XYZ, LIST, [*arrow, "3 0 1 2", "4 0 1 2 3"])
    assert read(inside, LIMITS).triangles == 3  # as seen from that corner it is a fan
    error = refusal(folded)
    assert (error.reason, error.numbers) == ("polygon", {"face": 2})


@pytest.mark.parametrize("corners", [0, 1, 2, 65])
def test_a_face_of_too_few_or_too_many_corners_is_refused(corners: int) -> None:
    face = f"{corners} " + " ".join(["0"] * corners)
    error = refusal(text(XYZ, LIST, [*CORNERS, "3 0 1 2", face]))
    assert (error.reason, error.numbers) == ("polygon", {"face": 2})


@pytest.mark.parametrize("index", ["4", "-1", "2147483647", "99999999"])
def test_a_corner_outside_of_the_vertices_is_refused(index: str) -> None:
    error = refusal(text(XYZ, LIST, [*CORNERS, "3 0 1 2", f"3 0 1 {index}"]))
    assert error.reason in {"corner", "syntax"}
    if error.reason == "corner":
        assert error.numbers == {"face": 2}


def test_colours_between_0_and_1_are_read_as_such() -> None:
    rows = ["0 0 0 0 0.5 1", "1 0 0 -1 2 0.2", "1 1 0 0 0 0", "", "3 0 1 2"]
    mesh = read(text(XYZ + ", float red, float green, float blue", LIST, rows), LIMITS)
    assert colours(mesh).tolist() == [[[0, 128, 255], [0, 255, 51], [0, 0, 0]]]


def test_what_is_left_out_is_said_and_handed_over_for_the_search() -> None:
    vertex = XYZ + ", float nx, float ny, float nz, uchar alpha, float s, int Jansen"
    rows = [f"{place} 0 0 1 255 0.5 7" for place in CORNERS[:4]] + ["", "3 0 1 2"]
    extra = f"comment made by {CANARY.decode()}\nobj_info Pieters\ncomment TextureFile p.png"
    more = text(vertex, LIST, rows, extra).replace(
        b"end_header", b"element Bakker 1\nproperty list uchar int x\nend_header"
    )
    mesh = read(more + b"2 7 7", LIMITS)
    assert mesh.dropped == (
        *("attributes", "comments", "elements", "normals", "textures", "transparency"),
    )
    assert set(mesh.texts) == {
        *("made by CANARY-7f3a", "Pieters", "TextureFile p.png", "Jansen", "Bakker"),
    }
    assert CANARY not in canonical(mesh)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("format ascii 1.0", "format ascii 2.0", 2),
        ("format ascii 1.0", "format text 1.0", 2),
        ("format ascii 1.0", "format ascii 1.0\nformat ascii 1.0", 3),
        ("format ascii 1.0\n", "", 8),
        ("element vertex 4", "element vertex -4", 3),
        ("element vertex 4", "element vertex 4.0", 3),
        ("element vertex 4", "element vertex 99999999999", 3),
        ("element vertex 4", "element vertex", 3),
        ("element face", "element vertex", 7),
        ("property float y", "property float x", 5),
        ("property float y", "property half y", 5),
        ("property float y", "property float", 5),
        ("property float y", "property list float int y", 5),
        ("property float y", "<script>", 5),
        ("element vertex 4\n", "", 3),
        ("element vertex 4\n", "element nothing 4\nelement vertex 4\n", 10),
        ("element vertex 4\n", "element x 1\nproperty int x\n" * 17 + "element vertex 4\n", 5),
        ("0 1 0", "0 nan 0", 13),
        ("0 1 0", "0 1e 0", 13),
        ("0 1 0", "0 1_0 0", 13),
        ("3 0 1 2", "3 0 1.5 2", 14),
        ("3 0 1 2", "3 0 0x1 2", 14),
    ],
)
def test_an_error_names_its_line(old: str, new: str, line: int) -> None:
    good = text(XYZ, LIST, [*CORNERS, "3 0 1 2"])
    assert read(good, LIMITS).triangles == 1
    error = refusal(good.replace(old.encode(), new.encode(), 1))
    assert (error.reason, error.numbers) == ("syntax", {"line": line})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("property float z\n", "property float w\n"),
        ("property float z\n", "property int z\n"),
        ("property float z\n", "property list uchar float z\n"),
        ("vertex_indices", "corners"),
        ("list uchar int", "list uchar float"),
    ],
)
def test_a_layout_that_is_no_scan_is_refused(old: str, new: str) -> None:
    good = text(XYZ, LIST, [*CORNERS, "3 0 1 2"])
    assert refusal(good.replace(old.encode(), new.encode())).reason in {"layout", "missing"}


@pytest.mark.parametrize("element", ["vertex", "face"])
def test_a_scan_without_vertices_or_faces_is_empty(element: str) -> None:
    good = text(XYZ, LIST, [*CORNERS, "3 0 1 2"])
    none = re.sub(rf"element {element} \d".encode(), f"element {element} 0".encode(), good)
    assert refusal(none).reason == "empty"
    assert refusal(good.replace(f"element {element}".encode(), b"element other")).reason == "empty"


@ORDERS
def test_an_element_of_lists_without_rows_takes_no_place(order: str) -> None:
    strips = [b"element strip 0", b"property uchar material", b"property list uchar int corners"]
    assert read(ply(cube(), order, extra=strips), LIMITS).triangles == 12


@ORDERS
def test_a_file_cut_short_anywhere_is_refused(order: str) -> None:
    content = ply(cube()[:2], order, vertex_colours=SHADES[:2])
    for end in range(4, len(content) - (not order)):  # the last line may lack its end
        assert refusal(content[:end]).code == "unreadable_scan", end


@ORDERS
def test_whatever_follows_is_refused(order: str) -> None:
    error = refusal(ply(cube(), order) + b"PK\3\4")
    assert (error.reason, error.numbers) == ("trailer", {"surplus_bytes": 4})


def test_a_header_without_an_end_is_refused() -> None:
    assert refusal(b"ply\nformat ascii 1.0\n" + b"comment x\n" * 100_000).reason == "no_header_end"
    assert refusal(ply(cube()).replace(b"end_header", b"end_headers")).reason == "no_header_end"


@ORDERS
def test_limits_are_those_of_every_scan(order: str) -> None:
    content = ply(cube(), order)
    assert read(content, Limits(triangles=12)).triangles == 12
    error = refusal(content, Limits(triangles=11))
    assert isinstance(error, TooManyTrianglesError)
    assert error.numbers == {"triangles": 12, "limit": 11}
    many = re.sub(rb"vertex \d+", b"vertex 7500001", content)
    assert refusal(many).numbers == {"vertices": 7_500_001, "limit": 7_500_000}


def test_polygons_count_as_their_triangles() -> None:
    rows = [*CORNERS, "4 0 1 2 3", "4 0 1 2 3"]
    error = refusal(text(XYZ, LIST, rows), Limits(triangles=3))
    assert error.numbers == {"triangles": 4, "limit": 3}


@pytest.mark.parametrize("count", [4_294_967_295, 9_999_999_999, 100_000_000])
@pytest.mark.parametrize("element", [b"vertex", b"face", b"other"])
def test_a_count_that_lies_allocates_nothing(element: bytes, count: int) -> None:
    other = [b"element other 1", b"property uchar x"]
    content = ply(cube(), extra=other) if element == b"other" else ply(cube())
    lie = re.sub(b"element " + element + rb" \d+", b"element %s %d" % (element, count), content)
    assert refusal(lie).code in {"unreadable_scan", "too_many_triangles"}


def test_a_list_that_lies_about_its_length_is_refused() -> None:
    content = bytearray(ply(cube()))
    for length in (0, 2, 4, 255):
        content[-13] = length
        assert refusal(bytes(content)).code == "unreadable_scan"


def test_a_number_beyond_four_bytes_is_not_finite() -> None:
    triangles = cube().astype(np.float64)
    content = ply(triangles, "", kind="f8").replace(b"1.0 ", b"1e300 ", 2)  # type: ignore[arg-type]
    assert isinstance(refusal(content), ScanNotFiniteError)
    broken = cube()
    broken[3, 1, 1] = np.nan
    assert refusal(ply(broken)).numbers == {"triangle": 4}


@ORDERS
@given(data=st.data())
def test_changed_bytes_are_read_or_refused(order: str, data: st.DataObject) -> None:
    content = bytearray(ply(cube()[:2], order, face_colours=SHADES[:2]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        mesh = read(bytes(content), LIMITS)
    except InspectionError:
        return
    assert mesh.triangles <= 2


HEADERS = st.lists(
    st.sampled_from(
        [
            *("format ascii 1.0", "format binary_big_endian 1.0", "comment", "element vertex 1"),
            *("element face 1", "element x 2", "property float x", "property double y"),
            *("property int8 z", "property list uint8 int32 vertex_index", "property float z"),
            *("property list int int more", "element vertex 99999999", "end_header"),
        ]
    ),
    max_size=12,
)


@given(HEADERS, st.binary(max_size=60))
def test_a_jumble_of_a_header_is_refused_and_nothing_else_happens(
    lines: list[str], body: bytes
) -> None:
    try:
        mesh = read("\n".join(("ply", *lines, "end_header", "")).encode() + body, LIMITS)
    except InspectionError:
        return
    assert mesh.triangles  # by luck a well-formed one


def test_a_face_of_64_corners_is_the_largest() -> None:
    turns = np.arange(64) * (2 * np.pi / 64)
    places = [f"{np.cos(turn):.6f} {np.sin(turn):.6f} 0" for turn in turns]
    face = "64 " + " ".join(map(str, range(64)))
    assert read(text(XYZ, LIST, [*places, "", face]), LIMITS).triangles == 62
