"""Ages, and values that stay silent."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.privacy.patients import Brief, Patient, Wanted


def age(born: str, on: str) -> int:
    return Patient("x", date.fromisoformat(born), "1").age_years(date.fromisoformat(on))


@pytest.mark.parametrize(
    ("born", "on", "years"),
    [
        ("2010-06-15", "2010-06-15", 0),
        ("2010-06-15", "2026-06-14", 15),
        ("2010-06-15", "2026-06-15", 16),
        ("2010-06-15", "2026-06-16", 16),
        ("2010-12-31", "2027-01-01", 16),
        ("2008-02-29", "2025-02-28", 16),
        ("2008-02-29", "2025-03-01", 17),
        ("2008-02-29", "2024-02-28", 15),
        ("2008-02-29", "2024-02-29", 16),
        ("1900-01-01", "2026-01-01", 126),
    ],
)
def test_an_age_counts_the_birthdays_that_have_been(born: str, on: str, years: int) -> None:
    assert age(born, on) == years


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 40_000))
def test_an_age_never_falls_and_grows_by_one_a_year(born: date, days: int) -> None:
    patient, on = Patient("x", born, "1"), born + timedelta(days)

    today, tomorrow = patient.age_years(on), patient.age_years(on + timedelta(1))
    assert 0 <= tomorrow - today <= 1
    assert abs(today - days / 365.2425) <= 1


@given(st.text(), st.dates(), st.text())
def test_an_identity_comes_out_of_its_bytes_as_it_went_in(name: str, born: date, no: str) -> None:
    patient = Patient(name, born, no)

    assert Patient.from_bytes(patient.to_bytes()) == patient


@given(st.integers(0, 130), st.text())
def test_a_brief_comes_out_of_its_bytes_as_it_went_in(years: int, notes: str) -> None:
    assert Brief.from_bytes(Brief(years, notes).to_bytes()) == Brief(years, notes)


def test_a_patient_is_silent_when_printed() -> None:
    born = date(2001, 2, 3)
    for value in (Patient("Wilhelmina", born, "PX-1"), Wanted("Wilhelmina", born, "PX-1")):
        assert not [word for word in ("Wilhelmina", "2001", "PX-1") if word in repr(value)]
    assert "secret" not in repr(Brief(9, "secret"))
