"""Why a command ends, as one tree; and the one place that turns any refusal into words.

    CommandError                  never raised itself
    ├── UsageError                what was typed or set cannot be right (exit code 2)
    ├── InsecureServerError       a token would travel in the open (exit code 2)
    ├── UnreachableError          no answer from the server, tried long enough
    ├── RefusedError              the server's own answer (RFC 9457)
    ├── ForeignAddressError       the server pointed at another one; the token stays here
    ├── LocalFileError            a file here cannot be read or written
    ├── ChangedFileError          a file changed while it was sent
    ├── CorruptDownloadError      what arrived is not what the server keeps
    ├── UnreadyError              processes serve that do not know yet what this needs
    ├── UnfinishedError           the server is still at it
    └── FailingServerError        it answers, and a part of it fails (in ready.py)

Codes are API and never change.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

import typer

from gateway.backup.errors import BackupError
from gateway.cli.texts import KEYS, STOPPED, Words, language
from gateway.errors import GatewayError, InvalidInputError
from gateway.inspection.errors import InspectionUnavailableError
from keys.errors import KeysError
from storage.errors import StorageError

FAILED, WRONG = 1, 2

_NO_WORKERS = Words(
    "No inspection worker starts: this user must be able to run the same Python. See kluis doctor.",
    "Er start geen inspectieproces: deze gebruiker moet dezelfde Python kunnen draaien."
    " Zie kluis doctor.",
)


class CommandError(Exception):
    """Base of every refusal of the command itself; never raised itself."""

    code: ClassVar[str] = "command"
    words: ClassVar[Words] = Words("", "")
    exit_code: ClassVar[int] = FAILED

    def __init__(self, *, field: str | None = None, **values: object) -> None:
        """Keep the field at fault, if one is, and what the sentence needs."""
        self.field = field
        super().__init__(self.words.say(field=field, **values))


class UsageError(CommandError):
    """What was typed or set cannot be right; nothing was tried."""

    code = "usage"
    words = Words("{reason}", "{reason}")
    exit_code = WRONG

    def __init__(self, field: str, reason: Words) -> None:
        """Name the field and the remedy."""
        super().__init__(field=field, reason=reason.say())


class InsecureServerError(CommandError):
    """A token never travels in the open."""

    code = "insecure_server"
    words = Words(
        "The address of the server is not https://, nor on this machine. Set KLUIS_SERVER.",
        "Het adres van de server is geen https:// en niet op deze machine. Stel KLUIS_SERVER in.",
    )
    exit_code = WRONG


class UnreachableError(CommandError):
    """No answer that could be used."""

    code = "unreachable"
    words = Words(
        "No answer from {server}. Check the address and the network, then run this again.",
        "Geen antwoord van {server}. Controleer adres en netwerk en probeer het opnieuw.",
    )


class ForeignAddressError(CommandError):
    """An upload address on another server would get the token."""

    code = "foreign_address"
    words = Words(
        "The server pointed to an address that is not its own. Tell its operator.",
        "De server verwees naar een adres dat niet van hemzelf is. Meld dit de beheerder.",
    )


class LocalFileError(CommandError):
    """A file on this machine cannot be used."""

    code = "local_file"
    words = Words("{path}: {reason}", "{path}: {reason}")


class ChangedFileError(CommandError):
    """What was sent is a mixture of two files."""

    code = "file_changed"
    words = Words(
        "{name} changed while it was sent; the upload was dropped. Send it again.",
        "{name} veranderde tijdens het versturen; de upload is vervallen. Stuur het opnieuw.",
    )


class CorruptDownloadError(CommandError):
    """The hash of what arrived is wrong; it was removed."""

    code = "corrupt_download"
    words = Words(
        "What arrived of file {file_id} is not what the server keeps, and was removed. Try again.",
        "Wat van bestand {file_id} aankwam is niet wat de server bewaart; het is verwijderd.",
    )


class UnreadyError(CommandError):
    """Some process has not been started again since the settings changed."""

    code = "processes_unready"
    words = Words(
        "{count} processes do not know both key providers: start them again with both settings,"
        " and run this once they have served for some seconds.",
        "{count} processen kennen niet beide sleutelbewaarders: start ze opnieuw met beide"
        " instellingen, en geef dit als ze enkele seconden draaien.",
    )


class UnfinishedError(CommandError):
    """The server takes longer than this command waits; it goes on there."""

    code = "unfinished"
    words = Words(
        "The server is still at it ({state}). It goes on by itself; run this again to see.",
        "De server is nog bezig ({state}). Dat gaat vanzelf door; kijk later nog eens.",
    )


class RefusedError(CommandError):
    """The server's own refusal, with its words."""

    words = Words("{detail}", "{detail}")

    def __init__(self, status: int, code: str, detail: str, field: str | None = None) -> None:
        """Keep what a problem document says (RFC 9457)."""
        super().__init__(field=field, detail=detail)
        self.status = status
        self.problem = code

    @property
    def passes(self) -> bool:
        """Whether the same request may well succeed a moment later."""
        return (
            self.problem in {"offset_mismatch", "upload_taken_over"}
            or self.status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
            or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """What the person at the terminal is told, and the exit code."""

    code: str
    message: str
    field: str | None = None
    exit_code: int = FAILED


def explain(error: BaseException) -> Failure:  # noqa: C901, PLR0911 - one line for each tree
    """Turn whatever ended a command into words; never a traceback.

    An error of no tree is a defect: it is named by its type and place alone, because its message
    may hold what must not be printed.
    """
    match error:
        case RefusedError():
            wrong = error.problem == InvalidInputError.code
            return Failure(error.problem, str(error), error.field, WRONG if wrong else FAILED)
        case CommandError():
            return Failure(error.code, str(error), error.field, error.exit_code)
        case GatewayError():
            wrong = isinstance(error, InvalidInputError)
            text = error.text(language())
            return Failure(error.code, text, error.field, WRONG if wrong else FAILED)
        case KeysError():
            words = KEYS.get(error.code)
            return Failure(error.code, words.say() if words else str(error))
        case BackupError():
            return Failure(error.code, error.text(language()))
        case StorageError():
            return Failure(error.code, str(error))
        case InspectionUnavailableError():  # of no file: the workers did not start
            return Failure(error.code, _NO_WORKERS.say())
        case typer.TyperException():
            return Failure("usage", error.format_message(), _parameter(error), WRONG)
        case KeyboardInterrupt() | typer.Abort():
            return Failure("stopped", STOPPED.say())
        case OSError(filename=name, strerror=reason) if name and reason:
            return Failure("local_file", f"{name}: {reason}")
    return Failure("internal", f"{type(error).__name__} at {_place(error)}: please report this")


def _parameter(error: typer.TyperException) -> str | None:
    parameter = getattr(error, "param", None)
    name = getattr(parameter, "name", None) or getattr(error, "option_name", None)
    return None if name is None else str(name).lstrip("-")


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    return f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
