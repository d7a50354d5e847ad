"""docs/policy.md says what the table says, in words that a lawyer reads."""

from __future__ import annotations

from pathlib import Path

from gateway.access.policy import POLICY, Action, Relation, Role
from gateway.access.policypage import LETTERS, document
from gateway.access.sentences import SENTENCES

PAGE = Path(__file__).parents[3] / "docs" / "policy.md"


def test_the_page_of_the_policy_is_what_the_table_says() -> None:
    assert PAGE.read_text("utf-8") == document()


def test_every_act_has_one_plain_sentence_in_each_language() -> None:
    assert set(SENTENCES) == set(Action)
    for sentence in SENTENCES.values():
        for words in (sentence.en, sentence.nl):
            assert words[0].isupper()
            assert words.endswith(".")
        assert sentence.en != sentence.nl


def test_every_cell_of_the_table_is_marked_on_the_page() -> None:
    marks = {relation: mark for relation, (mark, *_) in LETTERS.items()}
    assert set(marks) == set(Relation)
    rows = {
        line.split("`")[1]: [cell.split() for cell in line.split("|")[2 : 2 + len(Role)]]
        for line in document().partition("## What each")[0].splitlines()
        if line.startswith("| `")
    }
    for action, rule in POLICY.items():
        for role, cell in zip(Role, rows[action], strict=True):
            assert set(cell) == {marks[on] for who, on in rule.who if who is role}, action
