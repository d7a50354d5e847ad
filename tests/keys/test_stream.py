"""The stream format: layout, both directions against the judge, refusals of the sealer."""

import io
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
import tink
from hypothesis import given
from hypothesis import strategies as st
from tink import secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2, tink_pb2

from keys import stream
from keys.context import Context, Purpose
from keys.errors import UnsealError
from keys.secret import SecretKey
from keys.stream import HEADER_SIZE, SEGMENT_SIZE, TAG_SIZE, Sealer, Unsealer

KEY = SecretKey(bytes(range(32)))
CONTEXT = Context(Purpose.FILE, "practice", "case", "file")
FIRST = SEGMENT_SIZE - HEADER_SIZE - TAG_SIZE
REST = SEGMENT_SIZE - TAG_SIZE
SIZES = [
    *(0, 1, FIRST - 1, FIRST, FIRST + 1),
    *(FIRST + REST - 1, FIRST + REST, FIRST + REST + 1, 3 * 2**20 + 7),
]
NOISE = os.urandom(max(SIZES))


class _Kept(io.BytesIO):
    """Stays readable after its writer closed it."""

    def close(self) -> None:
        pass


def judge(key: SecretKey) -> streaming_aead.StreamingAead:
    """Return the independent implementation, on the named template AES256_GCM_HKDF_1MB."""
    streaming_aead.register()
    template = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKeyFormat.FromString(
        streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB.value
    )
    theirs = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
        key_value=key.reveal(), params=template.params
    )
    entry = tink_pb2.Keyset.Key(
        key_data=tink_pb2.KeyData(
            type_url=streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB.type_url,
            value=theirs.SerializeToString(),
            key_material_type=tink_pb2.KeyData.SYMMETRIC,
        ),
        status=tink_pb2.ENABLED,
        key_id=1,
        output_prefix_type=tink_pb2.RAW,
    )
    assert template.params.hkdf_hash_type == common_pb2.SHA256
    keyset = tink_pb2.Keyset(primary_key_id=1, key=[entry])
    handle = tink.proto_keyset_format.parse(keyset.SerializeToString(), secret_key_access.TOKEN)
    return cast(streaming_aead.StreamingAead, handle.primitive(streaming_aead.StreamingAead))


@pytest.mark.parametrize("size", SIZES)
def test_tink_opens_what_we_seal(size: int) -> None:
    sealed = stream.seal_bytes(KEY, NOISE[:size], CONTEXT)
    with judge(KEY).new_decrypting_stream(io.BytesIO(sealed), CONTEXT.encode()) as opened:
        assert opened.read() == NOISE[:size]
    assert len(sealed) == stream.ciphertext_size(size)


@pytest.mark.parametrize("size", SIZES)
def test_we_open_what_tink_seals(size: int) -> None:
    kept = _Kept()
    with judge(KEY).new_encrypting_stream(kept, CONTEXT.encode()) as sealing:
        sealing.write(NOISE[:size])
    assert stream.unseal_bytes(KEY, kept.getvalue(), CONTEXT) == NOISE[:size]


def test_tink_refuses_our_stream_under_another_context() -> None:
    sealed = stream.seal_bytes(KEY, b"scan", CONTEXT)
    opened = judge(KEY).new_decrypting_stream(io.BytesIO(sealed), b"elsewhere")
    with pytest.raises(tink.TinkError), opened:
        opened.read()


def test_segments_open_in_any_order_and_from_many_threads() -> None:
    size = max(SIZES)
    sealed = stream.seal_bytes(KEY, NOISE, CONTEXT)
    unsealer = Unsealer(KEY, CONTEXT, sealed[:HEADER_SIZE])
    pieces = stream.cut(0, size, size)[::-1] * 8

    with ThreadPoolExecutor(4) as pool:
        opened = pool.map(
            lambda p: unsealer.unseal(p.number, sealed[p.start : p.stop], last=p.last), pieces
        )
        plain = dict(zip((piece.number for piece in pieces), opened, strict=True))

    assert b"".join(plain[number] for number in sorted(plain)) == NOISE


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_sealed_and_opened(kind: type) -> None:
    sealed = stream.seal_bytes(KEY, kind(b"scan"), CONTEXT)
    assert stream.unseal_bytes(KEY, kind(sealed), CONTEXT) == b"scan"


def test_two_streams_of_the_same_bytes_share_no_segment_key_and_no_nonce() -> None:
    headers = {Sealer(KEY, CONTEXT).header for _ in range(1000)}
    assert len({header[1:33] for header in headers}) == 1000
    assert len({header[33:] for header in headers}) == 1000


# Layout. Segments of 96 bytes let few bytes cross many borders.


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SEGMENT_SIZE", 96)


@given(st.data())
def test_a_cut_covers_exactly_its_range(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 1000))
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    plain = bytes(index % 251 for index in range(size))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "SEGMENT_SIZE", 96)
        sealed = stream.seal_bytes(KEY, plain, CONTEXT)
        unsealer = Unsealer(KEY, CONTEXT, sealed[:HEADER_SIZE])
        pieces = stream.cut(start, stop, size)
        opened = [
            unsealer.unseal(piece.number, sealed[piece.start : piece.stop], last=piece.last)
            for piece in pieces
        ]

    parts = [segment[piece.wanted] for segment, piece in zip(opened, pieces, strict=True)]
    assert b"".join(parts) == plain[start:stop]
    assert all(parts), "a segment of which nothing is wanted was read"


@given(st.integers(0, 2**42))
def test_sizes_agree_in_both_directions(size: int) -> None:
    assert stream.plaintext_size(stream.ciphertext_size(size)) == size


@given(st.integers(0, 2**42), st.integers(0, 2**42))
def test_cutting_a_large_file_is_arithmetic(size: int, start: int) -> None:
    start = min(start, size)
    stop = min(start + 3 * SEGMENT_SIZE, size)
    pieces = stream.cut(start, stop, size)
    assert sum(piece.wanted.stop - piece.wanted.start for piece in pieces) == stop - start
    assert all(piece.stop - piece.start <= SEGMENT_SIZE for piece in pieces)
    assert all(one.stop == other.start for one, other in itertools.pairwise(pieces))
    end = stream.ciphertext_size(size)
    assert all(piece.last == (piece.stop == end) for piece in pieces)


def test_a_size_that_no_stream_has_is_refused(small: None) -> None:
    possible = {stream.ciphertext_size(size) for size in range(1000)}
    for size in range(max(possible)):
        if size in possible:
            assert stream.ciphertext_size(stream.plaintext_size(size)) == size
        else:
            with pytest.raises(UnsealError):
                stream.plaintext_size(size)


def test_nothing_is_one_empty_segment_that_proves_it() -> None:
    [piece] = stream.cut(0, 0, 0)
    assert (piece.number, piece.start, piece.stop, piece.last) == (0, 40, 56, True)
    assert piece.wanted == slice(0, 0)
    assert stream.cut(3, 3, 5) == []


@pytest.mark.parametrize(("start", "stop", "size"), [(-1, 1, 5), (3, 2, 5), (0, 6, 5), (0, 0, -1)])
def test_a_range_outside_the_plaintext_is_refused(start: int, stop: int, size: int) -> None:
    with pytest.raises(ValueError, match="range"):
        stream.cut(start, stop, size)


def test_a_stream_has_at_most_2_to_the_32_segments() -> None:
    largest = FIRST + REST * (2**32 - 1)
    assert stream.ciphertext_size(largest) == 2**32 * SEGMENT_SIZE
    assert stream.segment_span(2**32 - 1)[1] == 2**32 * SEGMENT_SIZE
    for refused in (
        lambda: stream.ciphertext_size(largest + 1),
        lambda: stream.plaintext_size(2**32 * SEGMENT_SIZE + 17),
        lambda: stream.segment_span(2**32),
        lambda: stream.segment_span(-1),
    ):
        with pytest.raises(ValueError, match=r"at most 2\^32"):
            refused()


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        stream.ciphertext_size(-1)


# The sealer.


def test_a_segment_is_full_unless_it_is_the_last(small: None) -> None:
    sealer = Sealer(KEY, CONTEXT)
    assert sealer.room == 96 - 40 - 16
    for size, last in ((39, False), (41, False), (41, True), (0, False)):
        with pytest.raises(ValueError, match="full"):
            sealer.seal(bytes(size), last=last)
    sealer.seal(bytes(40), last=False)
    assert sealer.room == 96 - 16


def test_an_empty_segment_ends_nothing_but_the_empty_stream(small: None) -> None:
    sealer = Sealer(KEY, CONTEXT)
    sealer.seal(bytes(40), last=False)
    with pytest.raises(ValueError, match="full"):
        sealer.seal(b"", last=True)


def test_after_the_last_segment_nothing_is_sealed() -> None:
    sealer = Sealer(KEY, CONTEXT)
    sealer.seal(b"end", last=True)
    for last in (True, False):
        with pytest.raises(ValueError, match="last segment"):
            sealer.seal(b"more", last=last)


def test_a_refused_segment_spends_no_number(small: None) -> None:
    sealer = Sealer(KEY, CONTEXT)
    with pytest.raises(ValueError, match="full"):
        sealer.seal(b"short", last=False)
    segment = sealer.seal(b"whole", last=True)
    assert stream.unseal_bytes(KEY, sealer.header + segment, CONTEXT) == b"whole"


def test_a_cipher_that_fails_once_does_not_use_its_nonce_again(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def encrypt(self, *_: object) -> bytes:
            raise MemoryError

    sealer = Sealer(KEY, CONTEXT)
    with monkeypatch.context() as patch:
        patch.setattr(sealer._segments, "cipher", Broken())
        with pytest.raises(MemoryError):
            sealer.seal(bytes(40), last=False)

    later = sealer.seal(bytes(80), last=False)
    unsealer = Unsealer(KEY, CONTEXT, sealer.header)
    assert unsealer.unseal(1, later, last=False) == bytes(80)
    with pytest.raises(UnsealError):
        unsealer.unseal(0, later, last=False)
