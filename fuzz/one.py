"""Fuzz one reader: `python -m fuzz.one READER CORPUS SECONDS`.

A reader may accept or raise an `InspectionError`. Anything else is a finding, and so is an input
that takes more than a second or makes the process 256 MB larger than it began.
"""

import io
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import atheris
import pillow_heif

with atheris.instrument_imports(include=["gateway.inspection"]):
    from gateway.inspection.errors import InspectionError
    from gateway.inspection.photos import heic, jpeg, png
    from gateway.inspection.report import Limits
    from gateway.inspection.scans import ascii_stl, obj, ply, ply_header, stl
    from gateway.inspection.scans.mesh import check_coordinates

from PIL import Image

from tests.gateway.inspection.writers import obj as write_obj
from tests.gateway.inspection.writers import ply as write_ply
from tests.scans import ascii_stl as write_ascii
from tests.scans import binary_stl, cube
from tests.scans import jpeg as write_jpeg
from tests.scans import png as write_png

MB_IN_ALL = 1024  # an input may take 256; the fuzzer's own books grow as it goes on
LONGEST_INPUT = 1 << 16
LIMITS = Limits()


def _read_binary(content: bytes) -> None:
    if stl.is_binary(content):
        check_coordinates(stl.read_binary(content, LIMITS), LIMITS.coordinate_mm)
    else:
        raise stl.damage(content, LIMITS)


def _read_ply(content: bytes) -> None:
    if ply_header.START.match(content):
        check_coordinates(ply.read_ply(content, LIMITS), LIMITS.coordinate_mm)


def _read_obj(content: bytes) -> None:
    if obj.START.match(content):
        check_coordinates(obj.read_obj(content, LIMITS), LIMITS.coordinate_mm)


READERS: dict[str, Callable[[bytes], object]] = {
    "stl": _read_binary,
    "ascii": lambda content: ascii_stl.read_ascii(content, LIMITS),
    "ply": _read_ply,
    "obj": _read_obj,
    "jpeg": lambda content: jpeg.strip(content, LIMITS),
    "png": lambda content: png.strip(content, LIMITS),
    "heic": lambda content: heic.convert(content, LIMITS),
}


def _heic() -> bytes:
    with io.BytesIO() as file:
        pillow_heif.from_pillow(Image.new("RGB", (64, 64), "pink")).save(file)
        return file.getvalue()


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "stl": lambda: [binary_stl(cube()[:2])],
    "ascii": lambda: [write_ascii(cube()[:2]), b"solid\nendsolid\n"],
    "ply": lambda: [write_ply(cube()[:2], order) for order in ("<", ">", "")],
    "obj": lambda: [write_obj(cube()[:2]), b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1/1/1 2//1 -1\n"],
    "jpeg": lambda: [write_jpeg()],
    "png": lambda: [write_png()],
    "heic": lambda: [_heic()],
}


def main() -> None:
    """Fuzz until the time is over."""
    reader, corpus = sys.argv[1], Path(sys.argv[2])
    seconds, seconds_per_input, seed = map(int, sys.argv[3:])
    read = READERS[reader]
    for number, sown in enumerate(SEEDS[reader]()):
        (corpus / f"seed-{number}").write_bytes(sown)

    def try_one(content: bytes) -> None:
        try:
            read(content)
        except InspectionError:
            return

    begun_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    atheris.Setup(
        [
            reader,
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            f"-timeout={seconds_per_input}",
            f"-rss_limit_mb={begun_mb + MB_IN_ALL}",
            f"-max_len={LONGEST_INPUT}",
            f"-artifact_prefix={corpus}/found-",
            "-print_final_stats=1",
            str(corpus),
        ],
        try_one,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
