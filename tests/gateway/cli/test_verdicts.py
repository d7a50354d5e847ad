"""The words for what `kluis audit` finds."""

from __future__ import annotations

import pytest

from gateway.audit.findings import Finding, Lie
from gateway.cli.verdicts import LIES, say


@pytest.mark.parametrize("lie", Lie)
def test_every_lie_is_said_in_both_languages_with_what_it_concerns(
    lie: Lie, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = say(Finding(lie, 3, "SUBJECT"))
    monkeypatch.setenv("LANG", "nl_NL.UTF-8")
    dutch = say(Finding(lie, 3, "SUBJECT"))

    assert "SUBJECT" in english
    assert "SUBJECT" in dutch
    assert english != dutch


def test_there_are_words_for_every_lie_and_for_nothing_else() -> None:
    assert set(LIES) == set(Lie)
