"""A notice in words: nothing that the law asks for is left out, and what was typed is text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.exports import breach
from gateway.exports.breach import Breach, Figures, Words
from gateway.exports.words import Language
from gateway.incidents.notices import PARTS, Phase
from gateway.incidents.scope import Effect, Kind

AT = datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
FIGURES = Figures(
    subjects=2,
    files=3,
    cases=["case-one", "case-two"],
    kinds=[kind.value for kind in Kind],
    effects=[effect.value for effect in Effect],
    content=True,
    keys_exposed=False,
    complete=True,
    computed_at=AT,
)
NOTICE = Breach(
    incident_id="incident",
    practice="Practice <b>North</b>",
    version=2,
    phase="further",
    created_at=AT,
    aware_at=AT,
    figures=FIGURES,
    words={"en": Words("It <b>happened</b> & more\nand more", "Call us", None, "Shut out")},
    changed=["numbers"],
)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_every_part_that_the_law_asks_for_is_there(language: Language) -> None:
    names = [part.name for part in breach.sections(NOTICE, language)]

    assert set(PARTS) | {"numbers", "changed", "term"} == set(names)
    said = breach.text(NOTICE, language)
    for wanted in ("case-one", "case-two", "2026-11-23 09:05", "It <b>happened</b> & more", "GDPR"):
        assert wanted in said or (wanted == "GDPR" and "AVG" in said)


@pytest.mark.parametrize("language", ["en", "nl"])
@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_kind_and_effect_has_words(language: Language, phase: Phase) -> None:
    said = breach.text(replace(NOTICE, phase=phase.value), language)

    assert "{" not in said
    for name in (*Kind, *Effect):
        one = replace(FIGURES, kinds=[name] if name in list(Kind) else [], effects=[])
        assert breach.numbers(one, language)


def test_what_the_log_cannot_say_and_exposed_keys_are_said() -> None:
    plain = breach.numbers(FIGURES, "en")
    worse = replace(FIGURES, complete=False, keys_exposed=True, content=False)

    assert "No key that opens stored data was exposed." in plain
    assert "it may be more" not in plain
    said = breach.numbers(worse, "en")
    assert "it may be more" in said
    assert "keys that open stored data were exposed" in said
    assert "Nothing of the content was shown." in said


def test_the_pdf_takes_what_was_typed_for_text() -> None:
    hostile = Words("<para><img src='x'/></b>", "</font>", "&#0;", "<a href='javascript:1'>x")
    page = breach.page(replace(NOTICE, words={"nl": hostile}), "en")

    assert page.startswith(b"%PDF-")
    assert b"javascript" not in page
