"""How answers reach the terminal: JSON for programs, sentences and tables for people.

Names of files and people come from others. What is not printable is replaced before it is shown,
so that none of them can move the cursor, colour a refusal green or turn a line around. JSON is
written in ASCII for the same reason.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from rich import box
from rich.console import Console
from rich.table import Table

from gateway.cli.texts import ERROR, FIELD

if TYPE_CHECKING:
    from gateway.cli.errors import Failure

KiB = 1024
UNFOLDED = 1000  # characters


def printable(text: object) -> str:
    """The text with whatever could steer a terminal replaced; line ends stay."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}"
        for sign in str(text)
    )


def size(count: int) -> str:
    """A number of bytes for people."""
    if count < KiB:
        return f"{count} B"
    power = min(3, (count.bit_length() - 1) // 10)
    return f"{count / KiB**power:.1f} {('KiB', 'MiB', 'GiB')[power - 1]}"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table of printable cells."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*("" if cell is None else printable(cell) for cell in row))
    return drawn


@dataclass(frozen=True, slots=True)
class Output:
    """Where one command's answer goes."""

    as_json: bool

    def answer(self, value: object, shown: str | Table) -> None:
        """Give the command's result: `value` to a program, `shown` to a person."""
        if self.as_json:
            print(json.dumps(value), flush=True)
        else:
            self._print(shown)

    def say(self, line: str) -> None:
        """Tell a person how far it is; a program reads the answer alone."""
        if not self.as_json:
            self._print(line)

    def draw(self, drawing: str) -> None:
        """Show a person what we drew ourselves, on a terminal alone: it may steer the terminal."""
        if not self.as_json and _console(stderr=False).is_terminal:
            print(drawing, flush=True)

    def fail(self, failure: Failure) -> None:
        """Say on stderr what went wrong."""
        if self.as_json:
            told = {"code": failure.code, "message": failure.message, "field": failure.field}
            print(json.dumps(told), file=sys.stderr, flush=True)
            return
        console = _console(stderr=True)
        console.print(f"{ERROR.say()}: {printable(failure.message)}", style="red")
        if failure.field:
            console.print(f"{FIELD.say()}: {printable(failure.field)}")

    @contextmanager
    def bar(
        self, name: str, total: int, *, of_bytes: bool = True
    ) -> Iterator[Callable[[int], None]]:
        """Show a moving bar while bytes travel, or other things are done, on a terminal alone.

        Yields:
            What to call with the number of bytes or things that have arrived.
        """
        console = _console(stderr=True)
        if self.as_json or not console.is_terminal:
            yield lambda _arrived: None
            return
        # Half of rich's start-up is its progress module; most commands draw no bar.
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TaskProgressColumn,
        )

        count = DownloadColumn() if of_bytes else MofNCompleteColumn()
        columns = ("{task.description}", BarColumn(), TaskProgressColumn(), count)
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(printable(name), total=total)
            yield lambda arrived: progress.update(task, completed=arrived)

    def _print(self, shown: str | Table) -> None:
        # A sentence is not wrapped: addresses and commands in it are there to be copied.
        if isinstance(shown, str):
            print(printable(shown), flush=True)
        else:
            _console(stderr=False).print(shown)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=stderr)
    if not console.is_terminal:
        console.width = UNFOLDED  # nobody searches a pipe for an id that was folded
    return console


@contextmanager
def opened(path: Path | None) -> Iterator[BinaryIO]:
    """Standard output, or a new private file that goes away if it is not finished."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
