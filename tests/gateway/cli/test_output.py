"""What reaches a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.errors import Failure
from gateway.cli.output import Output, printable, size, table
from gateway.cli.texts import language


@given(st.text())
def test_nothing_that_steers_a_terminal_is_printed(text: str) -> None:
    shown = printable(text)

    assert all(sign.isprintable() or sign == "\n" for sign in shown)
    assert len(shown) == len(text)


def test_a_file_name_cannot_colour_a_refusal(capfd: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=False)

    out.say("\x1b[32maccepted\x1b[0m \N{RIGHT-TO-LEFT OVERRIDE}lts.x")
    out.answer([], table(["name"], [["[green]\x1b]0;title\x07[/]"]]))

    shown = capfd.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in shown
    assert "[green]" in shown  # as it stands, not as markup


def test_json_is_one_line_of_ascii(capfd: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).answer({"name": "Zoë\x1b\n"}, "")

    shown = capfd.readouterr().out
    assert shown.isascii()
    assert shown.count("\n") == 1
    assert json.loads(shown) == {"name": "Zoë\x1b\n"}


def test_a_program_reads_the_answer_alone(capfd: pytest.CaptureFixture[str]) -> None:
    out = Output(as_json=True)

    out.say("being checked")
    with out.bar("upper.stl", 10) as arrived:
        arrived(5)
    out.fail(Failure("usage", "Wrong.", "port"))

    shown = capfd.readouterr()
    assert shown.out == ""
    assert json.loads(shown.err) == {"code": "usage", "message": "Wrong.", "field": "port"}


def test_a_long_id_is_never_folded_in_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).answer([], table(["a", "b"], [["x" * 90, "y" * 90]]))

    assert "x" * 90 in capfd.readouterr().out


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**40, "5120.0 GiB")]
)
def test_sizes_are_for_people(count: int, shown: str) -> None:
    assert size(count) == shown


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LANG": "nl_NL.UTF-8"}, "nl"),
        ({"LANG": "nl_NL.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LC_MESSAGES": "nl_BE"}, "nl"),
        ({"LANG": ""}, "en"),
    ],
)
def test_the_language_is_that_of_the_environment(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert language() == expected
