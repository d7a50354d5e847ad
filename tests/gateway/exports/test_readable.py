"""The page for somebody who asks who used their file: HTML and PDF, English and Dutch."""

from __future__ import annotations

import base64
import re
import zlib
from datetime import date, timedelta, timezone
from html.parser import HTMLParser
from typing import Any

import pytest

from gateway.access.policy import Action, Role
from gateway.exports import words
from gateway.exports.entry import Entry, Export
from gateway.exports.page import Page
from gateway.exports.pdf import Pdf
from gateway.exports.readable import About
from gateway.exports.words import Language
from tests.gateway.exports.ground import AT, CASE, entry

AMSTERDAM = timezone(timedelta(hours=1))


def about(language: Language = "en", **changes: object) -> About:
    values: dict[str, object] = {
        "cases": (CASE,),
        "first": None,
        "last": None,
        "made_at": AT.astimezone(AMSTERDAM),
        "origin": "log.example/lab",
        "language": language,
    }
    return About(**(values | changes))  # type: ignore[arg-type]


class Reader(HTMLParser):
    """Reads a page as a person would: texts, and the cells of the table."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(content.decode())
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"th", "td"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in {"th", "td"}:
            self.rows[-1][-1] += data

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def written(export: Export, *entries: Entry) -> bytes:
    return export.begin() + b"".join(map(export.add, entries)) + export.end()


def shown_in(pdf: bytes) -> str:
    """The texts of a PDF that reportlab made."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    unpacked = b"".join(
        zlib.decompress(base64.a85decode(stream.strip().removesuffix(b"~>"))) for stream in streams
    )
    drawn = re.findall(rb"\(((?:\\.|[^()\\])*)\) Tj", unpacked.replace(b") Tj (", b""))
    return b" ".join(drawn).decode("latin-1").replace("\\(", "(").replace("\\)", ")")


def test_a_line_says_when_who_what_and_why_and_what_became_of_it() -> None:
    begun = entry(1, "planner@lab.example")
    ended = entry(2, stage="outcome", cause=begun.event.id, detail={"bytes": 684, "ended": True})

    page = Reader(written(Page(about()), begun, ended))

    assert page.rows == [
        ["When", "Who", "What", "Why", "Result", "Place in the log"],
        [
            "2026-03-01 09:00:01+01:00",
            "planner at the laboratory: planner@lab.example",
            "took out a file (file-3)",
            "was assigned to this treatment",
            "allowed; done, 684 bytes",
            "11, 12",
        ],
    ]


def test_the_same_line_in_dutch() -> None:
    page = Reader(written(Page(about("nl")), entry()))

    assert page.rows[1] == [
        "2026-03-01 09:00:01+01:00",
        "planner bij het laboratorium: account-1",
        "haalde een bestand op (file-3)",
        "was toegewezen aan deze behandeling",
        "toegestaan",
        "11",
    ]
    assert page.attributes("html") == [{"lang": "nl"}]


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"stage": "refused", "detail": {"refusal": "not_found"}}, "REFUSED (not_found)"),
        ({"stage": "outcome", "detail": {"bytes": 9, "ended": False}}, "broken off, 9 bytes"),
        ({"stage": "outcome", "detail": {"refusal": "case_frozen"}}, "REFUSED (case_frozen)"),
        ({"stage": "outcome"}, "done"),
    ],
)
def test_a_refusal_and_a_break_are_shown_as_such(changes: dict[str, Any], result: str) -> None:
    page = Reader(written(Page(about()), entry(**changes)))

    assert page.rows[1][4] == result


def test_what_others_typed_is_text_on_the_page() -> None:
    hostile = "<script>alert(1)</script>&\"'"

    page = Reader(written(Page(about(origin=hostile)), entry(1, hostile, code=hostile)))

    assert "script" not in page.tags()
    assert page.rows[1][1].endswith(hostile)
    assert page.rows[1][2].startswith(hostile)


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    page = Reader(written(Page(about()), entry()))

    assert page.tags() & {"script", "link", "img", "iframe", "form", "object", "a"} == set()
    assert {
        "http-equiv": "Content-Security-Policy",
        "content": "default-src 'none'; style-src 'unsafe-inline'",
    } in page.attributes("meta")


def test_the_page_can_be_read_by_ear_and_without_a_mouse() -> None:
    page = Reader(written(Page(about()), entry(), entry(2)))

    assert page.attributes("html") == [{"lang": "en"}]
    assert len(page.attributes("h1")) == len(page.attributes("main")) == 1
    assert len(page.attributes("title")) == len(page.attributes("caption")) == 1
    scopes = [attributes["scope"] for attributes in page.attributes("th")]
    assert scopes == ["col"] * 6 + ["row"] * 2
    assert {
        "class": "lines",
        "role": "region",
        "aria-label": "Who used this file, when, and why",
        "tabindex": "0",
    } in page.attributes("div")


def test_a_page_without_lines_says_so() -> None:
    content = written(Page(about("nl"))).decode()

    assert words.NONE.nl in content
    assert "<table>" not in content


@pytest.mark.parametrize(
    ("first", "last", "period"),
    [
        (None, None, "van het begin tot nu"),
        (date(2026, 1, 2), None, "van 2026-01-02 tot nu"),
        (None, date(2026, 3, 4), "van het begin tot en met 2026-03-04"),
        (date(2026, 1, 2), date(2026, 3, 4), "van 2026-01-02 tot en met 2026-03-04"),
    ],
)
def test_the_page_says_what_it_is_about(first: date | None, last: date | None, period: str) -> None:
    facts = about("nl", first=first, last=last).facts()

    assert [value for _, value in facts] == [
        f"Casus {CASE}",
        period,
        "2026-03-01 09:00:00+01:00",
        "log.example/lab",
    ]


def test_the_pdf_says_the_same_in_print() -> None:
    hostile = "<b>bold</b>"
    content = written(Pdf(about("nl")), entry(1, "planner@lab.example"), entry(2, code=hostile))

    shown = shown_in(content)
    assert content.startswith(b"%PDF-")
    assert b"/Lang (nl)" in content
    for text in ("planner@lab.example", "haalde een bestand op", "toegestaan", "2026-03-01"):
        assert text in shown
    assert hostile in shown


def test_a_pdf_of_a_thousand_lines_repeats_its_head() -> None:
    content = written(Pdf(about()), *(entry(number) for number in range(1, 1001)))

    assert shown_in(content).count("Place in the log") > 20


def test_a_pdf_without_lines_says_so() -> None:
    assert words.NONE.en in shown_in(written(Pdf(about())))


def test_every_act_and_every_role_has_its_words() -> None:
    assert {action.value for action in Action} <= set(words.ACTS)
    assert {role.value for role in Role} == set(words.ROLES)


def test_an_act_of_a_later_version_is_shown_by_its_code() -> None:
    page = Reader(written(Page(about()), entry(code="x.y", actor_role="z", ground="later:1")))

    assert page.rows[1][1:4] == ["z: account-1", "x.y (file-3)", "later:1"]
