"""The words of a recovery key on a terminal: shown once, and asked for when they are needed."""

from __future__ import annotations

import io
import sys

import segno
import typer

from gateway.cli import texts
from gateway.cli.errors import UsageError
from gateway.cli.output import Output
from gateway.cli.texts import Words
from keys.recovery import RecoveryKey

COLUMNS = 4
_QUESTION = Words("Words of the recovery key", "Woorden van de herstelsleutel")
_NO_TERMINAL = Words(
    "No terminal to ask for the words of the recovery key: give --words-stdin.",
    "Geen terminal om de woorden van de herstelsleutel te vragen: geef --words-stdin.",
)


def show_words(out: Output, words: str) -> None:
    """Show them to a person, numbered and as a QR code; a program has them in its answer."""
    out.say(texts.RECOVERY.say())
    listed = words.split()
    rows = -(-len(listed) // COLUMNS)
    for row in range(rows):
        numbers = range(row, len(listed), rows)
        out.say("".join(f"{number + 1:4}. {listed[number]:10}" for number in numbers).rstrip())
    drawn = io.StringIO()
    segno.make(words, error="m", micro=False).terminal(drawn, compact=True)
    out.draw(drawn.getvalue())


def ask_words(*, from_stdin: bool) -> RecoveryKey:
    """Read the words from the next line of stdin, or ask for them without showing them.

    Raises:
        UsageError: There is no terminal.
        RecoveryWordsError: They are none.
    """
    if from_stdin:
        return RecoveryKey.from_words(sys.stdin.readline())
    if not sys.stdin.isatty():
        raise UsageError("words", _NO_TERMINAL)
    return RecoveryKey.from_words(typer.prompt(_QUESTION.say(), hide_input=True, err=True))
