"""Colour profiles (ICC.1): recognised by what they compute, replaced by one of our own.

A profile can name the maker of a camera, a day and an owner, so none is kept. But without Display
P3 the photo of a phone loses its reds, which on gums is what matters. So the two wide spaces in use
are told by their numbers alone (where red, green and blue lie, and the curve) and written anew from
the published definitions. sRGB needs no profile: it is what no profile means.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

Space = Literal["srgb", "display_p3", "adobe_rgb"]
_Matrix = npt.NDArray[np.float64]

_HEADER_BYTES, _ENTRY_BYTES = 128, 12
_MOST_TAGS = 64
_TOLERANCE = 0.003  # of X, Y and Z; the spaces lie 0.05 and more apart, programs round by 0.0005
_CURVE_TOLERANCE = 0.02
_D50 = (0.9642, 1.0, 0.8249)  # ICC.1:2022, 7.2.16
_D65 = (0.3127, 0.3290)
_BRADFORD = np.array(  # ICC.1:2022, annex E
    ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
)
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # IEC 61966-2-1
_CURVE_FIELDS = {0: 1, 3: 5}  # of parametricCurveType by its function, of those in use


@dataclass(frozen=True, slots=True)
class _Definition:
    """A space as published: x and y of its primaries; the white is D65 in all of them."""

    name: str
    primaries: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
    curve: tuple[float, ...]


_DEFINITIONS: dict[Space, _Definition] = {
    "srgb": _Definition("sRGB", ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), _SRGB_CURVE),
    # SMPTE EG 432-1 primaries with the curve of sRGB.
    "display_p3": _Definition(
        "Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), _SRGB_CURVE
    ),
    # Adobe RGB (1998), 4.3.1: a power of 2 and 51/256.
    "adobe_rgb": _Definition(
        "Adobe RGB compatible", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), (2 + 51 / 256,)
    ),
}


def recognise(profile: bytes) -> Space | None:
    """Which space a profile computes; None if it is another, or cannot be read."""
    tags = _tags(profile)
    columns = [_xyz(tags.get(name, b"")) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    curves = [_middle(tags.get(name, b"")) for name in (b"rTRC", b"gTRC", b"bTRC")]
    for space, definition in _DEFINITIONS.items():
        wanted = _evaluate(definition.curve, 0.5)
        if np.allclose(columns, _colourants(space).T, rtol=0, atol=_TOLERANCE) and np.allclose(
            curves, wanted, rtol=0, atol=_CURVE_TOLERANCE
        ):
            return space
    return None


@cache
def profile(space: Space) -> bytes:
    """Our own ICC profile (version 4, display, matrix and curve) of a space."""
    definition = _DEFINITIONS[space]
    columns, curve = _colourants(space).T, _parametric(definition.curve)
    shared = {
        b"desc": _text(definition.name),
        b"cprt": _text("Public domain"),
        b"wtpt": _numbers(b"XYZ ", _D50),
        b"chad": _numbers(b"sf32", _adaptation().ravel().tolist()),
        **{
            name: _numbers(b"XYZ ", column.tolist())
            for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)
        },
    }
    table, body = b"", b""
    start = _HEADER_BYTES + 4 + _ENTRY_BYTES * (len(shared) + 3)
    for name, content in shared.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    for name in (b"rTRC", b"gTRC", b"bTRC"):  # three names of one curve
        table += name + struct.pack(">II", start + len(body), len(curve))
    return _header(start + len(body) + len(curve)) + struct.pack(">I", 10) + table + body + curve


def _header(size: int) -> bytes:
    """ICC.1:2022, 7.2, with no maker, device or date in it."""
    identity = b"mntr" + b"RGB " + b"XYZ " + bytes(12) + b"acsp"
    return struct.pack(">I4xI", size, 0x04300000) + identity + bytes(28) + _fixed(_D50) + bytes(48)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """The tags of a matrix profile of RGB; none if the bytes break the rules."""
    count = int.from_bytes(profile[_HEADER_BYTES : _HEADER_BYTES + 4], "big")
    if profile[16:24] != b"RGB XYZ " or profile[36:40] != b"acsp" or count > _MOST_TAGS:
        return {}
    tags = {}
    for entry in range(count):
        at = _HEADER_BYTES + 4 + _ENTRY_BYTES * entry
        name, place = profile[at : at + 4], profile[at + 4 : at + 12]
        start, size = (int.from_bytes(place[half : half + 4], "big") for half in (0, 4))
        if len(place) < 8 or start + size > len(profile) or name in tags:  # noqa: PLR2004
            return {}
        tags[name] = profile[start : start + size]
    # A table of colours would have the last word over the matrix.
    return {} if b"A2B0" in tags else tags


def _xyz(tag: bytes) -> tuple[float, ...]:
    if tag[:8] != b"XYZ \0\0\0\0" or len(tag) != 20:  # noqa: PLR2004
        return (math.inf,) * 3
    return _unfixed(tag[8:])


def _middle(tag: bytes) -> float:
    """What a curve makes of a half; infinite if it cannot be read."""
    kind, body = tag[:8], tag[12:]
    if kind == b"curv\0\0\0\0" and len(body) == 2 * int.from_bytes(tag[8:12], "big"):
        values: tuple[int, ...] = struct.unpack(f">{len(body) // 2}H", body)
        if not values:
            return 0.5
        if len(values) == 1:
            return float(0.5 ** (values[0] / 256))
        return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2 / 65535
    fields = _CURVE_FIELDS.get(int.from_bytes(tag[8:10], "big"), 0)
    if kind == b"para\0\0\0\0" and fields and len(body) == 4 * fields:
        return _evaluate(_unfixed(body), 0.5)
    return math.inf


def _evaluate(curve: tuple[float, ...], value: float) -> float:
    """A power alone, or a power with a straight foot (ICC.1:2022, 10.18, functions 0 and 3)."""
    power, scale, shift, foot, border = (*curve, 1.0, 0.0, 0.0, -1.0)[:5]
    base = scale * value + shift
    return float(base**power) if value >= border and base >= 0 else foot * value


def _adaptation() -> _Matrix:
    """From the white of D65 to that of D50."""
    here, there = _BRADFORD @ _white(), _BRADFORD @ np.array(_D50)
    adaptation: _Matrix = np.linalg.inv(_BRADFORD) @ np.diag(there / here) @ _BRADFORD
    return adaptation


def _white() -> _Matrix:
    x, y = _D65
    return np.array((x / y, 1.0, (1 - x - y) / y))


@cache
def _colourants(space: Space) -> _Matrix:
    """X, Y and Z of red, green and blue, in columns, under D50."""
    chromaticities = np.array([(x, y, 1 - x - y) for x, y in _DEFINITIONS[space].primaries]).T
    colourants: _Matrix = _adaptation() @ (
        chromaticities * np.linalg.solve(chromaticities, _white())
    )
    return colourants


def _fixed(values: Sequence[float]) -> bytes:
    """As s15Fixed16Number (ICC.1:2022, 4.6)."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _unfixed(content: bytes) -> tuple[float, ...]:
    return tuple(value / 65536 for value in struct.unpack(f">{len(content) // 4}i", content))


def _numbers(kind: bytes, values: Sequence[float]) -> bytes:
    return kind + bytes(4) + _fixed(values)


def _parametric(curve: tuple[float, ...]) -> bytes:
    function = {1: 0, 5: 3}[len(curve)]
    return b"para" + bytes(4) + struct.pack(">HH", function, 0) + _fixed(curve)


def _text(text: str) -> bytes:
    """One text in one language; padded, because tags begin at multiples of four."""
    encoded = text.encode("utf-16-be")
    record = struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28)
    return b"mluc" + bytes(4) + record + encoded + bytes(-len(encoded) % 4)
