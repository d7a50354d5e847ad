"""The words of the recovery key: shown to a person once, asked for without being shown."""

from __future__ import annotations

import io

import pytest

from gateway.cli.errors import UsageError
from gateway.cli.output import Output
from gateway.cli.words import ask_words, show_words
from keys.errors import RecoveryWordsError
from keys.recovery import RecoveryKey

KEY = RecoveryKey.generate()


def test_they_are_numbered_and_can_be_read_down_the_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_words(Output(as_json=False), KEY.words)

    shown = capsys.readouterr().out
    words = KEY.words.split()
    first = next(line for line in shown.splitlines() if line.startswith("   1."))
    assert first.split() == ["1.", words[0], "7.", words[6], "13.", words[12], "19.", words[18]]
    pairs = [line.split() for line in shown.splitlines() if line[:5].strip().endswith(".")]
    numbered = {row[at]: row[at + 1] for row in pairs for at in range(0, len(row), 2)}
    assert numbered == {f"{number}.": word for number, word in enumerate(words, 1)}


def test_a_program_gets_them_in_its_answer_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show_words(Output(as_json=True), KEY.words)

    assert capsys.readouterr().out == ""


def test_they_are_read_from_stdin_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY.words}\nanother line\n"))
    assert ask_words(from_stdin=True).secret == KEY.secret

    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    with pytest.raises(RecoveryWordsError):
        ask_words(from_stdin=True)


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(KEY.words))

    with pytest.raises(UsageError):
        ask_words(from_stdin=False)
