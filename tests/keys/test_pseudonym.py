import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.pseudonym import blind_index, new_pseudonym, normalise
from keys.secret import SecretKey

KEY = SecretKey(bytes(range(32)))


def test_a_pseudonym_is_sixty_random_bits_in_letters_that_are_not_misread() -> None:
    drawn = [new_pseudonym() for _ in range(2000)]
    assert all(
        re.fullmatch(r"(?:[0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}", p) for p in drawn
    )
    assert len(set(drawn)) == len(drawn)
    for place in (0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13):
        assert len({pseudonym[place] for pseudonym in drawn}) == 32


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("  VAN DER  Brück-Łys ", "van der bruck lys"),
        ("van der bruck lys", "van der bruck lys"),
        ("Müller", "muller"),
        ("Mu\u0308ller", "muller"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("O\u2019Brien", "o brien"),
        ("O'Brien", "o brien"),
        ("\u0132sbrand", "ijsbrand"),
        ("\u0130nci I\u015f\u0131k", "inci isik"),
        ("Sørensen Æ Œ", "sorensen ae oe"),
        ("\uff11\uff12\u2013\uff13", "12 3"),
        ("P-0012/345", "p 0012 345"),
        ("2014-03-09", "2014 03 09"),
        ("\u5c71\u7530 \u592a\u90ce", "\u5c71\u7530 \u592a\u90ce"),
        ("\t\u00a0a\u200b", "a"),
        ("...", ""),
    ],
)
def test_an_identifier_is_compared_in_one_form(written: str, compared: str) -> None:
    assert normalise(written) == compared


@given(st.text())
def test_the_form_of_the_form_is_the_form(value: str) -> None:
    assert normalise(normalise(value)) == normalise(value)


def test_a_patient_is_found_back_however_the_name_is_typed() -> None:
    one = blind_index(KEY, "name", "Zoë  van Dijk-Şahin")
    assert blind_index(KEY, "name", "ZOE VAN DIJK SAHIN") == one
    assert len(one) == 32


def test_an_index_is_of_one_field_value_and_controller() -> None:
    indexes = {
        blind_index(KEY, "name", "1980 01 02"),
        blind_index(KEY, "birth_date", "1980-01-02"),
        blind_index(KEY, "birth_date", "1980-01-20"),
        blind_index(SecretKey.generate(), "birth_date", "1980-01-02"),
        blind_index(KEY, "a", "b c"),
        blind_index(KEY, "a b", "c"),
    }
    assert len(indexes) == 6


@pytest.mark.parametrize(("field", "value"), [("name", ""), ("name", " -.' "), ("na\nme", "x")])
def test_what_would_make_different_patients_one_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValueError, match="blind index"):
        blind_index(KEY, field, value)
