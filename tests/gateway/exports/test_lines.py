"""JSON lines and CSV: every line is one event, and no cell does anything."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exports.entry import Entry, Export
from gateway.exports.lines import COLUMNS, Csv, JsonLines
from storage.accesslog.event import AccessEvent
from tests.gateway.exports.ground import entry


def written(export: Export, *entries: Entry) -> bytes:
    return export.begin() + b"".join(map(export.add, entries)) + export.end()


def cells(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_a_json_line_is_the_record_with_its_place() -> None:
    first, second = entry(1, "planner@lab.example"), entry(2)

    lines = [json.loads(line) for line in written(JsonLines(), first, second).splitlines()]

    assert [(line["index"], line["number"]) for line in lines] == [(11, 1), (12, 2)]
    assert lines[0]["user"].pop("email") == "planner@lab.example"
    assert AccessEvent.from_record(lines[0]) == first.event
    assert AccessEvent.from_record(lines[1]) == second.event


@given(st.text(st.characters(codec="utf-8")))
def test_no_text_of_an_event_makes_a_second_line(text: str) -> None:
    content = written(JsonLines(), entry(ground=text or "none", detail={"name": text}))

    assert content.isascii()
    assert content.count(b"\n") == 1
    assert not any(byte < 0x20 for byte in content[:-1])
    assert json.loads(content)["event"]["detail"] == {"name": text}


def test_a_csv_has_a_column_for_each_field_of_the_event() -> None:
    content = written(Csv(), entry(1, "planner@lab.example", detail={"bytes": 684}))
    names, values = cells(content)

    row = dict(zip(names, values, strict=True))
    assert tuple(names) == COLUMNS
    assert set(AccessEvent.__dataclass_fields__) <= set(names)
    assert row["at"] == "2026-03-01T08:00:01.250000Z"
    assert row["code"] == "file.download"
    assert row["email"] == "planner@lab.example"
    assert json.loads(row["detail"]) == {"bytes": 684}
    assert row["cause"] == ""
    assert content.endswith(b"\r\n")


@pytest.mark.parametrize("start", [*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_cell_that_a_spreadsheet_would_compute_is_text(start: str) -> None:
    formula = f"{start}HYPERLINK(A1)"

    _, values = cells(written(Csv(), entry(ground=formula)))

    assert values[COLUMNS.index("ground")] == f"'{formula}"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_no_text_leaves_its_cell(text: str) -> None:
    rows = cells(written(Csv(), entry(ground=text), entry(2)))

    assert [len(row) for row in rows] == [len(COLUMNS)] * 3
    assert rows[1][COLUMNS.index("ground")] in {text, f"'{text}"}
