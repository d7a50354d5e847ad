from __future__ import annotations

import pytest

from gateway.inspection.errors import InspectionError, TooManyTrianglesError
from gateway.inspection.report import Limits
from gateway.inspection.scans import ascii_stl as ascii_module
from gateway.inspection.scans.mesh import Mesh
from gateway.inspection.scans.read import read
from tests.scans import ascii_stl, cube

LIMITS = Limits()
FACET = (
    b"facet normal 0 0 1",
    b"outer loop",
    b"vertex 0 0 0",
    b"vertex 1 0 0",
    b"vertex 0 1 0",
    b"endloop",
    b"endfacet",
)
SHORTEST = b"\n".join(FACET).replace(b"0 0 1", b"0 0 0", 1) + b"\n"


def solid(*lines: bytes) -> bytes:
    return b"\n".join((b"solid", *lines, b"endsolid"))


def mesh(content: bytes) -> Mesh:
    return read(content, LIMITS)


def wrong_line(content: bytes) -> int:
    with pytest.raises(InspectionError) as caught:
        mesh(content)
    assert caught.value.reason == "syntax"
    return int(caught.value.numbers["line"])


def with_line(at: int, line: bytes) -> bytes:
    """Two facets; a line of the second one is another."""
    second = list(FACET)
    second[at] = line
    return solid(*FACET, *second)


def long(line: bytes, length: int) -> bytes:
    """The line with more blanks between its last two words."""
    head, tail = line.rsplit(b" ", 1)
    return head + b" " * (length - len(head) - len(tail)) + tail


@pytest.mark.parametrize("at", range(5))
def test_a_line_has_256_bytes_and_no_more(at: int) -> None:
    longest, longer = (long(FACET[at], length) for length in (256, 257))
    assert mesh(with_line(at, b"  " + longest + b"\t ")).triangles == 2
    assert wrong_line(with_line(at, longer)) == 9 + at
    # What is as long as it may be is not what is wrong.
    assert wrong_line(with_line(at, longest).replace(b"\nendsolid", b"\nfacet\nendsolid")) == 16


@pytest.mark.parametrize("at", range(7))
@pytest.mark.parametrize("word", [0, 1])
def test_each_keyword_is_what_it_should_be(at: int, word: int) -> None:
    words = FACET[at].split(b" ")
    if word == 1 and at > 1:  # a number, or nothing
        return
    words[word] = words[word][:-1] + b"q"
    assert wrong_line(with_line(at, b" ".join(words))) == 9 + at


def test_a_number_of_more_than_64_letters_names_its_line() -> None:
    assert mesh(with_line(3, b"vertex 1 0." + b"0" * 62 + b" 0")).triangles == 2
    assert wrong_line(with_line(3, b"vertex 1 0." + b"0" * 63 + b" 0")) == 12


def test_the_line_is_right_in_a_later_solid_and_behind_empty_lines() -> None:
    good, bad = solid(*FACET), with_line(4, b"vertex 1 2")
    assert wrong_line(good + b"\n" + bad) == 9 + 13
    assert wrong_line(b"\n\n" + bad) == 2 + 13


def test_a_facet_does_not_end_in_another_solid() -> None:
    halves = solid(*FACET, *FACET[:3]) + b"\n" + solid(*FACET[3:])
    assert wrong_line(halves) == 12
    assert wrong_line(solid(*FACET[:3]) + b"\n" + solid(*FACET[3:], *FACET)) == 5


def test_the_shortest_facets_are_counted_too() -> None:
    assert len(SHORTEST) == 86
    content = b"solid\n" + SHORTEST * 150 + b"endsolid"
    assert read(content, Limits(triangles=150)).triangles == 150
    with pytest.raises(TooManyTrianglesError):
        read(content, Limits(triangles=149))


@pytest.mark.parametrize(
    ("normal", "wrong"),
    [
        (b"0 0 1", 0),
        (b"0 0 0", 0),
        (b"0 0 -1", 1),
        (b"9 9 -1", 1),
        (b"-9 -9 1", 0),
        (b"nan 0 -1", 0),
    ],
)
def test_a_stored_normal_is_held_against_the_corners(normal: bytes, wrong: int) -> None:
    content = solid(*FACET).replace(b"normal 0 0 1", b"normal " + normal)
    assert mesh(content).wrong_normals == wrong


@pytest.mark.parametrize("block_bytes", [110, 200, 1000])
def test_blocks_end_behind_facets_without_any_indentation(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ascii_module, "_BLOCK_BYTES", block_bytes)
    content = solid() + b"\n" + solid(*FACET * 20) + b"\n" + solid(b"", b"")
    read_back = mesh(content)
    assert (read_back.triangles, read_back.wrong_normals) == (20, 0)
    assert wrong_line(solid(*FACET * 20, *FACET[:3], b"vertex", *FACET[4:])) == 1 + 7 * 20 + 4


def test_capitals_are_read_and_their_names_kept_as_they_were() -> None:
    content = ascii_stl(cube(), b"Jan").upper().replace(b"JAN", b"Jan")
    assert mesh(content).texts == ("Jan", "Jan")
