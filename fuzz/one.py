"""Fuzz one reader: `python -m fuzz.one READER CORPUS SECONDS SEED`.

A reader may accept or raise an `InspectionError`. Anything else is a finding, and so is an input
that takes more than a second of the processor or, for as short as it may be, 256 MB of memory.
Both are counted input by input: a machine that is busy elsewhere is no finding, and neither are the
fuzzer's own books, which grow as it goes on.
"""

import contextlib
import io
import os
import resource
import sys
import time
import zlib
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

SECONDS_PER_INPUT, KB_PER_INPUT = 1.0, 256 << 10
SECONDS_WAITED = 60  # for an input that does not end, on however slow a machine
MB_IN_ALL = 8192  # an input that takes memory without end must not take the machine
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


def _read_png(content: bytes) -> None:
    """With the checksums that the chunks should have: by chance they never do."""
    mended, position = bytearray(content), len(png.START)
    while True:
        end = position + 8 + int.from_bytes(mended[position : position + 4], "big")
        if end + 4 > len(mended):
            break
        mended[end : end + 4] = zlib.crc32(mended[position + 4 : end]).to_bytes(4, "big")
        position = end + 4
    png.strip(bytes(mended), LIMITS)


READERS: dict[str, Callable[[bytes], object]] = {
    "stl": _read_binary,
    "ascii": lambda content: ascii_stl.read_ascii(content, LIMITS),
    "ply": _read_ply,
    "obj": _read_obj,
    "jpeg": lambda content: jpeg.strip(content, LIMITS),
    "png": _read_png,
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


class TooDearError(Exception):
    """An input took more time or memory than any may."""


class Meter:
    """What one input after the other takes."""

    def __init__(self) -> None:
        self.peak = os.open("/proc/self/clear_refs", os.O_WRONLY)

    def begin(self) -> None:
        """Forget what was taken before."""
        os.write(self.peak, b"5")  # proc(5): the most memory that was held is counted anew
        self.kb, self.seconds = _held_kb(), time.process_time()

    def end(self) -> None:
        """Hold what was taken since then against the limits.

        Raises:
            TooDearError: It is more.
        """
        seconds, kb = time.process_time() - self.seconds, _held_kb() - self.kb
        if seconds > SECONDS_PER_INPUT or kb > KB_PER_INPUT:
            raise TooDearError(f"{seconds:.1f} s, {kb // 1024} MB")


def _held_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Fuzz until the time is over."""
    reader, corpus, seconds, seed = sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]
    read, meter = READERS[reader], Meter()
    for number, sown in enumerate(SEEDS[reader]()):
        (corpus / f"seed-{number}").write_bytes(sown)

    def try_one(content: bytes) -> None:
        meter.begin()
        with contextlib.suppress(InspectionError):
            read(content)
        meter.end()

    atheris.Setup(
        [
            reader,
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            f"-timeout={SECONDS_WAITED}",
            f"-rss_limit_mb={MB_IN_ALL}",
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
