from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from gateway.inspection.errors import InspectionError
from gateway.inspection.photos import colour, jpeg
from gateway.inspection.photos.exif import orientation_alone
from gateway.inspection.photos.photo import Photo
from gateway.inspection.report import Limits
from tests.scans import CANARY, segment

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = Limits()
CODED = b"\x12\xff\0\x34"


def frame(
    kind: int = 0xC0, *, bits: int = 8, height: int = 16, width: int = 24, components: int = 1
) -> bytes:
    sides = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    of_each = b"".join(bytes((number, 0x11, 0)) for number in range(components))
    return segment(kind, bytes((bits,)) + sides + bytes((components,)) + of_each)


SCAN = segment(0xDA, b"\1\1\0\0\x3f\0")


def file(*parts: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(parts) + b"\xff\xd9"


def stripped(*parts: bytes) -> Photo:
    return jpeg.strip(file(*parts), LIMITS)


def refusal(*parts: bytes) -> InspectionError:
    with pytest.raises(InspectionError) as caught:
        stripped(*parts)
    return caught.value


def quantiser(number: int, text: bytes = b"", *, wide: int = 0) -> bytes:
    return bytes((wide << 4 | number,)) + text.ljust(64 * (1 + wide), b"\1")


def huffman(number: int, values: bytes) -> bytes:
    return bytes((number, 0, len(values))) + bytes(14) + values


def test_tables_frames_and_scans_are_kept_byte_for_byte() -> None:
    codes = segment(0xC4, huffman(0, b"\0\1\2") + huffman(0x10, b"\0\x11"))
    tables = segment(0xDB, quantiser(0)), codes, segment(0xDD, b"\0\4")
    whole = (*tables, frame(), SCAN, CODED, codes, segment(0xDB, quantiser(0, wide=1)), SCAN, CODED)
    photo = stripped(*whole)
    assert photo.clean == file(*whole)
    assert (photo.width_px, photo.height_px, photo.removed) == (24, 16, set())


TOLD = [b"Hendrika Vos, told in table %02d" % at for at in range(20)]


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    ("marker", "table"),
    [(0xDB, partial(quantiser, 0)), (0xC4, partial(huffman, 0)), (0xC4, partial(huffman, 0x10))],
)
def test_of_tables_for_one_slot_the_last_is_kept_and_the_others_are_searched(
    marker: int, table: Callable[[bytes], bytes], *, at_once: bool
) -> None:
    told, used = [table(text) for text in TOLD], table(b"\1\2")
    if at_once:
        sent = [segment(marker, b"".join((*told, used)))]
    else:
        sent = [segment(marker, one) for one in (*told, used)]
    photo = stripped(*sent, frame(), SCAN, CODED)
    assert photo.clean == file(segment(marker, used), frame(), SCAN, CODED)
    assert photo.removed == {"application"}
    assert photo.texts.pieces == [text.decode() for text in TOLD]


@pytest.mark.parametrize(
    ("marker", "unused"),
    [
        *((0xDB, quantiser(number, TOLD[0])) for number in (1, 2, 3)),
        *((0xC4, huffman(number, TOLD[0])) for number in (1, 2, 3, 0x11, 0x12, 0x13)),
    ],
)
def test_a_table_that_no_scan_names_goes(marker: int, unused: bytes) -> None:
    used = {0xDB: quantiser(0), 0xC4: huffman(0, b"\1")}[marker]
    for sent in (unused + used, used + unused):
        photo = stripped(segment(marker, sent), frame(), SCAN, CODED)
        assert photo.clean == file(segment(marker, used), frame(), SCAN, CODED)
        assert photo.removed == {"application"}
        assert photo.texts.pieces == [TOLD[0].decode()]


@pytest.mark.parametrize("table", [segment(0xDB, quantiser(0)), segment(0xC4, huffman(0, b"\1"))])
def test_a_table_behind_the_last_scan_goes(table: bytes) -> None:
    photo = stripped(table, frame(), SCAN, CODED, table)
    assert (photo.clean, photo.removed) == (file(table, frame(), SCAN, CODED), {"application"})


def test_a_table_waits_for_the_scan_that_names_it() -> None:
    tables = segment(0xC4, huffman(1, b"\1") + huffman(0x12, b"\2"))
    later = segment(0xDA, b"\1\1\x12\0\x3f\0")
    photo = stripped(tables, frame(), SCAN, CODED, later, CODED)
    assert photo.clean == file(tables, frame(), SCAN, CODED, later, CODED)
    assert photo.removed == set()


def test_the_tables_of_every_component_are_kept() -> None:
    quantisers = segment(0xDB, b"".join(map(quantiser, range(3))))
    codes = segment(
        0xC4, b"".join(huffman(number, b"\1") for number in (0, 1, 2, 0x11, 0x12, 0x13))
    )
    three = segment(0xC0, b"\x08\0\x10\0\x18\3" + b"\1\x11\0\2\x11\1\3\x11\2")
    scan = segment(0xDA, b"\3" + b"\1\1\2\x12\3\x23" + b"\0\x3f\0")
    photo = stripped(quantisers, codes, three, scan, CODED)
    assert photo.clean == file(quantisers, codes, three, scan, CODED)
    assert photo.removed == set()


@pytest.mark.parametrize(
    "wrong",
    [
        segment(0xDB, quantiser(0)[:-1]),
        segment(0xDB, quantiser(0) + b"\0"),
        segment(0xDB, quantiser(0, wide=1)[:-1]),
        segment(0xDB, quantiser(0, wide=2)),
        segment(0xDB, quantiser(4)),
        segment(0xC4, huffman(0, b"\1")[:-1]),
        segment(0xC4, huffman(0, b"\1") + b"\0"),
        segment(0xC4, huffman(0, b"")[:-1]),
        segment(0xC4, huffman(4, b"\1")),
        segment(0xC4, huffman(0x14, b"\1")),
        segment(0xC4, huffman(0x20, b"\1")),
        segment(0xC4, b"\0\0\xff\2" + bytes(13) + bytes(257)),
    ],
)
def test_a_table_that_breaks_the_rules_is_refused(wrong: bytes) -> None:
    assert refusal(frame(), wrong, SCAN, CODED).reason == "structure"


@pytest.mark.parametrize("kind", [0xC0, 0xC1, 0xC2])
@pytest.mark.parametrize("components", [1, 3, 4])
def test_what_browsers_show_is_taken(kind: int, components: int) -> None:
    assert stripped(frame(kind, components=components), SCAN, CODED).width_px == 24


@pytest.mark.parametrize(
    "kind", [0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF], ids=hex
)
def test_another_coding_is_named(kind: int) -> None:
    assert refusal(frame(kind), SCAN, CODED).reason == "coding"


@pytest.mark.parametrize("kind", [1, 0xC8, 0xCC, 0xD0, 0xD7, 0xD8, 0xDC, 0xDE, 0xDF], ids=hex)
def test_a_marker_that_has_no_place_there_is_refused(kind: int) -> None:
    assert refusal(frame(), segment(kind, b"\0\x20"), SCAN, CODED).reason == "structure"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (frame(bits=12), "coding"),
        (frame(height=0), "coding"),  # told behind the first scan, by DNL
        (frame(components=2), "coding"),
        (frame(components=0), "coding"),
        (frame(width=0), "structure"),
        (segment(0xC0, frame()[4:] + b"\0"), "structure"),
        (segment(0xC0, frame()[4:-1]), "structure"),
        (segment(0xC0, frame()[4:9]), "structure"),
        (frame() + frame(), "structure"),
        (b"", "structure"),
    ],
)
def test_a_frame_that_breaks_the_rules_is_refused(wrong: bytes, reason: str) -> None:
    assert refusal(wrong, SCAN, CODED).reason == reason


def test_a_photo_needs_a_scan_and_each_marker_its_first_byte() -> None:
    assert refusal(frame()).reason == "structure"
    assert refusal(frame()[1:], SCAN, CODED).numbers == {"offset": 2}


def test_1_024_tables_are_the_most() -> None:
    table = segment(0xDB, quantiser(0))
    assert stripped(table * 1024, frame(), SCAN, CODED).removed == {"application"}
    assert refusal(table * 1025, frame(), SCAN, CODED).reason == "structure"


def test_64_scans_are_the_most() -> None:
    assert stripped(frame(), (SCAN + CODED) * 64).clean
    assert refusal(frame(), (SCAN + CODED) * 65).reason == "structure"


def test_a_segment_may_be_empty_but_not_less() -> None:
    photo = stripped(segment(0xFE, b""), frame(), SCAN, CODED)
    assert (photo.removed, photo.clean) == ({"comment"}, file(frame(), SCAN, CODED))
    for length in (b"\0\0", b"\0\1"):
        assert refusal(b"\xff\xfe" + length, frame(), SCAN, CODED).reason == "structure"


@pytest.mark.parametrize("padding", [1, 2, 3])
def test_padding_behind_a_scan_is_left_out(padding: int) -> None:
    coded = CODED + b"\xff" * padding
    assert stripped(frame(), SCAN, coded, SCAN, coded).clean == file(
        frame(), SCAN, CODED, SCAN, CODED
    )


@pytest.mark.parametrize("behind", [b"", b"\0", b"\0\0"])
def test_only_ff_and_a_marker_end_a_scan(behind: bytes) -> None:
    assert refusal(frame(), SCAN, b"\x12\xff\1" + behind + b"\x34").reason in {
        *("structure", "cut_short"),
    }
    restarts = b"".join(b"\x12\xff" + bytes((marker,)) for marker in range(0xD0, 0xD8))
    assert stripped(frame(), SCAN, restarts + CODED).clean == file(frame(), SCAN, restarts + CODED)


@pytest.mark.parametrize("transform", [0, 1, 2])
def test_of_an_adobe_segment_the_transform_alone_is_kept(transform: int) -> None:
    sent = b"Adobe" + b"\0\x65\x80\0\0\0" + bytes((transform,))
    ours = segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes((transform,)))
    for behind in (b"", CANARY):
        photo = stripped(segment(0xEE, sent + behind), frame(), SCAN, CODED)
        assert photo.clean == file(ours, frame(), SCAN, CODED)
        assert photo.removed == set()


@pytest.mark.parametrize(
    ("marker", "payload"),
    [(0xEE, b"Adobe" + bytes(6)), (0xED, b"Adobe" + bytes(7)), (0xEF, b"Adobe" + bytes(7))],
)
def test_what_is_no_adobe_segment_goes_altogether(marker: int, payload: bytes) -> None:
    photo = stripped(segment(marker, payload), frame(), SCAN, CODED)
    assert (photo.clean, photo.removed) == (file(frame(), SCAN, CODED), {"application"})


def test_a_thumbnail_in_jfif_is_left_out_and_said() -> None:
    alone = b"JFIF\0\1\1\0\0\1\0\1\0\0"
    for sent, removed in ((alone, set()), (alone[:-2] + b"\1\1rgb", {"thumbnail"})):
        photo = stripped(segment(0xE0, sent), frame(), SCAN, CODED)
        assert (photo.clean, photo.removed) == (
            file(segment(0xE0, alone), frame(), SCAN, CODED),
            removed,
        )


def test_every_record_of_iptc_is_searched_up_to_500() -> None:
    def texts(records: int) -> list[str]:
        body = b"".join(b"\x1c\2\x19\0\3%03d" % at for at in range(records))
        sent = segment(0xED, b"Photoshop 3.0\0" + body)
        return stripped(sent, frame(), SCAN, CODED).texts.pieces

    assert texts(3) == ["000", "001", "002"]
    assert len(texts(500)) == len(texts(600)) == 500


def test_what_is_cut_short_says_how_long_it_is() -> None:
    whole = file(segment(0xFE, CANARY), frame(), SCAN, CODED)
    for end in range(2, len(whole)):
        with pytest.raises(InspectionError) as caught:
            jpeg.strip(whole[:end], LIMITS)
        assert (caught.value.reason, caught.value.numbers) == ("cut_short", {"actual_bytes": end})


P3 = colour.profile("display_p3")


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_profile_is_put_together_and_written_anew(pieces: int) -> None:
    step = -(-len(P3) // pieces)
    sent = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes((at + 1, pieces)) + P3[at * step :][:step])
        for at in range(pieces)
    ]
    photo = stripped(*sent, frame(), SCAN, CODED)
    ours = segment(0xE2, b"ICC_PROFILE\0\1\1" + P3)
    assert (photo.clean, photo.removed) == (file(ours, frame(), SCAN, CODED), set())
    other = stripped(*(one.replace(b"ICC_", b"ICX_") for one in sent), frame(), SCAN, CODED)
    assert (other.clean, other.removed) == (file(frame(), SCAN, CODED), {"application"})
    elsewhere = stripped(*(b"\xff\xe3" + one[2:] for one in sent), frame(), SCAN, CODED)
    assert (elsewhere.clean, elsewhere.space) == (file(frame(), SCAN, CODED), "srgb")


@pytest.mark.parametrize("orientation", [1, 6])
def test_of_exif_the_orientation_alone_is_kept(orientation: int) -> None:
    sent = segment(0xE1, b"Exif\0\0" + orientation_alone(orientation))
    photo = stripped(sent, frame(), SCAN, CODED)
    kept = [sent] if orientation != 1 else []
    assert (photo.clean, photo.removed) == (file(*kept, frame(), SCAN, CODED), {"exif"})
    other = stripped(b"\xff\xe3" + sent[2:], frame(), SCAN, CODED)
    assert (other.clean, other.removed) == (file(frame(), SCAN, CODED), {"application"})


@pytest.mark.parametrize("block_bytes", [*range(1, 9), 1 << 18])
def test_where_a_scan_ends_is_seen_in_blocks_of_any_size(
    block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jpeg, "_BLOCK_BYTES", block_bytes)
    for coded in (b"\x12\x34", CODED, b"", b"\xff\0" * 5, b"\1\xff\xd3\2"):
        for before in (b"", b"\x11"):
            scan = SCAN + before + coded
            assert stripped(frame(), scan, scan).clean == file(frame(), scan, scan)


def test_16_384_segments_are_the_most() -> None:
    empty = segment(0xFE, b"")
    assert stripped(empty * 16_381, frame(), SCAN, CODED).removed == {"comment"}
    assert refusal(empty * 16_382, frame(), SCAN, CODED).reason == "structure"


def test_a_size_is_read_in_two_bytes() -> None:
    photo = stripped(frame(width=0x0203, height=0x0405), SCAN, CODED)
    assert (photo.width_px, photo.height_px) == (0x0203, 0x0405)
