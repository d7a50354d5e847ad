from __future__ import annotations

import random
import re
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inspection.photos import image
from gateway.inspection.photos.exif import Exif, orientation_alone, read_exif
from gateway.inspection.report import TEXTS, TEXTS_BYTES, Limits, PhotoReport, Result
from gateway.inspection.scrub import BASIC
from gateway.inspection.texts import Texts
from gateway.inspection.workers.pool import WorkerPool
from tests import scans
from tests.scans import chunk, segment

NAME = "Hendrika Vos-Brûlée 123456782"
LATIN, UTF8, WIDE = NAME.encode("latin-1"), NAME.encode(), NAME.encode("utf-16-le")


def inspected(content: bytes) -> Result:
    return image.inspect_photo(content, Limits())


PLAIN_JPEG, PLAIN_PNG = (inspected(content).clean for content in (scans.jpeg(), scans.png()))


def jpeg_with(*segments: bytes) -> bytes:
    return PLAIN_JPEG[:2] + b"".join(segments) + PLAIN_JPEG[2:]


def png_with(*chunks: bytes) -> bytes:
    return PLAIN_PNG[:33] + b"".join(chunks) + PLAIN_PNG[33:]


Entry = tuple[int, int, bytes]
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 129: 1}


def tiff(*entries: Entry, order: str = ">", after: bytes = b"", start: int = 8) -> bytes:
    """One directory, its values behind it, and what follows them; offsets from the beginning."""
    values = start + 2 + 12 * len(entries) + 4
    directory, body = struct.pack(order + "H", len(entries)), b""
    for tag, kind, value in entries:
        count = len(value) // WIDTHS[kind]
        directory += struct.pack(order + "HHI", tag, kind, count)
        if len(value) > 4:
            directory += struct.pack(order + "I", values + len(body))
            body += value
        else:
            directory += value.ljust(4, b"\0")
    mark = b"MM\0*" if order == ">" else b"II*\0"
    following = struct.pack(order + "I", values + len(body) if after else 0)
    head = mark + struct.pack(order + "I", 8) if start == 8 else b""
    return head + directory + following + body + after


def nested(pointer: int, *entries: Entry) -> bytes:
    """A directory within the first one."""
    outer = tiff((pointer, 4, struct.pack(">I", 26)))
    assert len(outer) == 26
    return outer + tiff(*entries, start=26)


BLOCKS = {
    "ascii": tiff((0x010E, 2, LATIN)),
    "ascii, Intel": tiff((0x010E, 2, LATIN), order="<"),
    "utf-8": tiff((0x013B, 129, UTF8)),
    "Windows title": tiff((0x9C9B, 1, WIDE + b"\0\0"), order="<"),
    "Windows author": tiff((0x9C9D, 1, WIDE)),
    "comment": nested(0x8769, (0x9286, 7, b"ASCII\0\0\0" + UTF8)),
    "comment, wide": nested(0x8769, (0x9286, 7, b"UNICODE\0" + NAME.encode("utf-16-be"))),
    "comment, Intel": tiff((0x9286, 7, b"UNICODE\0" + WIDE), order="<"),
    "owner": nested(0x8769, (0xA430, 2, UTF8)),
    "maker note": nested(0x8769, (0x927C, 7, b"\0\1\2\3" + UTF8 + b"\0\xff\0")),
    "place": nested(0x8825, (0x001C, 7, b"ASCII\0\0\0" + UTF8)),
    "interoperability": nested(0xA005, (0x0001, 2, UTF8)),
    "second directory": tiff(after=tiff((0x010E, 2, UTF8), start=14)),
    "not a block": b"\0\0\0\0" + UTF8,
}
JUMBF = b"JP\0\1\0\0\0\1\0\0\0\x99jumb\0\0\0\x1ejumdc2pa" + UTF8
CARRIERS = {
    **{
        f"Exif {name}": jpeg_with(segment(0xE1, b"Exif\0\0" + block))
        for name, block in BLOCKS.items()
    },
    **{f"eXIf {name}": png_with(chunk(b"eXIf", block)) for name, block in BLOCKS.items()},
    "COM": jpeg_with(segment(0xFE, UTF8)),
    "COM, older code": jpeg_with(segment(0xFE, LATIN)),
    "XMP": jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<dc:t>" + UTF8)),
    "extended XMP": jpeg_with(
        segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + UTF8)
    ),
    "IPTC": jpeg_with(
        segment(
            0xED,
            b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x40"
            b"\x1c\x02\x05\0\x02ab\x1c\x02\x78\0" + bytes((len(UTF8),)) + UTF8,
        )
    ),
    "C2PA": jpeg_with(segment(0xEB, JUMBF)),
    "a program's segment": jpeg_with(segment(0xE9, b"\1\2\3" + UTF8)),
    "thumbnail": jpeg_with(segment(0xE0, b"JFXX\0\x10" + UTF8)),
    "more pictures": jpeg_with(segment(0xE2, b"MPF\0" + UTF8)),
    "colour profile": jpeg_with(segment(0xE2, b"ICC_PROFILE\0\1\1desc\0\0" + UTF8)),
    "tables before the real one": jpeg_with(*[segment(0xDB, b"\0" + UTF8.ljust(64, b"\1"))] * 20),
    "a table for no component": jpeg_with(segment(0xDB, b"\3" + UTF8.ljust(64, b"\1"))),
    "behind the JPEG": PLAIN_JPEG + b"\0\0" + UTF8,
    "second picture": PLAIN_JPEG + PLAIN_JPEG[:2] + segment(0xFE, UTF8) + PLAIN_JPEG[2:],
    "tEXt": png_with(chunk(b"tEXt", b"Author\0" + LATIN)),
    "tEXt keyword": png_with(chunk(b"tEXt", LATIN + b"\0x")),
    "zTXt": png_with(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(LATIN))),
    "iTXt": png_with(chunk(b"iTXt", b"Title\0\0\0nl\0Titel\0" + UTF8)),
    "iTXt, compressed": png_with(chunk(b"iTXt", b"T\0\1\0nl\0T\0" + zlib.compress(UTF8))),
    "iTXt, translated": png_with(chunk(b"iTXt", b"T\0\0\0nl\0" + UTF8 + b"\0x")),
    "iCCP name": png_with(chunk(b"iCCP", LATIN + b"\0\0" + zlib.compress(b"x"))),
    "C2PA in PNG": png_with(chunk(b"caBX", JUMBF)),
    "a program's chunk": png_with(chunk(b"prVt", b"\0\0" + UTF8)),
    "behind the PNG": PLAIN_PNG + UTF8,
}


@pytest.mark.parametrize("name", CARRIERS)
def test_every_text_is_handed_on_and_taken_out(name: str) -> None:
    result = inspected(CARRIERS[name])
    assert NAME in " | ".join(result.texts)
    assert not any(form in result.clean for form in (UTF8, LATIN, WIDE, b"123456782"))
    assert NAME not in repr(result) + repr(result.report.to_json())


@pytest.mark.parametrize("name", ["tables before the real one", "a table for no component"])
def test_a_jpeg_without_the_tables_that_nobody_uses_is_as_it_was(name: str) -> None:
    assert inspected(CARRIERS[name]).clean == PLAIN_JPEG


async def test_a_confined_worker_hands_on_the_same_texts() -> None:
    names = ["eXIf comment, wide", "Exif Windows title", "COM, older code", "iTXt, compressed"]
    async with WorkerPool(1, 20.0) as pool:
        for name in names:
            answered = await pool.inspect("photo", CARRIERS[name], Limits())
            assert answered == inspected(CARRIERS[name])


def removed(content: bytes) -> tuple[str, ...]:
    report = inspected(content).report
    assert isinstance(report, PhotoReport)
    return report.removed


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("Exif maker note", ("exif", "maker_notes")),
        ("Exif place", ("exif", "gps")),
        ("Exif second directory", ("exif", "thumbnail")),
        ("eXIf maker note", ("exif", "maker_notes")),
        ("C2PA", ("provenance",)),
        ("C2PA in PNG", ("provenance",)),
        ("second picture", ("trailer",)),
        ("tables before the real one", ("application",)),
        ("a table for no component", ("application",)),
    ],
)
def test_the_report_names_the_kind_that_was_taken_out(name: str, kinds: tuple[str, ...]) -> None:
    assert removed(CARRIERS[name]) == kinds


def test_the_report_says_by_its_code_what_was_done() -> None:
    for content in (PLAIN_JPEG, CARRIERS["XMP"]):
        report = inspected(content).report
        assert isinstance(report, PhotoReport)
        assert report.scrubbed == BASIC
        assert report.to_json()["scrubbed"] == [
            {"code": "113100", "meaning": "Basic Application Confidentiality Profile"}
        ]


def test_a_photo_without_text_hands_on_none() -> None:
    assert inspected(PLAIN_JPEG).texts == inspected(PLAIN_PNG).texts == ()


def test_the_texts_of_one_file_are_bounded() -> None:
    many = jpeg_with(*(segment(0xFE, b"%d" % number) for number in range(3 * TEXTS)))
    long = jpeg_with(*(segment(0xFE, b"\xc3\xa9" * 30_000) for _ in range(9)))
    bomb = png_with(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"A" * 30_000_000)))
    for content in (many, long, bomb):
        texts = inspected(content).texts
        assert 0 < len(texts) <= TEXTS
        assert sum(len(text.encode()) for text in texts) <= TEXTS_BYTES


def test_one_long_text_leaves_room_for_the_next() -> None:
    content = jpeg_with(segment(0xFE, b"A" * 65_000), segment(0xFE, UTF8))
    assert NAME in inspected(content).texts


@pytest.mark.parametrize("order", ["<", ">"])
def test_directories_that_go_round_in_circles_end(order: str) -> None:
    itself = struct.pack(order + "I", 8)
    block = tiff((0x8769, 4, itself), (0x8825, 4, itself), (0xA005, 4, itself), order=order)
    exif = read_exif(block[:-4] + itself, Texts())
    assert exif == Exif(has_gps=True, has_thumbnail=True)


def test_a_block_of_directories_alone_costs_little() -> None:
    entry = struct.pack(">HHII", 0x010E, 2, 0x7FFF_FFFF, 8)
    block = b"MM\0*\0\0\0\x08\xff\xff" + entry * 65_535 + bytes(1 << 22)
    texts = Texts()
    read_exif(block, texts)
    assert sum(len(text.encode()) for text in texts.pieces) <= TEXTS_BYTES


def test_the_orientation_of_the_thumbnail_is_not_that_of_the_photo() -> None:
    turned = tiff((0x0112, 3, b"\0\6"), start=26)
    first = tiff((0x0112, 3, b"\0\3"), after=turned)
    assert read_exif(first, Texts()).orientation == 3
    assert read_exif(tiff(after=tiff((0x0112, 3, b"\0\6"), start=14)), Texts()).orientation == 1


@given(st.integers(1, 8))
def test_the_orientation_alone_is_read_back(orientation: int) -> None:
    texts = Texts()
    assert read_exif(orientation_alone(orientation), texts) == Exif(orientation)
    assert not texts.pieces


@given(st.sampled_from(sorted(BLOCKS)), st.data())
def test_a_damaged_block_is_read_as_far_as_it_goes(name: str, data: st.DataObject) -> None:
    block = bytearray(BLOCKS[name])
    for _ in range(data.draw(st.integers(1, 6))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    assert read_exif(bytes(block[: data.draw(st.integers(0, len(block)))]), Texts())


@given(st.binary(max_size=200), st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "latin-1"]))
def test_any_bytes_may_be_called_a_text(content: bytes, encoding: str) -> None:
    texts = Texts()
    texts.add(content, encoding)
    texts.add_readable(content)
    assert all(text.encode() for text in texts.pieces)


def test_a_piece_has_16_384_bytes() -> None:
    texts = Texts()
    texts.add(b"A" * 16_385)
    assert [len(piece) for piece in texts.pieces] == [16_384]


def test_of_what_decodes_to_nothing_262_144_bytes_are_decoded() -> None:
    for pieces, found in ((15, [NAME]), (16, [])):
        texts = Texts()
        for _ in range(pieces):
            texts.add(b"\xa0" * 16_384)
        texts.add(UTF8)
        assert texts.pieces == found
    texts = Texts(undecoded_bytes=4)
    texts.add(b"Jansen")
    assert texts.pieces == ["Jans"]


def test_a_mebibyte_of_unknown_bytes_is_searched_however_many_pieces_it_has() -> None:
    run = b"Jan de Vries"
    for over in (0, 1):
        texts = Texts()
        texts.add_readable(bytes(1 << 19))
        texts.add_readable(bytes((1 << 19) - len(run) + over) + run)
        assert texts.pieces == ([] if over else [run.decode()])


def test_as_many_texts_are_taken_as_an_answer_may_carry() -> None:
    texts = Texts()
    for _ in range(TEXTS + 1):
        texts.add_readable(b"Jan de Vries\0Jan de Vries\0")
    assert len(texts.pieces) == TEXTS
    assert texts.unread_bytes == (1 << 20) - 26 * (TEXTS + 1)
    full = Texts(left_bytes=0)
    full.add_readable(b"Jan de Vries")
    full.add(b"Jan de Vries")
    assert full.pieces == []


@pytest.mark.parametrize(("others", "taken"), [(4, True), (5, False)])
def test_a_quarter_of_a_text_may_be_other_signs(others: int, *, taken: bool) -> None:
    texts = Texts()
    texts.add_readable(b"J" * (16 - others) + b"%" * others)
    assert bool(texts.pieces) == taken


def test_what_was_met_is_in_no_repr_and_nothing_is_encoded_in_an_older_code() -> None:
    texts = Texts()
    texts.add(UTF8)
    assert NAME not in repr(texts)
    with pytest.raises(UnicodeEncodeError):
        "\ud800".encode("utf-8", "inspection.older_code")


def test_binary_rubbish_leaves_room_for_texts() -> None:
    texts = Texts()
    texts.add_readable(random.Random(7).randbytes(1 << 20))
    assert len(texts.pieces) < 10


@pytest.mark.parametrize(
    "text",
    [
        *("Jan de Vries", "<dc:title>Jan Jansen</dc:title>", "patient=Jansen;bsn=123456782"),
        *("1980-05-12 123456782", "Li, J. (12-05-1980)", "D:\\Scans\\Jansen\\upper_jaw.stl"),
    ],
)
def test_what_people_and_programs_write_is_met_among_binary_rubbish(text: str) -> None:
    texts = Texts()
    texts.add_readable(bytes(9) + text.encode() + b"\0\x0b")
    assert texts.pieces == [text]


def test_a_name_of_two_letters_is_hardly_ever_met_by_chance() -> None:
    rubbish, texts = random.Random(3), Texts()
    for _ in range(4):
        texts.unread_bytes = 1 << 20
        texts.add_readable(rubbish.randbytes(1 << 20))
    words = re.findall(r"(?<![^\W\d_])[A-Za-z]{2}(?![^\W\d_])", " ".join(texts.pieces))
    # Of 676 pairs of letters: one given name is met less than once in 250 megabytes.
    assert len(words) < 4 * 676 / 250


def test_what_decodes_to_nothing_is_not_decoded_for_ever() -> None:
    texts = Texts()
    for _ in range(10_000):
        texts.add(b"\xa0" * 16_384)
    assert texts.undecoded_bytes == 0
    assert texts.pieces == []
