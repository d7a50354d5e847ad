"""Chunked authenticated encryption of scans, photos and plans, with random access.

The wire format is Tink's streaming AEAD, template AES256_GCM_HKDF_1MB:

    header    40 (one byte: its own length) ‖ salt (32) ‖ nonce prefix (7)
    segment   AES-256-GCM ciphertext ‖ tag (16); 1 MiB each, the first shorter by the header,
              the last as long as it needs to be; nothing is one empty segment
    key       HKDF-SHA256(key, salt, info = context, 32 bytes), hence new for every stream
    nonce     prefix ‖ number of the segment (4 bytes, big-endian) ‖ 1 if last else 0

So segments cannot be swapped, dropped, repeated or appended unnoticed, and a blob moved to
another place does not open. A range read opens only the segments it touches: it proves those
bytes and their offset; that the file ends where it should is proven by its last segment.
The byte format is specified in docs/formats.md.
"""

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys.context import Context
from keys.errors import UnsealError
from keys.secret import KEY_SIZE, SecretKey

SEGMENT_SIZE = 1 << 20
"""Bytes of a full segment in the ciphertext, tag included (the first: header included too)."""
HEADER_SIZE = 40
TAG_SIZE = 16
MAX_SEGMENTS = 1 << 32

_SALT = slice(1, 33)
_PREFIX = slice(33, 40)

BytesLike = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Cut:
    """One segment that a range of plaintext touches."""

    number: int
    start: int
    """Offset of its first byte in the ciphertext."""
    stop: int
    """Offset behind its last byte in the ciphertext."""
    last: bool
    wanted: slice
    """The part of its plaintext that lies in the range."""


def segment_span(number: int) -> tuple[int, int]:
    """Return (start, stop) of segment `number` in the ciphertext, were it full."""
    if not 0 <= number < MAX_SEGMENTS:
        raise ValueError("a stream has at most 2^32 segments")
    start = number * SEGMENT_SIZE
    return max(start, HEADER_SIZE), start + SEGMENT_SIZE


def ciphertext_size(plaintext_size: int) -> int:
    """Return the bytes of the whole stream, header and tags included."""
    if plaintext_size < 0:
        raise ValueError("a size is not negative")
    return HEADER_SIZE + plaintext_size + TAG_SIZE * (_last(plaintext_size) + 1)


def plaintext_size(ciphertext_size: int) -> int:
    """Return the bytes of plaintext in a stream of this size.

    Raises:
        UnsealError: No stream has this size; the bytes were cut or something was added.
    """
    segments = -(-ciphertext_size // SEGMENT_SIZE)
    size = ciphertext_size - HEADER_SIZE - TAG_SIZE * segments
    if size < 0 or _last(size) + 1 != segments:
        raise UnsealError
    return size


def cut(start: int, stop: int, plaintext_size: int) -> list[Cut]:
    """Return the segments that plaintext [start, stop) touches, in order.

    An empty range touches none, but for the empty plaintext, whose one segment proves that
    it is empty.
    """
    if not 0 <= start <= stop <= plaintext_size:
        raise ValueError("a range lies within the plaintext")
    if start == stop and plaintext_size:
        return []
    end = ciphertext_size(plaintext_size)
    last = _last(plaintext_size)
    cuts = []
    for number in range(_holding(start), _last(stop) + 1):
        left, right = segment_span(number)
        before = max(0, number * (SEGMENT_SIZE - TAG_SIZE) - HEADER_SIZE)
        right = min(right, end)
        wanted = slice(max(start - before, 0), min(stop - before, right - left - TAG_SIZE))
        cuts.append(Cut(number, left, right, number == last, wanted))
    return cuts


def _holding(offset: int) -> int:
    # The header takes the place of as many bytes of plaintext in the first segment.
    return (offset + HEADER_SIZE) // (SEGMENT_SIZE - TAG_SIZE)


def _last(size: int) -> int:
    number = _holding(size - 1)
    segment_span(number)
    return number


class _Segments:
    """The key and nonces of one stream, from its header."""

    def __init__(self, key: SecretKey, context: Context, header: bytes) -> None:
        derived = HKDF(SHA256(), KEY_SIZE, header[_SALT], context.encode()).derive(key.reveal())
        self.cipher = AESGCM(derived)
        self._prefix = header[_PREFIX]

    def nonce(self, number: int, *, last: bool) -> bytes:
        return self._prefix + number.to_bytes(4, "big") + bytes([last])


class Sealer:
    """Seals one stream, segment by segment, from the first to the last.

    Write `header`, then what each `seal` returns. One sealer, one stream, one thread at a
    time; another one under the same key derives another segment key.
    """

    def __init__(self, key: SecretKey, context: Context) -> None:
        self.header = bytes([HEADER_SIZE]) + os.urandom(HEADER_SIZE - 1)
        self._segments = _Segments(key, context, self.header)
        self._next = 0
        self._ended = False

    @property
    def room(self) -> int:
        """Bytes of plaintext that the next segment takes."""
        start, stop = segment_span(self._next)
        return stop - start - TAG_SIZE

    def seal(self, plaintext: BytesLike, *, last: bool) -> bytes:
        """Return the next segment.

        Exactly `room` bytes, the last one anything from 1 to `room`; none at all only when
        the whole stream is empty. Anything else, and anything after the last, is a ValueError.
        """
        size, number = memoryview(plaintext).nbytes, self._next
        if self._ended:
            raise ValueError("the last segment was sealed")
        if not (size == self.room or (last and size < self.room and (size or not number))):
            raise ValueError("a segment is full, unless it is the last")
        # Before the cipher runs: whatever interrupts it, no nonce comes twice.
        self._next, self._ended = number + 1, last
        return self._segments.cipher.encrypt(
            self._segments.nonce(number, last=last), plaintext, None
        )


class Unsealer:
    """Opens the segments of one stream in any order, from any thread."""

    def __init__(self, key: SecretKey, context: Context, header: bytes) -> None:
        """Derive the stream's key.

        Raises:
            UnsealError: This is not a header.
        """
        if len(header) != HEADER_SIZE or header[0] != HEADER_SIZE:
            raise UnsealError
        self._segments = _Segments(key, context, header)

    def unseal(self, number: int, segment: BytesLike, *, last: bool) -> bytes:
        """Return the plaintext of segment `number`, from 0 to 2^32 - 1.

        Raises:
            UnsealError: Wrong key or context, altered, not this number, or not (or only) the last.
        """
        try:
            return self._segments.cipher.decrypt(
                self._segments.nonce(number, last=last), segment, None
            )
        except InvalidTag:
            raise UnsealError from None


def seal_bytes(key: SecretKey, plaintext: BytesLike, context: Context) -> bytes:
    """Return the whole stream of a plaintext that is in memory."""
    view = memoryview(plaintext).cast("B")
    sealer = Sealer(key, context)
    stream, start = [sealer.header], 0
    while True:
        stop = start + sealer.room
        last = stop >= len(view)
        stream.append(sealer.seal(view[start:stop], last=last))
        if last:
            return b"".join(stream)
        start = stop


def unseal_bytes(key: SecretKey, sealed: BytesLike, context: Context) -> bytes:
    """Return the plaintext of a stream that is in memory whole.

    Raises:
        UnsealError: Wrong key or context, or anything was altered, added or taken away.
    """
    view = memoryview(sealed).cast("B")
    size = plaintext_size(len(view))
    unsealer = Unsealer(key, context, bytes(view[:HEADER_SIZE]))
    return b"".join(
        unsealer.unseal(piece.number, view[piece.start : piece.stop], last=piece.last)
        for piece in cut(0, size, size)
    )
