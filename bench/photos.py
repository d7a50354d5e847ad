"""What a photo costs: taken apart by us, by piexif, and decoded and coded anew by Pillow.

    python -m bench.photos

One generated photo of 12 megapixels, as a phone would write it; medians of `_RUNS`. The work is not
the same: piexif takes Exif out of what stands in front of the picture and copies the rest unseen,
so it misses what stands between scans and behind the image. Ours reads to the end, which is what
its time goes into. Pillow encodes the pixels anew, with a loss; ours keeps them, and decodes once
to see that they can be shown.
"""

import io
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import piexif
from PIL import Image

from gateway.cli import sample
from gateway.inspection.photos import image, jpeg, sight
from gateway.inspection.report import Limits

_SIZE_PX = (4032, 3024)
_RUNS = 15
_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: medians in milliseconds, and how many times faster ours is."""

    what: str
    ours_ms: float
    peer: str
    peer_ms: float

    @property
    def factor(self) -> float:
        """Peer's time by ours."""
        return self.peer_ms / self.ours_ms


def rows() -> tuple[Row, ...]:
    """Measure all of it, one after the other."""
    content = _photo()
    strip = _median_ms(lambda: jpeg.strip(content, _LIMITS))
    checked = _median_ms(lambda: sight.decode(jpeg.strip(content, _LIMITS)))
    whole = _median_ms(lambda: image.inspect_photo(content, _LIMITS))
    re_encoded = _median_ms(lambda: _re_encoded(content))
    return (
        Row("JPEG strip", strip, "piexif", _median_ms(lambda: _without_exif(content))),
        Row("JPEG strip and decode check", checked, "Pillow re-encode", re_encoded),
        Row("JPEG inspection, findings and thumbnail", whole, "Pillow re-encode", re_encoded),
    )


def _photo() -> bytes:
    """The sample's drawing as a camera of 12 megapixels would see it, with Exif and a thumbnail."""
    with Image.open(io.BytesIO(sample.photo("front", seed=1))) as drawn:
        large = drawn.convert("RGB").resize(_SIZE_PX, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(1).normal(0.0, 4.0, (*reversed(_SIZE_PX), 1))
    pixels = np.clip(np.asarray(large) + grain, 0, 255).astype(np.uint8)
    with io.BytesIO() as small, io.BytesIO() as file:
        large.resize((160, 120)).save(small, "JPEG")
        tags = {"0th": {271: b"Sample", 272: b"Sample Camera 1"}, "thumbnail": small.getvalue()}
        Image.fromarray(pixels).save(file, "JPEG", quality=90, exif=piexif.dump(tags))
        return file.getvalue()


def _without_exif(content: bytes) -> bytes:
    with io.BytesIO() as file:
        piexif.remove(content, file)
        return file.getvalue()


def _re_encoded(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as decoded, io.BytesIO() as file:
        decoded.save(file, "JPEG", quality=90)
        return file.getvalue()


def _median_ms(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    print(f"{'':42}{'ours':>10}{'peer':>12}")  # noqa: T201
    for row in rows():
        print(  # noqa: T201
            f"{row.what:42}{row.ours_ms:8.2f}ms{row.peer_ms:10.2f}ms{row.factor:7.1f}x {row.peer}"
        )
