"""docs/events.md says what the policy and the records say."""

from __future__ import annotations

from pathlib import Path

from gateway.access.catalogue import FIELDS, GROUNDS, document
from gateway.access.policy import POLICY, Action, Role
from storage.accesslog.event import _FIELDS

PAGE = Path(__file__).parents[3] / "docs" / "events.md"


def test_the_page_of_events_is_what_the_policy_says() -> None:
    assert PAGE.read_text("utf-8") == document()


def test_every_act_has_its_rule_and_its_row() -> None:
    assert set(POLICY) == set(Action)
    rows = [line for line in document().splitlines() if line.startswith("| `")]
    assert {action.value for action in Action} <= {row.split("`")[1] for row in rows}


def test_every_field_of_a_record_is_explained() -> None:
    explained = {name for names in FIELDS for name in names.split(", ")}

    assert {f"{group}.{name}" for group, name in _FIELDS.values()} <= explained


def test_every_kind_of_ground_is_explained() -> None:
    kinds = {name.partition(":")[0] for name in GROUNDS}

    assert kinds == {
        *("own_practice", "assignment", "own_assignments", "role", "none"),
        *("own_account", "emergency", "supervisor"),
    }
    assert Role.DENTIST in {role for role, _ in POLICY[Action.LOG_VIEW].who}
