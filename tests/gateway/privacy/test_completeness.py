"""Which files a treatment asks for, and how a file finds its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.privacy.completeness import (
    EXPECTED,
    SLOTS,
    WORDS,
    Place,
    Slot,
    Treatment,
    guess,
    missing,
)
from storage.files import File
from tests.storage.first_rows import NOW

FILE = File("file", "case", "practice", "scan", "accepted", "account", NOW, 1)


@pytest.mark.parametrize(
    ("kind", "name", "slot"),
    [
        ("scan", "upper.stl", Slot.UPPER),
        ("scan", "UpperJawScan.stl", Slot.UPPER),
        ("scan", "2026-11-22_LOWER_export 3.ply", Slot.LOWER),
        ("scan", "bovenkaak.stl", Slot.UPPER),
        ("scan", "case12-mandibular.obj", Slot.LOWER),
        ("scan", "beet1.stl", Slot.BITE),
        ("scan", "scan UK.stl", Slot.LOWER),
        ("photo", "upper.jpg", Slot.UPPER_OCCLUSAL),
        ("photo", "IMG_0012 links.heic", Slot.LEFT),
        ("photo", "Smile.JPG", Slot.SMILE),
    ],
)
def test_a_file_whose_name_says_what_it_shows_finds_its_place(
    kind: str, name: str, slot: Slot
) -> None:
    assert guess(kind, name) is slot


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("scan", "scan.stl"),
        ("scan", "upper and lower.stl"),
        ("scan", "OK.stl"),  # lower in Dutch, upper in German
        ("scan", "supper.stl"),
        ("photo", "smile front.jpg"),
        ("photo", "IMG_0012.jpg"),
        ("plan", "upper.pdf"),
        ("scan", ""),
    ],
)
def test_a_name_that_says_nothing_or_too_much_is_not_guessed_from(kind: str, name: str) -> None:
    assert guess(kind, name) is None


@given(st.sampled_from(sorted(SLOTS)), st.text(max_size=300))
def test_whatever_the_name_a_guess_is_a_slot_of_its_kind(kind: str, name: str) -> None:
    slot = guess(kind, name)

    assert slot is None or slot in SLOTS[kind]


def test_every_place_that_a_treatment_asks_for_can_be_filled_and_is_said_in_words() -> None:
    assert set(EXPECTED) == set(Treatment)
    assert set(WORDS) == set(Slot)
    for places in EXPECTED.values():
        assert len(set(places)) == len(places)
        assert all(place.slot in SLOTS[place.kind] for place in places)


def test_only_an_accepted_file_of_the_right_kind_and_slot_fills_a_place() -> None:
    upper, lower = Place("scan", Slot.UPPER), Place("scan", Slot.LOWER)
    wrong = [
        replace(FILE, slot="upper", state="refused"),
        replace(FILE, slot="upper", state="received"),
        replace(FILE, slot="upper", kind="photo"),
        replace(FILE, slot="other"),
        replace(FILE, slot=None),
    ]

    assert missing(Treatment.RETAINER, wrong) == (upper, lower)
    assert missing(Treatment.RETAINER, [*wrong, replace(FILE, slot="upper")]) == (lower,)
    both = [replace(FILE, slot="lower"), replace(FILE, slot="upper")]
    assert missing(Treatment.RETAINER, both) == ()
    assert missing(Treatment.OTHER, []) == ()
