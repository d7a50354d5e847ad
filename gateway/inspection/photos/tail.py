"""What stands behind the last block of a JPEG, in front of its end marker, and codes nothing.

Decoders pass over it, so it survives a walk from marker to marker. Where the last block ends only a
decoder knows: ours is given the file in pieces, and how many it took until it had every pixel is
the length that is kept. It looks ahead by up to eight bytes, so as many may stay.

A photo in several scans (progressive) is read to its end marker before there is a pixel, and what
stands in front of a restart marker is passed over inside the decoder: neither is found here.
"""

import io

from PIL import Image

from gateway.inspection.photos.photo import Photo

END = b"\xff\xd9"
_LOOKAHEAD = 8  # bytes


class Source(io.BytesIO):
    """A file for a decoder that takes what comes.

    Attributes:
        slow_from: From there on each byte is given alone; how far `tell` says.
    """

    slow_from: int | None = None

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes, perhaps fewer than asked for."""
        if self.slow_from is None:
            return super().read(size)
        at_once = max(1, self.slow_from - self.tell())
        return super().read(at_once if size is None or size < 0 else min(size, at_once))


def cut_tail(photo: Photo, given_bytes: int, piece_bytes: int) -> None:
    """Cut off what a decoder does not need.

    Args:
        photo: A clean JPEG; changed.
        given_bytes: What the decoder had been given of it when it had every pixel.
        piece_bytes: The size of the pieces it was given it in.
    """
    end = len(photo.clean) - len(END)
    if given_bytes > end:
        return
    source = Source(photo.clean)
    with Image.open(source, formats=["JPEG"]) as picture:
        picture.draft(None, (1, 1))
        source.slow_from = max(0, given_bytes - piece_bytes)
        picture.load()
    needed = source.tell()
    if needed < end:
        photo.removed.add("trailer")
        photo.texts.add_readable(photo.clean[needed - _LOOKAHEAD : end])
        photo.clean = photo.clean[:needed] + END
