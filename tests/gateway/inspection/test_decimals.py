from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.inspection.scans import decimals
from gateway.inspection.scans.decimals import NO_INTEGER, read_decimals, read_integers, split

GRAMMAR = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def expected(word: str) -> bytes:
    """The bits of the float32 that Python and numpy make of it."""
    with np.errstate(over="ignore"):
        return np.float64(float(word)).astype(np.float32).tobytes()


def read(words: list[str]) -> list[bytes]:
    return [value.tobytes() for value in read_decimals(split(" ".join(words).encode()))]


SIGNS, POINTS = st.sampled_from(["", "-", "+"]), st.sampled_from(["", "."])
DIGITS = st.text("0123456789", max_size=22)
EXPONENTS = st.sampled_from(
    ["", "e+00", "e-03", "E+12", "e5", "e-7", "e-45", "e+38", "E-23", "e099"]
)
NUMBERS = st.builds("{}{}{}{}{}".format, SIGNS, DIGITS, POINTS, DIGITS, EXPONENTS)
WRITTEN = st.one_of(
    NUMBERS.filter(GRAMMAR.fullmatch),
    st.floats(-1e6, 1e6, width=32).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e3, 1e3).map("{:.6f}".format),
    st.floats(-1e38, 1e38).map("{:.6e}".format),
    st.floats(-1e3, 1e3).map("{:g}".format),
)


@given(st.lists(WRITTEN, min_size=1, max_size=30))
@example(["1.0000000596046447753906", "1.00000005960464477539063", "1.0000000596046447753907"])
@example(["9007199254740993", "16777217", "16777217.0", "1.6777217e+07", "123456789012345.5"])
@example(["-0", "-0.0", "+.5", "5.", "1e-46", "7.0064923216240853e-46", "3.4028236e+38", "0e+99"])
@example(["1234567.8", "12345678", "123456.78", "-1234567.8", "-12345678", ".12345678", "1234567."])
def test_a_number_is_the_float_that_python_makes_of_it(words: list[str]) -> None:
    assert read(words) == [expected(word) for word in words]


@given(st.floats(0.125, 1000, width=32), st.integers(-2, 2), st.integers(14, 30))
def test_numbers_beside_the_middle_of_two_floats_are_rounded_right(
    value: float, off: int, places: int
) -> None:
    above = float(np.nextafter(np.float32(value), np.float32(np.inf)))
    middle = (Decimal(value) + Decimal(above)) / 2 + off * Decimal(10) ** -places
    word = f"{middle:f}"[:64]
    assert read([word]) == [expected(word)]


@given(st.text("0123456789+-.eE_xn", min_size=1, max_size=26))
@example("1e+a0")
@example("1.2.3")
@example("1234567.9012345.")
@example("12345678901234567890123x")
@example("1.234567890123456789e+0x")
@example("1/2")
@example("1:2")
@example("e+05")
@example(".e+05")
@example("1" * 65)
def test_what_is_no_number_is_nan(word: str) -> None:
    right = bool(GRAMMAR.fullmatch(word)) and len(word) <= 64
    found = read_decimals(split(word.encode()))[0]
    assert bool(np.isnan(found)) is not right
    if right:
        assert found.tobytes() == expected(word)


@given(st.lists(st.integers(-(10**8) + 1, 10**8 - 1), min_size=1))
def test_integers_of_eight_digits_are_read(values: list[int]) -> None:
    assert read_integers(split(" ".join(map(str, values)).encode())).tolist() == values


@pytest.mark.parametrize("digits", range(17, 26))
def test_what_is_no_digit_far_behind_makes_no_number(digits: int) -> None:
    number = "1.23456789012345678901234567890"[:digits]
    for at in range(2, digits):
        assert read([number[:at] + "x" + number[at + 1 :]]) == [expected("nan")]


@pytest.mark.parametrize("number", ["1", "1.5", ".5", "12345678", "-1.2345678901234567"])
def test_every_exponent_moves_the_point_to_where_it_belongs(number: str) -> None:
    words = [number + f"e{exponent:+03d}" for exponent in range(-46, 40)]
    words += [number + f"E{exponent}" for exponent in range(-46, 40)]
    assert read(words) == [expected(word) for word in words]


@given(st.text("0123456789+-./e ", min_size=1, max_size=12))
def test_what_is_no_integer_is_none(text: str) -> None:
    for word, found in zip(text.split(), read_integers(split(text.encode())).tolist(), strict=True):
        right = re.fullmatch(r"[+-]?\d{1,8}", word)
        assert found == (int(word) if right else NO_INTEGER)


@given(st.binary(max_size=200))
def test_words_are_those_of_bytes_split(text: bytes) -> None:
    words = split(text)
    found = [
        words.letters[start:end].tobytes()
        for start, end in zip(words.starts, words.ends, strict=True)
    ]
    assert found == text.split()


@given(st.text(" \t\r\na", max_size=60))
def test_lines_end_where_they_end(text: str) -> None:
    lines = [line.split() for line in text.split("\n")]
    counts = [len(line) for line in lines if line]
    ends = np.flatnonzero(split(text.encode()).breaks()) + 1
    assert np.diff(ends, prepend=0).tolist() == counts


@given(st.lists(st.text("a1/", min_size=1, max_size=12), min_size=1))
@example(["1234567/1", "12345678/1", "123456789/1", "/12345678"])
def test_a_word_is_cut_at_its_first_slash_among_nine_letters(parts: list[str]) -> None:
    words = split(" ".join(parts).encode()).cut(ord("/"))
    for part, length in zip(parts, (words.ends - words.starts).tolist(), strict=True):
        at = part[:9].find("/")
        assert length == (at if at >= 0 else len(part))


def test_a_keyword_is_met_in_whatever_case() -> None:
    words = split(b"facet FACET Facet facets face FACES\0 endfacet")
    assert words.are(b"facet").tolist() == [True] * 3 + [False] * 4
    assert words.are(b"endfacet").tolist() == [False] * 6 + [True]


@pytest.mark.parametrize("block", [1, 2, 7])
def test_where_the_blocks_end_makes_no_difference(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decimals, "_BLOCK", block)
    monkeypatch.setattr(decimals, "_BLOCK_BYTES", block)
    words = split(b" 1.5 -2 x\n3e0  4.25 ")
    assert read_decimals(words).tolist()[:2] == [1.5, -2.0]
    assert np.isnan(read_decimals(words)).tolist() == [False, False, True, False, False]
    assert read_integers(words).tolist() == [NO_INTEGER, -2, *[NO_INTEGER] * 3]


USUAL = st.one_of(
    st.just(0.0), st.floats(2**-17, 2**17, width=32), st.floats(-(2**17), -1, width=32)
)
FORMS = ["{:.6f}", "{:.6e}", "{:.9g}", "{!r}", "{:.3f}", "{:.8E}", "{:+.4f}", "{:.0f}"]


@given(st.lists(USUAL, min_size=1), st.sampled_from(FORMS))
@example([1.5e-6, 99999.25], "{:.6e}")
@example([12345678.0, 0.1], "{:.0f}")
def test_what_programs_write_is_settled_without_python_s_float(
    values: list[float], form: str
) -> None:
    words = split(" ".join(form.format(value) for value in values).encode())
    assert decimals._settle(words)[1].all()


@pytest.mark.parametrize(
    "word",
    [
        *(".5", "-.5", "5.", "0", "00000000", "1.234567890123456", "123.45678901234567890"),
        *("1.2345678901234567890123", "1.5e-07", "1.5e-20", "1.23456789e-22", "9.87654321e+14"),
        *("12345.67890123456789", "1.2345678901234567e-10", "-1.2345678901234567e-20"),
        "1e-30",
    ],
)
def test_what_is_settled_is_right(word: str) -> None:
    values, settled = decimals._settle(split(word.encode()))
    assert settled.all()
    assert values[0].tobytes() == expected(word)


@given(st.floats(8e-12, 9.9e-12))
def test_what_lies_in_the_middle_of_two_floats_is_not_settled(near: float) -> None:
    below = np.float32(near)
    above = float(np.nextafter(below, np.float32(np.inf)))
    # Fifteen digits, as close to the middle as the quotient can be off.
    word = f"{(Decimal(float(below)) + Decimal(above)) / 2:.14e}"
    assert not decimals._settle(split(word.encode()))[1].any()
    assert read([word]) == [expected(word)]


@pytest.mark.parametrize("end", ["\n", "\r\n", " \r\n\t", "\n\n  ", "\r \n"])
def test_every_way_to_end_a_line_ends_it(end: str) -> None:
    words = split(f"a b{end}c  d\re{end}f".encode())
    assert words.breaks().tolist() == [False, True, False, False, True, True]


def test_a_number_of_64_letters_is_the_longest() -> None:
    assert read(["1" * 64, "0." + "1" * 62]) == [expected("1" * 64), expected("0." + "1" * 62)]
