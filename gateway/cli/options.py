"""What the commands share: their options, and how one is registered."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from gateway.cli.errors import UsageError
from gateway.cli.texts import NOT_A_FILE_ID, NOT_A_REQUEST, NOT_AN_ID, Words
from gateway.ids import ID_PATTERN

P = ParamSpec("P")

# No envvar here: the settings read KLUIS_DATA themselves, and `kluis settings` says so.
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Data directory; else KLUIS_DATA, else ./data.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
Server = Annotated[
    str,
    typer.Option("--server", envvar="KLUIS_SERVER", help="Address of the server, https://..."),
]


def _case_id(value: str) -> str:
    """Refuse early what can be no id: it becomes a part of an address."""
    if not re.fullmatch(ID_PATTERN, value):
        raise UsageError("case", NOT_AN_ID)
    return value


def _file_id(value: str) -> str:
    if not re.fullmatch(ID_PATTERN, value):
        raise UsageError("file", NOT_A_FILE_ID)
    return value


def request_id(value: str) -> str:
    """Refuse early what can be no id of a request."""
    if not re.fullmatch(ID_PATTERN, value):
        raise UsageError("request", NOT_A_REQUEST)
    return value


def case_ids(values: list[str] | None) -> list[str] | None:
    """The same for an option that may be repeated."""
    return values and [_case_id(value) for value in values]


Case = Annotated[
    str,
    typer.Argument(metavar="CASE", help="Id of the case.", show_default=False, callback=_case_id),
]
FileId = Annotated[
    str,
    typer.Argument(metavar="FILE", help="Id of the file.", show_default=False, callback=_file_id),
]
LogKey = Annotated[
    str,
    typer.Option(
        envvar="KLUIS_LOG_KEY",
        metavar="KEY|FILE",
        help="Public key of the access log (log.pub), or the file that holds it.",
        show_default=False,
    ),
]
Day = Annotated[
    datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day, YYYY-MM-DD.")
]

DEFAULT_SERVER = "http://127.0.0.1:8460"


NO_PDF = Words(
    "PDF needs the extra `pdf`: pip install 'kluis[pdf]'.",
    "PDF vraagt de extra `pdf`: pip install 'kluis[pdf]'.",
)


def key_text(given: str) -> str:
    """Public keys as given, or as the lines of the file that is named; "" if neither."""
    path = Path(given)
    if "+" in given and not path.is_file():
        return given
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def command(
    app: typer.Typer, name: str, *, example: str
) -> Callable[[Callable[P, Coroutine[Any, Any, None]]], Callable[P, None]]:
    """Register a coroutine as a command whose help ends in an example that works."""

    def register(work: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
        @functools.wraps(work)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            asyncio.run(work(*args, **kwargs))

        app.command(name, epilog=epilog(example))(run)
        return run

    return register


def group(name: str, help_text: str) -> typer.Typer:
    """A group of commands that explains itself when called alone."""
    return typer.Typer(name=name, help=help_text, no_args_is_help=True)


def epilog(example: str) -> str:
    """The last line of a command's help."""
    return f"Example: {example}"
