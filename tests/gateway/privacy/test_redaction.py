"""What is taken out of free text before a planner reads it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.privacy.redaction import MONTHS, Redacted, is_bsn, without_bsn, without_identity
from keys.pseudonym import normalise

NAME, BORN, NUMBER = "Wilhelmina van der Brück-Łys", date(2001, 2, 3), "PX-40917"
PLAIN = "crowding of the lower front, 3 mm; see tooth 11 and 2026-03-02"

digits = st.text("0123456789", min_size=8, max_size=8)


def clean(text: str) -> Redacted:
    return without_identity(text, NAME, BORN, NUMBER)


def passes_eleven(number: str) -> bool:
    """The test of eleven in its own words: 9a + 8b + ... + 2h - i, and not all zeros."""
    total = sum((9 - place) * int(digit) for place, digit in enumerate(number[:8]))
    return (total - int(number[8])) % 11 == 0 and int(number) > 0


@given(st.text("0123456789", min_size=9, max_size=9))
def test_a_bsn_is_nine_digits_that_pass_the_test_of_eleven(number: str) -> None:
    assert is_bsn(number) == passes_eleven(number)


@given(digits, st.sampled_from(["", ".", " ", "-"]))
def test_every_bsn_is_taken_out_however_it_is_grouped(first: str, gap: str) -> None:
    for number in (f"{first}{last}" for last in range(10)):
        spelled = f"{number[:4]}{gap}{number[4:6]}{gap}{number[6:]}"
        text = f"patient {spelled}, see above"
        found = without_bsn(text)

        assert found.removed == (("bsn",) if passes_eleven(number) else ())
        expected = "patient [bsn], see above" if passes_eleven(number) else text
        assert found.text == expected


@pytest.mark.parametrize("text", ["", "111222333444", "a1112223339", "1112-223333", "12345678"])
def test_other_digits_stay(text: str) -> None:
    if text == "a1112223339":
        assert without_bsn(text).removed == ()
    assert without_bsn(text).text == text


@pytest.mark.parametrize("text", ["BSN:111222333.", "bsn111222333", "(111.222.333)", "11122 2333"])
def test_a_bsn_is_found_beside_other_signs(text: str) -> None:
    assert "[bsn]" in without_bsn(text).text


@pytest.mark.parametrize(
    "spelled",
    [
        "3-2-2001",
        "03-02-2001",
        "3/2/2001",
        "03.02.2001",
        "3.2.01",
        "3-2-'01",
        "2001-02-03",
        "2001/2/3",
        "03022001",
        "20010203",
        "3 februari 2001",
        "3 feb. 2001",
        "3 Feb 2001",
        "03 FEBRUARI 2001",
        "3e februari 2001",
        "3-feb-2001",
        "3rd February 2001",
        "February 3, 2001",
        "feb 3rd, '01",
        "2/3/2001",
        "3 - 2 - 2001",
    ],
)
def test_a_birth_date_is_found_however_it_is_written(spelled: str) -> None:
    found = clean(f"born on {spelled}; {PLAIN}")

    assert found.text == f"born on [birth_date]; {PLAIN}"
    assert found.removed == ("birth_date",)


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.data())
def test_every_birth_date_is_found_in_every_month(born: date, data: st.DataObject) -> None:
    month = data.draw(st.sampled_from(MONTHS[born.month - 1]))
    spelled = data.draw(
        st.sampled_from(
            [
                f"{born.day} {month} {born.year}",
                f"{born:%d-%m-%Y}",
                f"{born:%Y-%m-%d}",
                f"{born.day}/{born.month}/{born:%y}",
                f"{month.title()} {born.day}, {born.year}",
            ]
        )
    )
    found = without_identity(f"x {spelled} y", "Q", born, "-")

    assert found.text == "x [birth_date] y"


@pytest.mark.parametrize("text", ["3-2-2011", "13-2-2001", "4 februari 2001", "2001", "februari"])
def test_other_dates_stay(text: str) -> None:
    assert clean(text) == Redacted(text, ())


@pytest.mark.parametrize(
    "text",
    [
        "Wilhelmina",
        "wilhelmina",
        "WILHELMINA",
        "Wilhelmina's",
        "Wilhelminas",
        "Bruck",
        "BRÜCK",
        "Bru\u0308ck",
        "Lys",
        "Łys",
        "Brück-Łys",
        "van der Brück-Łys",
        "Wilhelmina van der Brück",
    ],
)
def test_a_name_is_found_in_every_spelling_of_its_parts(text: str) -> None:
    found = clean(f"Dear {text}, thank you")

    assert found.removed == ("name",)
    left = normalise(found.text).split()
    assert not {"wilhelmina", "bruck", "lys"} & set(left)


@pytest.mark.parametrize(
    "text",
    [
        "WilhelminaBrück",
        "bruckwilhelmina",
        "WilhelminavanderBrückŁys",
        "vanderBrück",
        "upper_Brück",
    ],
)
def test_a_name_is_found_where_its_parts_run_together_as_in_file_names(text: str) -> None:
    found = clean(f"{text}_2026-03-02.stl")

    assert found.removed == ("name",)
    assert found.text.endswith("[name]_2026-03-02.stl")


@pytest.mark.parametrize("text", ["vander", "Wilhelminaatje", "Brückenbau", "w" * 9_000])
def test_a_word_that_is_not_whole_parts_of_the_name_stays(text: str) -> None:
    assert clean(text) == Redacted(text, ())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("scan_3_2_2001_upper", "birth_date"),
        ("20010203_upper", "birth_date"),
        ("PX_40917_upper", "number"),
        ("upper_111222333_2", "bsn"),
        ("upper_1112_22_333_x", "bsn"),
    ],
)
def test_an_underscore_is_a_gap_as_in_file_names(text: str, kind: str) -> None:
    found = clean(text)

    assert found.removed == (kind,)
    assert "upper" in found.text


def test_the_small_words_of_a_name_stay_where_they_are_ordinary_words() -> None:
    text = "de stand van de elementen, aan der kant in het front"

    assert clean(text) == Redacted(text, ())


@pytest.mark.parametrize(
    "text", ["PX-40917", "px40917", "PX 40917", "P.X.4.0.9.1.7", "PX/40917", "#PX-40917."]
)
def test_the_practices_own_number_is_found_with_and_without_its_signs(text: str) -> None:
    found = clean(f"file {text} of today")

    assert "[number]" in found.text
    assert found.removed == ("number",)


@pytest.mark.parametrize("text", ["PX-409170", "1PX-40917", "40917"])
def test_another_number_stays(text: str) -> None:
    assert clean(text) == Redacted(text, ())


def test_a_short_number_is_left_alone_because_teeth_have_numbers() -> None:
    text = "rotate 11 and 12"

    assert without_identity(text, "Q", BORN, "11") == Redacted(text, ())


@given(st.text(st.sampled_from("bcdfgqzxk jk.,;:\n-()"), max_size=200))
def test_text_without_identifiers_is_not_changed(text: str) -> None:
    assert clean(text) == Redacted(text, ())


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20), st.dates())
def test_whatever_comes_in_the_name_does_not_go_out(
    before: str, name: str, number: str, born: date
) -> None:
    text = f"{before} {name} {number} {born:%d-%m-%Y}"
    found = without_identity(text, name, born, number)

    again = without_identity(found.text, name, born, number)
    assert again.text == without_identity(again.text, name, born, number).text
    assert f"{born:%d-%m-%Y}" not in found.text.split()


def test_what_was_found_is_told_by_kind_alone() -> None:
    found = clean(f"{NAME} born 3-2-2001, {NUMBER}, bsn 111222333")

    assert found.removed == ("name", "birth_date", "number", "bsn")
    assert found.text.endswith("born [birth_date], [number], bsn [bsn]")


def test_a_name_under_a_heap_of_marks_is_found() -> None:
    heap = "\u0300" * 8_000 + "\u0316" * 8_000

    assert without_identity(f"W{heap}ilhelmina", "Wilhelmina", date(2001, 2, 3), "1").removed == (
        "name",
    )
