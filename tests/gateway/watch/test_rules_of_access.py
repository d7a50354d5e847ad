"""Rules about who gets in, and who tries to: each on its case, and on what only looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.watch.seen import Severity
from tests.gateway.watch.scene import AWAY, CLINIC, HOME, Scene

DENTIST, PLANNER, ADMINISTRATOR = "dentist:1", "planner:1", "administrator:1"


def signed_in(scene: Scene, who: str, address: str = CLINIC) -> None:
    scene.act(who, "session.open", address=address)


def failed(scene: Scene, who: str, address: str = CLINIC) -> None:
    scene.event(who, "session.open", stage="refused", address=address)


def test_a_password_that_was_guessed_is_high_and_a_forgotten_one_is_not() -> None:
    guessed, forgotten = Scene(), Scene()
    for scene, address in ((guessed, AWAY), (forgotten, CLINIC)):
        signed_in(scene, DENTIST)
        scene.later(days=1)
        for _ in range(8):
            failed(scene, DENTIST, address)
            scene.later(seconds=20)
        signed_in(scene, DENTIST, address)

    assert guessed.severity("guessed_sign_in") is Severity.HIGH
    assert not forgotten.said


def test_stuffing_with_a_success_is_high_whichever_comes_first() -> None:
    for success_at in (0, 9):
        scene = Scene()
        for number in range(10):
            signed_in(scene, f"dentist:{number}")
        scene.later(days=1)
        for number in range(10):
            who = f"dentist:{number}"
            (signed_in if number == success_at else failed)(scene, who, AWAY)
            scene.later(seconds=3)

        assert scene.severity("stuffing") is Severity.HIGH


def test_a_clinic_whose_people_share_an_address_and_mistype_is_no_stuffing() -> None:
    scene = Scene()
    for number in range(12):
        signed_in(scene, f"dentist:{number}")
    scene.later(days=3)
    for number in range(12):
        failed(scene, f"dentist:{number}")
        signed_in(scene, f"dentist:{number}")
        scene.later(minutes=1)

    assert not scene.said


def test_stuffing_from_many_networks_is_seen_by_all_of_them_together() -> None:
    scene = Scene()
    for number in range(30):
        failed(scene, "nobody:", f"203.0.{number}.9")
        scene.later(seconds=30)

    assert scene.severity("stuffing") is Severity.WARNING


def unknown(scene: Scene, who: str, asked: str, **facts: Any) -> None:
    given = {"object_type": "case", "object_id": asked, "detail": {"refusal": "not_found"}}
    scene.event(who, "case.view", stage="refused", **{**given, **facts})


def test_ids_that_are_tried_one_after_the_other_are_high_at_the_sixth() -> None:
    scene = Scene()
    for number in range(6):
        assert not scene.said
        unknown(scene, DENTIST, f"guess-{number}")
        scene.later(seconds=10)

    assert scene.severity("enumeration") is Severity.HIGH


def test_ids_that_are_tried_slowly_are_seen_within_the_day() -> None:
    scene = Scene()
    for number in range(15):
        unknown(scene, DENTIST, f"guess-{number}")
        scene.later(minutes=40)

    assert "enumeration" in scene.rules()


def test_a_planner_whose_cases_were_handed_over_may_follow_old_links() -> None:
    scene = Scene()
    for number in range(10):
        scene.make(DENTIST, f"case-{number}")
        scene.assign(f"case-{number}", PLANNER)
    scene.later(days=2)
    for number in range(10):
        scene.act(PLANNER, "case.hand_over", f"case-{number}")
    for number in range(3):
        unknown(scene, PLANNER, f"case-{number}", case_id=f"case-{number}")

    assert scene.rules() == {"ended_assignment"}
    assert scene.severity("ended_assignment") is Severity.NOTICE


def test_a_planner_who_wants_back_what_was_taken_is_a_warning() -> None:
    scene = Scene()
    for number in range(6):
        scene.make(DENTIST, f"case-{number}")
        scene.assign(f"case-{number}", PLANNER)
    scene.later(days=2)
    for number in range(6):
        scene.act(PLANNER, "case.hand_over", f"case-{number}")
        unknown(scene, PLANNER, f"case-{number}", case_id=f"case-{number}")

    assert scene.severity("ended_assignment") is Severity.WARNING
    assert "enumeration" not in scene.rules()


def test_refusals_of_any_kind_in_a_burst_are_a_warning() -> None:
    scene = Scene()
    for _ in range(40):
        scene.event("nobody:", "session.use", stage="refused", address=AWAY)

    assert scene.severity("refused_burst") is Severity.WARNING


@pytest.mark.parametrize("code", ["session.open", "session.use"])
def test_a_disabled_account_that_is_tried_is_high(code: str) -> None:
    scene = Scene()
    signed_in(scene, DENTIST)
    account = {"object_type": "account", "object_id": DENTIST}
    scene.act("operator", "account.change", **account, detail={"disabled": True})
    assert not scene.said
    scene.event(DENTIST, code, stage="refused")

    assert scene.severity("shut_out_use") is Severity.HIGH


def test_an_account_that_was_enabled_again_is_let_alone() -> None:
    scene = Scene()
    for disabled in (True, False):
        account = {"object_type": "account", "object_id": DENTIST}
        scene.act("operator", "account.change", **account, detail={"disabled": disabled})
    signed_in(scene, DENTIST)

    assert not scene.said


def test_a_revoked_token_that_goes_on_is_seen_and_a_session_that_ran_out_is_not() -> None:
    scene = Scene()
    scene.act(DENTIST, "token.revoke", object_type="token", object_id="token-1")
    scene.event(DENTIST, "session.use", stage="refused")
    assert not scene.said
    for _ in range(3):
        scene.later(seconds=30)
        scene.event(DENTIST, "session.use", stage="refused")

    assert scene.rules() == {"shut_out_use"}


@pytest.mark.parametrize(
    ("ended", "severity"),
    [
        ("disabled", Severity.HIGH),
        ("revoked", Severity.HIGH),
        ("network", Severity.WARNING),
        ("over", None),
        ("what nobody knows yet", None),
    ],
)
def test_the_event_itself_may_say_why_a_session_or_token_was_refused(
    ended: str, severity: Severity | None
) -> None:
    scene = Scene()
    scene.event(DENTIST, "session.use", stage="refused", detail={"ended": ended})

    assert scene.severity("shut_out_use") is severity


def test_who_assigns_a_case_to_themself_and_reads_it_is_high() -> None:
    scene = Scene()
    scene.make(DENTIST, "case-1")
    scene.assign("case-1", "coordinator:1", by="coordinator:1")
    assert scene.severity("self_grant") is Severity.WARNING
    scene.read("coordinator:1", "case-1", ground="assignment:1")

    assert scene.severity("self_grant") is Severity.HIGH


def test_an_account_that_an_administrator_made_and_uses_at_their_own_place_is_high() -> None:
    scene = Scene()
    made = {"object_type": "account", "object_id": "planner:new", "address": HOME}
    scene.act(ADMINISTRATOR, "account.add", **made, detail={"role": "planner"})
    scene.later(minutes=5)
    scene.read("planner:new", "case-1", ground="assignment:1", address=HOME)

    assert scene.severity("self_grant") is Severity.HIGH


def test_a_dentist_whom_the_manager_added_in_the_same_clinic_may_read() -> None:
    scene = Scene()
    made = {"object_type": "account", "object_id": "dentist:new"}
    scene.act("practice_manager:1", "account.add", **made, detail={"role": "dentist"})
    signed_in(scene, "dentist:new")
    scene.read("dentist:new", "case-1")

    assert not scene.said


def test_an_account_that_somebody_else_reset_and_that_reads_elsewhere_is_high() -> None:
    scene = Scene()
    signed_in(scene, DENTIST)
    scene.act("operator", "account.change", object_type="account", object_id=DENTIST)
    scene.later(minutes=2)
    signed_in(scene, DENTIST, AWAY)
    scene.read(DENTIST, "case-1", address=AWAY)

    assert scene.severity("self_grant") is Severity.HIGH


def test_a_session_that_goes_on_elsewhere_while_its_owner_works_is_high() -> None:
    scene = Scene()
    signed_in(scene, DENTIST)
    scene.live(7, lambda _: scene.read(DENTIST, "case-0"))
    scene.read(DENTIST, "case-0")
    for number in range(3):
        scene.later(minutes=1)
        scene.take(DENTIST, f"case-{number}", address=AWAY)

    assert scene.severity("strange_place") is Severity.HIGH


def test_who_signs_in_at_home_for_the_first_time_may_work_there() -> None:
    scene = Scene()
    signed_in(scene, DENTIST)
    for number in range(5):
        scene.make(DENTIST, f"case-{number}")
    scene.live(7, lambda _: scene.read(DENTIST, "case-0"))
    signed_in(scene, DENTIST, HOME)
    for number in range(5):
        scene.take(DENTIST, f"case-{number}", address=HOME)

    assert not scene.said
