"""The command as a whole: its groups, and the one place where a failure becomes an exit code."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from gateway.cli import (
    audit,
    backup,
    case,
    certificate,
    closing,
    confidentiality,
    delivery,
    demo,
    doctor,
    download,
    emergency,
    erase,
    export,
    incident,
    keys,
    log,
    notice,
    operator,
    ready,
    upload,
    watch,
    witness,
)
from gateway.cli.errors import explain
from gateway.cli.output import Output

app = typer.Typer(
    name="kluis",
    help="Kluis: takes in clinical scans, seals them, and proves who touched them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
operator.register(app)
closing.register()
doctor.register(app)
ready.register(app)
backup.register(app)
demo.register(app)
confidentiality.register(app)
app.add_typer(case.app)
app.add_typer(emergency.app)
app.add_typer(delivery.app)
app.add_typer(notice.app)
upload.register(app)
download.register(app)
erase.register(app)
app.add_typer(certificate.app)
app.add_typer(log.app)
app.add_typer(keys.app)
export.register(log.app)
audit.register(app)
app.add_typer(watch.app)
app.add_typer(incident.app)
app.add_typer(witness.app)

_STOPPED_BY_HAND = 130  # what typer makes of Ctrl-C


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: What was typed behind `kluis`.

    Returns:
        The exit code: 0 done, 1 refused or failed, 2 what was typed or set cannot be right.
    """
    failure: BaseException
    try:
        code = app(list(arguments), prog_name="kluis", standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - the last one to see it; nobody sees a traceback
        failure = error
    else:
        if code != _STOPPED_BY_HAND:
            return int(code or 0)
        failure = KeyboardInterrupt()
    told = explain(failure)
    if not told.message:  # a group called alone has shown its help
        return told.exit_code
    Output(as_json="--json" in arguments).fail(told)
    return told.exit_code
