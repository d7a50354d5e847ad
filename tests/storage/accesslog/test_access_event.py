"""What an event is, and what it refuses to be."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from storage.accesslog.event import AccessEvent, numbered
from tests.storage.accesslog.log_ground import event

ids = st.none() | st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=40)
whole_numbers = st.integers(-(2**53) + 1, 2**53 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    at=st.datetimes(timezones=st.just(UTC)),
    controller_id=ids,
    case_id=ids,
    address=st.none() | texts,
    cause=ids,
    object_type=st.none() | texts,
    detail=st.dictionaries(texts, texts | whole_numbers | st.booleans() | st.lists(texts)),
)
def test_an_event_comes_back_from_its_record_as_it_was(**changes: object) -> None:
    original = event(1, **changes)  # type: ignore[arg-type]

    record = original.to_record()
    assert AccessEvent.from_record(record) == original
    assert rfc8785.dumps(record)
    assert None not in [value for group in record.values() for value in group.values()]


@given(
    number=st.integers(1, 2**53 - 1),
    actor_id=texts,
    request_id=texts | st.just('},"object":{'),
    object_type=st.none() | texts,
    detail=st.dictionaries(
        st.text(string.printable) | st.sampled_from(['},"object":{', "object"]),
        texts | whole_numbers | st.booleans() | st.lists(texts),
    ),
)
def test_the_committed_text_is_rfc_8785_canonical_json(number: int, **changes: object) -> None:
    original = event(1, **changes)  # type: ignore[arg-type]

    text = original.canonical()

    assert text.encode() == rfc8785.dumps(original.to_record())
    committed = numbered(text, number)
    assert committed.encode() == rfc8785.dumps(original.to_record() | {"number": number})
    assert json.loads(committed)["number"] == number


@pytest.mark.parametrize(
    "detail", [{"x": 1.5}, {"x": 2**53}, {"é": 1}, {"x": ["\ud800"]}, {"x": [1]}, {"x": {}}]
)
def test_what_has_no_one_text_is_not_committed_to(detail: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"canonical form|surrogates"):
        event(1, detail=detail).canonical()


def test_the_record_groups_the_fields_of_nen_7513() -> None:
    record = event(1, object_type="file", object_id="file-1", detail={"bytes": 3}).to_record()

    assert record == {
        "event": {
            "id": "event-00000001",
            "at": "2026-03-01T08:00:01.000000Z",
            "code": "case.view",
            "action": "R",
            "stage": "authorised",
            "request_id": "request-1",
            "detail": {"bytes": 3},
        },
        "user": {"id": "account-1", "role": "dentist", "access_point": "api"},
        "object": {
            "authorisation": "own_practice",
            "controller_id": "practice-1",
            "case_id": "case-1",
            "type": "file",
            "id": "file-1",
        },
        "source": {"id": "node-1"},
    }


def test_a_time_of_another_zone_is_kept_as_the_same_moment_in_utc() -> None:
    summer = datetime(2026, 7, 1, 10, 0, tzinfo=timezone(timedelta(hours=2)))

    record = event(1, at=summer).to_record()

    assert record["event"]["at"] == "2026-07-01T08:00:00.000000Z"
    assert AccessEvent.from_record(record).at == summer


@pytest.mark.parametrize(
    "changes",
    [
        {"at": datetime(2026, 3, 1)},  # noqa: DTZ001
        {"case_id": "a\x00b"},
        {"case_id": ""},
        {"case_id": "x" * 129},
        {"controller_id": "\ud800"},
        {"id": "../../x"},
        {"action": "X"},
        {"stage": "done"},
        {"access_point": "phone"},
    ],
)
def test_what_would_fail_or_confuse_the_log_is_no_event(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^(the time of|id|controller_id|case_id|an event has)"):
        event(1, **changes)  # type: ignore[arg-type]
