"""The bounds of the readers of scans, from both sides."""

from __future__ import annotations

import pytest

from gateway.inspection.errors import InspectionError, TooManyTrianglesError
from gateway.inspection.report import Limits
from gateway.inspection.scans import ply_body
from gateway.inspection.scans.leftout import LeftOut
from gateway.inspection.scans.mesh import Mesh
from gateway.inspection.scans.read import read
from tests.gateway.inspection.writers import ply
from tests.scans import CANARY, cube

LIMITS = Limits()
SQUARE = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


def mesh(content: bytes, limits: Limits = LIMITS) -> Mesh:
    return read(content, limits)


def refusal(content: bytes, limits: Limits = LIMITS) -> InspectionError:
    with pytest.raises(InspectionError) as caught:
        read(content, limits)
    return caught.value


def text_ply(rows: list[str], *, vertex: str = "", face: str = "", extra: str = "") -> bytes:
    """Three vertices and these faces, with more properties of both and more of a header."""
    lines = ["ply", "format ascii 1.0", *extra.split("\n"), "element vertex 3"]
    lines += [f"property float {axis}" for axis in "xyz"] + vertex.split("\n")
    lines += [f"element face {len(rows)}", "property list char int vertex_indices"]
    lines += [*face.split("\n"), "end_header", *["0 0 0", "1 0 0", "0 1 0"], *rows]
    return "\n".join([*filter(None, lines), ""]).encode()


ROW = "3 0 1 2"


def test_the_header_of_a_ply_has_65_536_bytes() -> None:
    plain = text_ply([ROW])
    room = 65_536 - plain.index(b"end_header\n") - len(b"end_header\n") - len(b"comment \n")
    assert mesh(text_ply([ROW], extra="comment " + "x" * room)).triangles == 1
    assert refusal(text_ply([ROW], extra="comment " + "x" * (room + 1))).reason == "no_header_end"


def test_a_ply_has_16_elements_and_64_properties() -> None:
    def with_elements(count: int) -> bytes:
        more = "".join(f"element e{at} 0\nproperty int x\n" for at in range(count - 2))
        return text_ply([ROW], extra=more.rstrip())

    def with_properties(count: int) -> bytes:
        more = "\n".join(f"property int p{at}" for at in range(count - 4))
        return text_ply([ROW + " 7" * (count - 4)], face=more)

    assert mesh(with_elements(16)).triangles == 1
    assert refusal(with_elements(17)).reason == "syntax"
    assert mesh(with_properties(64)).triangles == 1
    assert refusal(with_properties(65)).reason == "syntax"


def test_the_name_of_a_texture_is_known_for_one() -> None:
    content = text_ply([ROW], extra="comment TextureFile teeth.png")
    assert mesh(content).dropped == ("textures",)


def test_a_colour_that_lacks_the_others_is_left_out_by_its_name() -> None:
    content = text_ply([ROW], vertex="property uchar red").replace(b"0 0\n", b"0 0 9\n")
    found = mesh(content.replace(b"0 1 0\n", b"0 1 0 9\n"))
    assert (found.colours, found.dropped, found.texts) == (None, ("attributes",), ("red",))


@pytest.mark.parametrize("count", ["-1", "x", "1.5", "3.", "000000003", "9" * 40])
@pytest.mark.parametrize("others", [[], [ROW]])
def test_the_count_of_a_list_is_a_number_of_eight_digits(count: str, others: list[str]) -> None:
    assert mesh(text_ply([*others, "00000003 0 1 2"])).triangles == 1 + len(others)
    error = refusal(text_ply([*others, f"{count} 0 1 2"]))
    assert (error.code, error.reason) == ("unreadable_scan", "layout")


def test_a_count_below_zero_is_refused_in_a_binary_file() -> None:
    content = ply(cube()[:1]).replace(b"list uchar", b"list char")
    assert mesh(content).triangles == 1
    assert refusal(content[:-13] + b"\xff" + content[-12:]).reason == "layout"


def test_a_table_with_lists_has_four_values_for_each_triangle_of_the_limit() -> None:
    def with_values(count: int) -> bytes:
        more = "\n".join(f"property int p{at}" for at in range(count - 1))
        return text_ply([ROW + " 7" * (count - 1)] * 2, face=more)

    assert mesh(with_values(4), Limits(triangles=2)).triangles == 2
    assert refusal(with_values(5), Limits(triangles=2)).reason == "layout"


@pytest.mark.parametrize("order", ["<", ">", ""])
def test_faces_that_are_alike_are_not_walked_through(
    order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ply_body, "_walk", lambda *_: pytest.fail("walked through"))
    assert mesh(ply(cube(), order)).triangles == 12


def test_what_is_not_read_is_not_shown_either() -> None:
    left_out = LeftOut()
    left_out.take("comments", CANARY)
    shown = repr(left_out) + repr(ply_body.BinaryBody(CANARY, 0, "<"))
    assert CANARY.decode() not in shown


def test_a_line_of_an_obj_has_4_096_bytes() -> None:
    longest = b"# " + b"x" * 4094
    assert mesh(SQUARE + longest + b"\nf 1 2 3\n").triangles == 1
    assert refusal(SQUARE + longest + b"x\nf 1 2 3\n").numbers == {"line": 5}


def test_an_obj_has_three_vertices_for_each_triangle_of_the_limit() -> None:
    content = b"v 0 0 0\nv 1 0 0\nv 0 1 0\n" * 2 + b"f 1 2 3\n"
    assert mesh(content, Limits(triangles=2)).triangles == 1
    error = refusal(b"v 5 5 5\n" + content, Limits(triangles=2))
    assert isinstance(error, TooManyTrianglesError)
    assert error.numbers == {"vertices": 7, "limit": 6}


def test_no_corner_of_an_obj_is_number_0_even_if_a_vertex_follows() -> None:
    assert refusal(SQUARE + b"f 1 2 0\nv 5 5 5\n").reason == "corner"


@pytest.mark.parametrize("corner", [b"3/x/1", b"3/1x/1", b"3/1/1x", b"3/x/", b"3/x"])
def test_what_follows_a_corner_is_a_number(corner: bytes) -> None:
    assert refusal(SQUARE + b"f 1 2 " + corner + b"\n").reason == "syntax"


def test_colours_above_1_are_levels_of_255() -> None:
    found = mesh(b"v 0 0 0 0 1 2\nv 1 0 0 0 0 0\nv 0 1 0 1 1 1\nf 1 2 3").colours
    assert found is not None
    assert found[:, 0, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("size", [100.0, 1.0, 0.01])
def test_a_folded_face_is_refused_whatever_its_size(size: float) -> None:
    places = ((0, 0), (2, 1), (0, 2), (0.5, 1))
    vertices = b"".join(b"v %f %f 0\n" % (size * x, size * y) for x, y in places)
    assert mesh(vertices + b"f 2 3 4 1\n").triangles == 2
    assert refusal(vertices + b"f 1 2 3 4\n").reason == "polygon"


def test_a_nul_among_256_bytes_means_that_it_is_no_text() -> None:
    assert refusal(b"solid " + b"x" * 249 + b"\0").code == "not_a_scan"
    assert refusal(b"solid " + b"x" * 250 + b"\0").reason == "no_end"


def test_an_obj_shows_itself_among_65_536_bytes() -> None:
    comments = b"#\n" * (65_534 // 2)
    assert mesh(comments + SQUARE + b"f 1 2 3\n").triangles == 1
    assert refusal(b"\n" + comments + SQUARE + b"f 1 2 3\n").code == "not_a_scan"
