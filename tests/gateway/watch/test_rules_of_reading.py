"""Rules about who reads and takes: each on its case, and on what only looks like it."""

from __future__ import annotations

from datetime import timedelta

from gateway.watch.engine import Engine
from gateway.watch.seen import Severity
from gateway.watch.thresholds import Thresholds
from tests.gateway.watch.scene import MONDAY, Scene

DENTIST, COLLEAGUE, MANAGER, PLANNER = "dentist:1", "dentist:2", "practice_manager:1", "planner:1"


def practice(days: int = 40) -> Scene:
    """A practice where each of two dentists has made and read a case a day."""
    scene = Scene()

    def daily(day: int) -> None:
        for who in (DENTIST, COLLEAGUE):
            scene.make(who, f"{who}/{day}")
            scene.read(who, f"{who}/{day}")
            scene.later(minutes=20)

    scene.live(days, daily)
    return scene


def look_up(scene: Scene, who: str, case: str) -> None:
    """Search for a patient by name, and read the case that was found."""
    cause = scene.event(who, "case.search", detail={"fields": ["name"]})
    detail = {"cases": [case]}
    scene.event(who, "case.search", stage="outcome", cause=cause.id, detail=detail)
    scene.read(who, case)
    scene.later(minutes=15)


def test_reading_cases_of_a_colleague_that_nobody_works_on_is_a_warning() -> None:
    scene = practice()
    scene.read(COLLEAGUE, f"{COLLEAGUE}/39")  # is there today
    for day in range(4):
        assert not scene.said
        scene.read(DENTIST, f"{COLLEAGUE}/{day}")

    assert scene.severity("no_relation") is Severity.WARNING


def test_the_same_case_again_is_no_second_one() -> None:
    scene = practice()
    scene.read(COLLEAGUE, f"{COLLEAGUE}/39")
    for _ in range(9):
        scene.read(DENTIST, f"{COLLEAGUE}/0")

    assert not scene.said


def test_some_holiday_cover_is_no_curiosity_and_twice_as_much_as_it_may_be_is() -> None:
    scene = practice()
    scene.later(days=3)  # the colleague is away
    for day in range(8):
        assert not scene.said
        scene.read(DENTIST, f"{COLLEAGUE}/{day}")
        scene.later(minutes=10)

    assert scene.severity("no_relation") is Severity.WARNING


def test_a_newcomer_takes_over_cases_without_a_word() -> None:
    scene = practice()
    for day in range(7):
        scene.read("dentist:new", f"{COLLEAGUE}/{day}")

    assert not scene.said


def test_looking_up_some_cases_is_work_and_many_are_not_of_who_never_does() -> None:
    scene = practice()
    scene.read(COLLEAGUE, f"{COLLEAGUE}/39")
    for day in range(8):
        assert not scene.said
        look_up(scene, DENTIST, f"{COLLEAGUE}/{day}")

    assert scene.severity("no_relation") is Severity.WARNING


def test_whoever_looks_patients_up_most_days_may_look_up_many() -> None:
    scene, desk = practice(), "dentist:desk"

    def answer(calls: int, first: int) -> None:
        scene.read(COLLEAGUE, f"{COLLEAGUE}/39")
        for number in range(calls):
            look_up(scene, desk, f"{COLLEAGUE}/{(first + number) % 35}")

    scene.live(35, lambda day: answer(3, 3 * day))
    answer(20, 0)

    assert not scene.said


def test_one_who_comes_to_the_same_case_day_after_day_is_a_warning() -> None:
    scene = practice()
    for _ in range(3):
        assert "drawn_to_case" not in scene.rules()
        look_up(scene, DENTIST, f"{COLLEAGUE}/7")
        scene.later(days=1)

    assert "drawn_to_case" in scene.rules()


def test_a_case_that_draws_people_who_have_nothing_to_do_with_it_is_a_warning() -> None:
    scene = practice()
    for who in (DENTIST, "dentist:3", "dentist:4"):
        scene.read(who, f"{COLLEAGUE}/7")
        scene.later(hours=3)

    assert "drawn_to_case" in scene.rules()


def test_one_look_at_an_old_case_is_nothing() -> None:
    scene = practice()
    scene.read(DENTIST, f"{COLLEAGUE}/7")

    assert not scene.said


def test_a_planner_who_takes_much_more_than_ever_is_high() -> None:
    scene = Scene()

    def daily(day: int) -> None:
        for number in range(2):
            scene.make(DENTIST, f"case-{day}-{number}")
            scene.assign(f"case-{day}-{number}", PLANNER)
            scene.take(PLANNER, f"case-{day}-{number}", ground="assignment:1")

    scene.live(40, daily)
    for day in range(30):
        scene.take(PLANNER, f"case-{day}-0", ground="assignment:1")
        scene.later(seconds=20)

    assert scene.severity("bulk_download") is Severity.HIGH


def test_a_mass_hand_over_is_no_bulk_download() -> None:
    scene = Scene()
    scene.live(40, lambda day: scene.take(PLANNER, f"old-{day}", ground="assignment:1"))
    for number in range(40):
        scene.make(DENTIST, f"case-{number}")
        scene.assign(f"case-{number}", PLANNER)
    for number in range(40):
        scene.take(PLANNER, f"case-{number}", ground="assignment:1")
        scene.later(seconds=30)

    assert not scene.said


def test_what_a_manager_does_every_month_is_a_habit() -> None:
    scene = Scene()
    for number in range(80):
        scene.make(MANAGER, f"case-{number}")
    for month in range(4):
        scene.at = MONDAY + timedelta(days=4 + 31 * month)
        for number in range(20 * month, 20 * month + 20):
            scene.take(MANAGER, f"case-{number}")
    high = [alert for alert in scene.said if alert.severity is Severity.HIGH]

    assert not high


def test_a_few_cases_a_day_for_weeks_are_seen() -> None:
    scene = practice(80)

    def daily(day: int) -> None:
        scene.read(COLLEAGUE, f"{COLLEAGUE}/79")
        for number in range(3):
            scene.take(DENTIST, f"{COLLEAGUE}/{day * 3 + number}")

    scene.live(10, daily)

    assert "slow_exfiltration" in scene.rules()
    assert "bulk_download" not in scene.rules()


def test_a_night_shift_is_its_own_habit_and_nobody_elses() -> None:
    night, day = Scene(at=MONDAY.replace(hour=1)), Scene()
    for scene, until in ((night, timedelta()), (day, timedelta(hours=16))):
        scene.make(DENTIST, "case-0")
        for _ in range(12):
            scene.read(DENTIST, "case-0")
            scene.later(days=1)
        for number in range(10):
            scene.make(DENTIST, f"case-{number}")
        scene.at += until
        for number in range(10):
            scene.read(DENTIST, f"case-{number}")

    assert not night.said
    assert day.rules() == {"out_of_hours"}


def test_searches_that_find_nobody_one_after_the_other_are_high() -> None:
    scene = Scene()
    for _ in range(12):
        scene.event(DENTIST, "case.search", detail={"fields": ["name", "birth_date"]})
        scene.later(seconds=40)

    assert scene.severity("search_oracle") is Severity.HIGH


def test_a_busy_desk_that_finds_its_patients_is_let_alone() -> None:
    scene = Scene()
    for number in range(29):
        cause = scene.event(DENTIST, "case.search", detail={"fields": ["name"]})
        if number % 4:  # one in four calls for the first time
            found = {"cases": [f"case-{number}"]}
            scene.event(DENTIST, "case.search", stage="outcome", cause=cause.id, detail=found)
        scene.later(minutes=10)

    assert not scene.said


def test_a_search_faster_than_anybody_types_is_a_warning_though_it_finds() -> None:
    scene = Scene()
    for number in range(12):
        cause = scene.event(DENTIST, "case.search", detail={"fields": ["name"]})
        found = {"cases": [f"case-{number}"]}
        scene.event(DENTIST, "case.search", stage="outcome", cause=cause.id, detail=found)
        scene.later(seconds=2)

    assert scene.severity("search_oracle") is Severity.WARNING


def test_one_emergency_is_a_notice_and_a_row_of_them_is_high() -> None:
    scene = Scene()
    expected = (Severity.NOTICE, Severity.WARNING, Severity.HIGH)
    for number, severity in enumerate(expected):
        target = {"object_type": "emergency", "object_id": f"emergency-{number}"}
        scene.act(PLANNER, "emergency.declare", f"case-{number}", **target)
        scene.read(PLANNER, f"case-{number}", ground=f"emergency:emergency-{number}")
        assert scene.severity("emergency") is severity
        scene.later(hours=5)


def test_an_emergency_that_nobody_reviewed_is_said_and_a_reviewed_one_is_not() -> None:
    scene = Scene()
    for number in range(2):
        target = {"object_type": "emergency", "object_id": f"emergency-{number}"}
        scene.act(PLANNER, "emergency.declare", f"case-{number}", **target)
    scene.later(hours=20)
    reviewed = {"object_type": "emergency", "object_id": "emergency-0"}
    scene.act("privacy_officer:1", "emergency.review", "case-0", **reviewed)
    scene.later(hours=60)
    scene.event(DENTIST, "case.list")

    unreviewed = [each for each in scene.said if each.rule == "emergency_unreviewed"]
    assert [each.subject.case_id for each in unreviewed] == ["case-1"]


def test_a_download_that_ends_after_the_review_opens_no_emergency_again() -> None:
    scene = Scene()
    target = {"object_type": "emergency", "object_id": "emergency-1"}
    file = {"object_type": "file", "object_id": "file-1", "ground": "emergency:emergency-1"}
    scene.act(PLANNER, "emergency.declare", "case-1", **target)
    begun = scene.event(PLANNER, "file.download", case_id="case-1", **file)
    scene.act("privacy_officer:1", "emergency.review", "case-1", **target)
    scene.event(PLANNER, "file.download", case_id="case-1", stage="outcome", cause=begun.id, **file)
    scene.later(hours=80)
    scene.event(DENTIST, "case.list")

    assert "emergency_unreviewed" not in scene.rules()


def test_a_review_that_was_refused_after_all_is_none() -> None:
    scene = Scene()
    target = {"object_type": "emergency", "object_id": "emergency-1"}
    scene.act(PLANNER, "emergency.declare", "case-1", **target)
    own = {**target, "detail": {"refusal": "forbidden"}}
    scene.act("privacy_officer:1", "emergency.review", "case-1", **own)
    scene.later(hours=80)
    scene.event(DENTIST, "case.list")

    assert "emergency_unreviewed" in scene.rules()


def test_a_canary_that_somebody_opens_is_high_and_its_officer_may() -> None:
    scene = Scene()
    scene.act("privacy_officer:1", "canary.make", controller_id=None, detail={"case": "case-1"})
    scene.read("privacy_officer:1", "case-1")
    assert not scene.said
    scene.read(DENTIST, "case-1")

    assert scene.severity("canary") is Severity.HIGH


def test_a_canary_of_years_ago_is_one_and_one_that_was_ended_is_none() -> None:
    scene = Scene(engine=Engine(Thresholds(), canaries={"case-1", "case-2"}))
    scene.act("privacy_officer:1", "canary.end", controller_id=None, detail={"case": "case-2"})
    scene.read(DENTIST, "case-2")
    assert not scene.said
    scene.read(DENTIST, "case-1")

    assert scene.severity("canary") is Severity.HIGH


def test_many_erasures_are_a_warning_and_very_many_are_high() -> None:
    scene = Scene()
    for number in range(60):
        assert scene.severity("erasures") is (None if number < 20 else Severity.WARNING)
        scene.event(DENTIST, "case.erase", case_id=f"case-{number}")

    assert scene.severity("erasures") is Severity.HIGH


def test_a_back_up_by_the_schedule_says_nothing_and_by_an_administrator_warns() -> None:
    scene = Scene()
    scene.act("system:backup", "backup.write")
    assert not scene.said
    scene.act("administrator:1", "backup.write")

    assert scene.severity("privileged_copy") is Severity.WARNING


def test_a_practice_that_reports_misuse_is_heard_at_once() -> None:
    scene = Scene()
    scene.event(MANAGER, "misuse.report", case_id="case-1")

    assert scene.severity("misuse_report") is Severity.HIGH
