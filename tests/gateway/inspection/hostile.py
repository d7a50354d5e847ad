"""Files made to hurt whoever reads them, each with the verdict that is due.

The verdict is a refusal's code, and `accepted` where a file is only unusual.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gateway.inspection.report import Kind
from tests.gateway.inspection.writers import obj, ply
from tests.scans import arch, ascii_stl, binary_stl, chunk, cube, jpeg, picture, png, segment

NOT_A_SCAN, UNREADABLE = "not_a_scan", "unreadable_scan"
TOO_MANY, NOT_FINITE, TOO_FAR = "too_many_triangles", "scan_not_finite", "scan_out_of_range"
NOT_A_PHOTO, BROKEN, TOO_LARGE = "not_a_photo", "unreadable_photo", "too_many_pixels"
ACCEPTED = "accepted"
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Hostile:
    """One file: what it is called here, what is due, and how it is made."""

    name: str
    due: str
    make: Callable[[], bytes]
    kind: Kind = "scan"


def count_of(count: int, body: bytes = b"") -> bytes:
    """A binary STL that claims so many triangles."""
    return bytes(80) + struct.pack("<I", count) + body


def many(triangles: int) -> bytes:
    """So many triangles without any area, all in one place."""
    return count_of(triangles, bytes(50 * triangles))


def fan(triangles: int) -> bytes:
    """So many triangles around one edge."""
    records = np.zeros((triangles, 50), dtype=np.uint8)
    places = np.zeros((triangles, 12), dtype="<f4")
    places[:, 6] = 1
    places[:, 9] = np.linspace(-50, 50, triangles)
    places[:, 10] = 1
    records[:, :48] = places.view(np.uint8).reshape(triangles, 48)
    return count_of(triangles, records.tobytes())


def with_place(value: float, write: Callable[..., bytes] = binary_stl) -> bytes:
    """A cube of which one coordinate is that."""
    triangles = cube()
    triangles[6, 1, 2] = value
    return write(triangles)


def lying_ply(pattern: bytes, lie: bytes, order: str = "<") -> bytes:
    """A PLY of a cube in which something of the header is another thing."""
    return re.sub(pattern, lie, ply(cube(), order), count=1)


def ply_lists(lengths: bytes) -> bytes:
    """A binary PLY whose faces claim to be so long."""
    content = bytearray(ply(cube()))
    for at, length in enumerate(lengths):
        content[len(content) - 13 * (at + 1)] = length
    return bytes(content)


def polygons(corners: int, faces: int) -> bytes:
    """A PLY of so many convex polygons."""
    turns = np.arange(corners) * (2 * np.pi / corners)
    places = np.stack((np.cos(turns), np.sin(turns), 0 * turns), axis=1).astype("<f4")
    face = bytes((corners,)) + np.arange(corners, dtype="<i4").tobytes()
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {corners}\nproperty float x\n"
        f"property float y\nproperty float z\nelement face {faces}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    return header.encode() + places.tobytes() + face * faces


def header_of(kind: bytes, length: int) -> bytes:
    """The length that a chunk of a PNG claims."""
    content = png()
    at = content.index(kind) - 4
    return content[:at] + struct.pack(">I", length) + content[at + 4 :]


def flat_png(width: int, height: int, *, claimed: int | None = None, behind: bytes = b"") -> bytes:
    """A PNG of one colour that takes a thousandth of its pixels, and what follows in its stream."""
    rows = zlib.compress(bytes((width + 1) * height), 9) + behind
    head = struct.pack(">IIBBBBB", claimed or width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def jpeg_tail(behind: bytes) -> bytes:
    """A JPEG with bytes behind its last block, in front of its end marker."""
    content = jpeg()
    at = content.rindex(b"\xff\xd9")
    return content[:at] + behind + content[at:]


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose frame header claims another size."""
    content = bytearray(jpeg())
    at = content.index(b"\xff\xc0\0\x11\x08")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def jpeg_segment(marker: int, payload: bytes, *, length: int | None = None) -> bytes:
    """A JPEG with a segment behind its start, of a length that may be a lie."""
    content = jpeg()
    more = bytearray(segment(marker, payload))
    if length is not None:
        more[2:4] = struct.pack(">H", length)
    return content[:2] + bytes(more) + content[2:]


def exif_loop() -> bytes:
    """Exif whose directories point at themselves, each entry at four gigabytes."""
    entry = struct.pack(">HHII", 0x8769, 4, 1, 8) + struct.pack(">HHII", 0x927C, 7, 2**32 - 1, 8)
    return b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + entry + struct.pack(">I", 8)


SOLID, END = b"solid x\n", b"endsolid x\n"
FACET = ascii_stl(cube()[:1])
OBJ_PLACES = b"v 0 0 0\nv 1 0 0\nv 0 1 0\n"

BINARY = [
    Hostile("no bytes", NOT_A_SCAN, lambda: b""),
    Hostile("zeros", UNREADABLE, lambda: bytes(MIB)),
    Hostile("count of none", UNREADABLE, lambda: count_of(0)),
    Hostile("count of 2**32-1", NOT_A_SCAN, lambda: count_of(2**32 - 1, bytes(500))),
    # 50 times that is 84 more than a multiple of 2**32
    Hostile("count that wraps", NOT_A_SCAN, lambda: count_of(85_899_346, bytes(50))),
    Hostile("count above by one", UNREADABLE, lambda: count_of(2, bytes(50))),
    Hostile("count below by one", UNREADABLE, lambda: count_of(1, bytes(100))),
    Hostile("cut in the header", NOT_A_SCAN, lambda: binary_stl(cube())[:83]),
    Hostile("cut in a triangle", UNREADABLE, lambda: binary_stl(cube())[:-1]),
    Hostile("megabytes behind", UNREADABLE, lambda: binary_stl(cube()) + bytes(8 * MIB)),
    Hostile("nan", NOT_FINITE, lambda: with_place(np.nan)),
    Hostile("infinity", NOT_FINITE, lambda: with_place(-np.inf)),
    Hostile("far away", TOO_FAR, lambda: with_place(3e38)),
    Hostile("smallest numbers", ACCEPTED, lambda: binary_stl(cube() * np.float32(1e-45))),
    Hostile("2.6 million in one place", TOO_MANY, lambda: many(2_600_000)),
    Hostile("a million in one place", ACCEPTED, lambda: many(1_000_000)),
    Hostile("half a million at one edge", ACCEPTED, lambda: fan(500_000)),
    Hostile("header of a page", ACCEPTED, lambda: binary_stl(cube(), b"<html><script>")),
    Hostile("header of an ELF", ACCEPTED, lambda: binary_stl(cube(), b"\x7fELF\2\1\1")),
    Hostile("header of a PDF", ACCEPTED, lambda: binary_stl(cube(), b"%PDF-1.7\n")),
    Hostile("header of a JPEG", ACCEPTED, lambda: binary_stl(cube(), b"\xff\xd8\xff\xe0")),
    Hostile("archive behind", UNREADABLE, lambda: binary_stl(cube()) + b"PK\3\4" + bytes(90)),
    Hostile("attributes of an archive", ACCEPTED, lambda: binary_stl(cube(), b"", 0x4B50)),
    Hostile("an archive", NOT_A_SCAN, lambda: b"PK\3\4" + bytes(range(256)) * 9),
    Hostile("a PDF", NOT_A_SCAN, lambda: b"%PDF-1.7\n" * 99),
    Hostile("a page", NOT_A_SCAN, lambda: b"<html><body>" * 99),
    Hostile("an ELF", NOT_A_SCAN, lambda: b"\x7fELF" + bytes(range(1, 256)) * 9),
    Hostile("a photo", NOT_A_SCAN, lambda: jpeg(picture(256, 256))),
]
ASCII = [
    Hostile("one endless name", UNREADABLE, lambda: b"solid " + b"x" * (16 * MIB)),
    Hostile("one endless line", UNREADABLE, lambda: SOLID + b"x" * (16 * MIB)),
    Hostile("one endless blank", UNREADABLE, lambda: SOLID + b" " * (16 * MIB) + END),
    Hostile("eight million blank lines", UNREADABLE, lambda: SOLID + b"\n" * (8 * MIB) + END),
    Hostile("four million short lines", UNREADABLE, lambda: SOLID + b"x\n" * (4 * MIB) + END),
    Hostile("a million solids", UNREADABLE, lambda: (SOLID + END) * 500_000),
    Hostile("fifty thousand solids", ACCEPTED, lambda: FACET * 50_000),
    Hostile("no end", UNREADABLE, lambda: SOLID + FACET[7:-20]),
    Hostile("endless number", UNREADABLE, lambda: FACET.replace(b"0.0", b"1" * (4 * MIB), 1)),
    Hostile(
        "number of 1e400", NOT_FINITE, lambda: with_place(1.5, ascii_stl).replace(b"1.5", b"1e400")
    ),
    Hostile("nan in text", UNREADABLE, lambda: FACET.replace(b"vertex 0.0", b"vertex nan", 1)),
    Hostile("hexadecimal", UNREADABLE, lambda: FACET.replace(b"vertex 0.0", b"vertex 0x0", 1)),
    Hostile(
        "NUL in text", UNREADABLE, lambda: SOLID + b" " * 300 + FACET[7:].replace(b"0.0", b"0\0", 1)
    ),
    Hostile(
        "facets in facets", UNREADABLE, lambda: SOLID + b"facet normal 0 0 1\n" * 200_000 + END
    ),
    Hostile("page in a name", ACCEPTED, lambda: ascii_stl(cube(), b"<script>alert(1)</script>")),
    Hostile("page behind", UNREADABLE, lambda: ascii_stl(cube()) + b"<script>alert(1)</script>"),
    Hostile("all bytes in a name", ACCEPTED, lambda: ascii_stl(cube(), bytes(range(14, 256)))),
]
PLY = [
    Hostile(
        "endless header", UNREADABLE, lambda: b"ply\nformat ascii 1.0\n" + b"comment x\n" * MIB
    ),
    Hostile("endless comment", UNREADABLE, lambda: b"ply\ncomment " + b"x" * (8 * MIB)),
    Hostile("header alone", UNREADABLE, lambda: ply(cube()).partition(b"end_header\n")[0]),
    Hostile(
        "4 billion vertices", TOO_MANY, lambda: lying_ply(rb"vertex \d+", b"vertex 4294967297")
    ),
    Hostile("4 billion faces", TOO_MANY, lambda: lying_ply(rb"face \d+", b"face 4294967297")),
    Hostile(
        "vertices beyond the end", UNREADABLE, lambda: lying_ply(rb"vertex \d+", b"vertex 7000000")
    ),
    Hostile("faces beyond the end", UNREADABLE, lambda: lying_ply(rb"face \d+", b"face 2000000")),
    Hostile(
        "rows without anything",
        UNREADABLE,
        lambda: lying_ply(b"element v", b"element x 9999999999\nelement v"),
    ),
    Hostile(
        "rows of another table",
        UNREADABLE,
        lambda: lying_ply(b"element v", b"element x 9999999999\nproperty uchar y\nelement v"),
    ),
    Hostile(
        "text of 7 million rows",
        UNREADABLE,
        lambda: lying_ply(rb"vertex \d+", b"vertex 7000000", ""),
    ),
    Hostile(
        "a thousand properties",
        UNREADABLE,
        lambda: lying_ply(
            b"property float x",
            b"".join(b"property float a%d\n" % i for i in range(1000)) + b"property float x",
        ),
    ),
    Hostile("list of none", UNREADABLE, lambda: ply_lists(b"\0")),
    Hostile("list of 255", UNREADABLE, lambda: ply_lists(b"\xff")),
    Hostile("list of 4 that has 3", UNREADABLE, lambda: ply_lists(b"\4")),
    Hostile("lists of every length", UNREADABLE, lambda: ply_lists(b"\2\4\3\2")),
    Hostile(
        "negative list",
        UNREADABLE,
        lambda: lying_ply(b"uchar int", b"char int").replace(b"\3" + bytes(3), b"\xff" + bytes(3)),
    ),
    Hostile("corner outside", UNREADABLE, lambda: ply(cube())[:-4] + struct.pack("<i", 36)),
    Hostile("corner below 0", UNREADABLE, lambda: ply(cube())[:-4] + struct.pack("<i", -1)),
    Hostile("corner of 2**32-1", UNREADABLE, lambda: ply(cube(), index="u4")[:-4] + b"\xff" * 4),
    Hostile("polygons of 3 million", TOO_MANY, lambda: polygons(64, 50_000)),
    Hostile("polygon of 65 corners", UNREADABLE, lambda: polygons(65, 2)),
    Hostile("nan in PLY", NOT_FINITE, lambda: with_place(np.nan, ply)),
    Hostile("archive behind PLY", UNREADABLE, lambda: ply(cube()) + b"PK\3\4" + bytes(90)),
    Hostile(
        "text in place of bytes", UNREADABLE, lambda: lying_ply(b"binary_little_endian", b"ascii")
    ),
    Hostile("bytes in the other order", UNREADABLE, lambda: lying_ply(b"little", b"big")),
    Hostile(
        "lists in another table",
        UNREADABLE,
        lambda: lying_ply(
            b"element v",
            b"element x 2500000\nproperty list uchar uchar y\nelement v",
        ),
    ),
]
OBJ = [
    Hostile("index 0", UNREADABLE, lambda: OBJ_PLACES + b"f 0 1 2\n"),
    Hostile("index above", UNREADABLE, lambda: OBJ_PLACES + b"f 1 2 4\n"),
    Hostile("index far back", UNREADABLE, lambda: OBJ_PLACES + b"f -1 -2 -4\n"),
    Hostile("index of 2**64+1", UNREADABLE, lambda: OBJ_PLACES + b"f 1 2 18446744073709551617\n"),
    Hostile("endless face", UNREADABLE, lambda: OBJ_PLACES + b"f" + b" 1 2 3" * MIB),
    Hostile("endless vertex", UNREADABLE, lambda: OBJ_PLACES + b"v " + b"1" * (8 * MIB)),
    Hostile("endless comment line", UNREADABLE, lambda: OBJ_PLACES + b"#" * (8 * MIB)),
    Hostile("million comments", NOT_A_SCAN, lambda: b"# x\n" * MIB),
    Hostile("million names", ACCEPTED, lambda: OBJ_PLACES + b"o x\ng y\n" * MIB + b"f 1 2 3\n"),
    Hostile("four hundred thousand faces", ACCEPTED, lambda: OBJ_PLACES + b"f 1 2 3\n" * 400_000),
    Hostile("three million faces", TOO_MANY, lambda: OBJ_PLACES + b"f 1 2 3\n" * 3_000_000),
    Hostile("another file", UNREADABLE, lambda: OBJ_PLACES + b"call /etc/passwd\nf 1 2 3\n"),
    Hostile("library of another file", ACCEPTED, lambda: b"mtllib /etc/passwd\n" + obj(cube())),
    Hostile("infinity in OBJ", UNREADABLE, lambda: OBJ_PLACES + b"v inf 0 0\nf 1 2 4\n"),
    Hostile("lines that go on", UNREADABLE, lambda: OBJ_PLACES + b"f 1 2 \\\n3\n"),
    Hostile("vertices alone", UNREADABLE, lambda: OBJ_PLACES * 100_000),
]
PHOTOS = [
    Hostile("no photo", NOT_A_PHOTO, lambda: b"", "photo"),
    Hostile("a scan", NOT_A_PHOTO, lambda: binary_stl(arch(1_000, seed=1)), "photo"),
    Hostile("GIF", NOT_A_PHOTO, lambda: b"GIF89a" + bytes(99), "photo"),
    Hostile("SVG", NOT_A_PHOTO, lambda: b"<svg onload='alert(1)'/>", "photo"),
    Hostile("JPEG of 65535 by 65535", TOO_LARGE, lambda: jpeg_of(65_535, 65_535), "photo"),
    Hostile("JPEG of no height", BROKEN, lambda: jpeg_of(48, 0), "photo"),
    Hostile("JPEG cut in its pixels", BROKEN, lambda: jpeg()[:-400], "photo"),
    Hostile("start of a JPEG", BROKEN, lambda: b"\xff\xd8\xff", "photo"),
    Hostile("padding without end", BROKEN, lambda: b"\xff\xd8" + b"\xff" * (8 * MIB), "photo"),
    Hostile("segment of 0", BROKEN, lambda: jpeg_segment(0xE5, b"x", length=0), "photo"),
    Hostile(
        "segment beyond the end", BROKEN, lambda: jpeg_segment(0xE5, b"x", length=65_535), "photo"
    ),
    Hostile(
        "hundred thousand segments",
        BROKEN,
        lambda: jpeg()[:2] + segment(0xE5, b"") * 100_000 + jpeg()[2:],
        "photo",
    ),
    Hostile("Exif in a loop", ACCEPTED, lambda: jpeg_segment(0xE1, exif_loop()), "photo"),
    Hostile("archive behind JPEG", ACCEPTED, lambda: jpeg() + b"PK\3\4" + bytes(MIB), "photo"),
    Hostile("page in a comment", ACCEPTED, lambda: jpeg_segment(0xFE, b"<script>"), "photo"),
    Hostile("PNG of 2**31 by 1", TOO_LARGE, lambda: flat_png(8, 1, claimed=2**31 - 1), "photo"),
    Hostile("PNG of 100 megapixels", TOO_LARGE, lambda: flat_png(10_000, 10_000), "photo"),
    Hostile(
        "PNG that inflates beyond", BROKEN, lambda: flat_png(4_000, 9_000, claimed=16), "photo"
    ),
    Hostile(
        "PNG that inflates too little", BROKEN, lambda: flat_png(16, 16, claimed=4_000), "photo"
    ),
    Hostile("chunk of 2**32-1", BROKEN, lambda: header_of(b"IDAT", 2**32 - 1), "photo"),
    Hostile("chunk of 0", BROKEN, lambda: header_of(b"IDAT", 0), "photo"),
    Hostile(
        "checksum that lies",
        BROKEN,
        lambda: png().replace(b"IEND\xaeB`\x82", b"IEND\xaeB`\x83"),
        "photo",
    ),
    Hostile("profile bomb", ACCEPTED, lambda: with_profile(bytes(64 * MIB)), "photo"),
    Hostile(
        "text bomb",
        ACCEPTED,
        lambda: with_chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(64 * MIB))),
        "photo",
    ),
    Hostile(
        "archive behind pixels",
        ACCEPTED,
        lambda: flat_png(2_000, 1_000, behind=b"PK\3\4" + bytes(MIB)),
        "photo",
    ),
    Hostile("archive behind blocks", ACCEPTED, lambda: jpeg_tail(b"PK\3\4" * MIB), "photo"),
    Hostile("archive behind PNG", ACCEPTED, lambda: png() + b"PK\3\4" + bytes(MIB), "photo"),
]


def with_chunk(kind: bytes, payload: bytes) -> bytes:
    """A PNG with one more chunk."""
    with io.BytesIO() as file:
        picture().save(file, "PNG")
        content = file.getvalue()
    return content[:33] + chunk(kind, payload) + content[33:]


def with_profile(profile: bytes) -> bytes:
    """A PNG whose colour profile is that."""
    return with_chunk(b"iCCP", b"x\0\0" + zlib.compress(profile, 9))


SET = [*BINARY, *ASCII, *PLY, *OBJ, *PHOTOS]
