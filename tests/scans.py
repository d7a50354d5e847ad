"""Scans and photos for the tests: plain ones, and ones that carry what they should not."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from gateway.cli import sample

Triangles = sample.Triangles
arch = sample.arch


CORPUS = Path(
    os.environ.get("KLUIS_CORPUS", Path(__file__).resolve().parents[2] / "shared" / "corpus")
)
CANARY = b"CANARY-7f3a"


def corpus(folder: str) -> list[Path]:
    """Real files that nobody here made; an empty list where there are none."""
    return sorted(path for path in (CORPUS / folder).rglob("*") if path.is_file())


def cube(size: float = 1.0, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Triangles:
    """Twelve triangles, closed, outside outside."""
    corners = np.array([(i >> 2, i >> 1 & 1, i & 1) for i in range(8)]) * size + np.array(at)
    faces = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    triangles = [face[i] for face in faces for i in (0, 1, 2, 0, 2, 3)]
    solid: Triangles = corners[triangles].reshape(-1, 3, 3).astype(np.float32)
    return solid


def binary_stl(triangles: Triangles, header: bytes = b"", attribute: int = 0) -> bytes:
    """A binary STL as a program may write it."""
    content = [header.ljust(80, b"\0"), struct.pack("<I", len(triangles))]
    content += [
        struct.pack("<12fH", 0, 0, 0, *map(float, corners.ravel()), attribute)
        for corners in triangles
    ]
    return b"".join(content)


def ascii_stl(triangles: Triangles, name: bytes = b"scan", newline: bytes = b"\n") -> bytes:
    """An ASCII STL as a program may write it."""
    return newline.join((b"solid " + name, *_facets(triangles), b"endsolid " + name, b""))


def _facets(triangles: Triangles) -> Iterator[bytes]:
    for corners in triangles:
        yield b"  facet normal 0 0 1"
        yield b"    outer loop"
        for x, y, z in corners:
            yield f"      vertex {float(x)!r} {float(y)!r} {float(z)!r}".encode()
        yield b"    endloop"
        yield b"  endfacet"


def picture(width: int = 48, height: int = 32, mode: str = "RGB") -> Image.Image:
    """Something that looks different from every side."""
    rows, columns = np.mgrid[0:height, 0:width]
    red = 255 * columns // width
    green = 255 * rows // height
    blue = np.where((rows < height // 3) & (columns < width // 3), 255, 0)
    return Image.fromarray(np.stack((red, green, blue), axis=2).astype(np.uint8)).convert(mode)


def exif(orientation: int = 1) -> Image.Exif:
    """Exif as a camera writes it, with a place and the canary."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F], tags[0x013B] = CANARY.decode(), CANARY.decode()
    tags[0x0132] = "2026:11:20 14:03:00"
    place = tags.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", (54.0, 30.0, 0.0), "E", (4.0, 15.0, 0.0)
    return tags


def segment(marker: int, payload: bytes) -> bytes:
    """One segment of a JPEG."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def jpeg(image: Image.Image | None = None, orientation: int = 1, **options: object) -> bytes:
    """A JPEG with everything in it that identifies somebody."""
    with io.BytesIO() as file:
        (image or picture()).save(
            file, "JPEG", quality=95, exif=exif(orientation), comment=CANARY, **options
        )
        content = file.getvalue()
    foreign = b"".join(
        (
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + CANARY + b"</x:xmpmeta>"),
            segment(0xE2, b"ICC_PROFILE\0\1\1" + CANARY),
            segment(0xE7, CANARY),
            segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0" + CANARY),
        )
    )
    return content[:2] + foreign + content[2:] + b"PK\3\4" + CANARY


def chunk(kind: bytes, payload: bytes) -> bytes:
    """One chunk of a PNG."""
    body = kind + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))


def png(image: Image.Image | None = None, orientation: int = 1, **options: object) -> bytes:
    """A PNG with everything in it that identifies somebody."""
    with io.BytesIO() as file:
        (image or picture()).save(file, "PNG", exif=exif(orientation), **options)
        content = file.getvalue()
    header, rest = content[:33], content[33:]
    foreign = b"".join(
        (
            chunk(b"tEXt", b"Author\0" + CANARY),
            chunk(b"zTXt", b"Comment\0\0" + zlib.compress(CANARY)),
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + CANARY),
            chunk(b"tIME", struct.pack(">HBBBBB", 2026, 11, 20, 14, 3, 0)),
            chunk(b"iCCP", b"mine\0\0" + zlib.compress(CANARY)),
            chunk(b"prVt", CANARY),
        )
    )
    return header + foreign + rest + b"PK\3\4" + CANARY
