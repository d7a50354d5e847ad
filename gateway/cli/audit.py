"""`kluis audit`: check the processor's log, believing its public key and what one keeps oneself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from gateway.audit.auditor import Policy, Report, check
from gateway.audit.series import Series
from gateway.cli import options, verdicts
from gateway.cli.client import JsonObject, connect
from gateway.cli.errors import FAILED, UsageError
from gateway.cli.evidence import (
    UPTAKE,
    Collector,
    State,
    read_bundle,
    receipts_of,
    write_bundle,
)
from gateway.cli.journal import state_directory
from gateway.cli.output import Output
from gateway.cli.receipts import Receipts
from gateway.cli.texts import Words
from keys.errors import SignatureError
from keys.signing import Cosigner, Verifiers
from storage.errors import LogInconsistentError

SHOWN = 10  # findings, to a person

_NOT_A_KEY = Words(
    "This is not a public key of a log, nor a file with one. The processor publishes it (log.pub);"
    " take it from the contract, not from the server that you check.",
    "Dit is geen publieke sleutel van een logboek en geen bestand daarmee. De verwerker maakt hem"
    " bekend (log.pub); neem hem uit het contract, niet van de server die u controleert.",
)
_NOT_A_WITNESS = Words(
    "This is not the public key of a witness, nor a file with one.",
    "Dit is geen publieke sleutel van een getuige en geen bestand daarmee.",
)
_TOO_MANY = Words(
    "More witnesses are asked for than are named by --witness.",
    "Er worden meer getuigen gevraagd dan er met --witness zijn genoemd.",
)

Witnesses = Annotated[
    list[str],
    typer.Option(
        "--witness",
        metavar="KEY|FILE",
        help="Public key of a witness that you trust; may be given again.",
        show_default=False,
    ),
]
Needed = Annotated[
    int | None,
    typer.Option(
        "--witnesses", min=0, help="How many of them must have co-signed; else all.", metavar="N"
    ),
]
MaxAge = Annotated[
    float | None,
    typer.Option(metavar="HOURS", min=0, help="How old the checkpoint may be, in hours."),
]
Bundle = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Check this file, from `kluis log export --bundle`."),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    example = "kluis audit --key log.pub --server https://kluis.example.org"
    options.command(app, "audit", example=example)(audit)


async def audit(
    key: options.LogKey,
    witness: Witnesses = [],  # noqa: B006 - typer copies it
    witnesses: Needed = None,
    max_age: MaxAge = None,
    bundle: Bundle = None,
    server: options.Server = options.DEFAULT_SERVER,
    as_json: options.Json = False,
) -> None:
    """Check that the log is whole and holds everything that you know of. 1: it lies."""
    policy = _policy(key, witness, witnesses, max_age)
    state = State.of(policy.key)
    kept = state.read()
    try:
        earlier = policy.open(kept.note).size if kept.note else 0
    except LogInconsistentError:
        raise state.damaged() from None
    receipts = receipts_of(server)
    series = Series(frozenset(receipt.event for receipt in receipts), datetime.now(UTC))
    if bundle is not None:
        evidence = read_bundle(bundle, series)
    else:
        async with connect(server) as client:
            collector = Collector(client, series)
            evidence = await collector.collect(earlier, UPTAKE)
        receipts += Receipts().keep(server, collector.look, "audit")
    report = check(evidence, policy, kept, receipts)
    if report.kept is not None:
        state.write(report.kept)
    Output(as_json).answer(_to_json(report), _to_text(report))
    if report.findings:
        raise typer.Exit(FAILED)


async def export_bundle(server: str, path: Path) -> JsonObject:
    """Put all that `kluis audit --bundle` needs into a file; say what is in it.

    Raises:
        RefusedError, UnreachableError: It is not to be had.
    """
    series = Series(frozenset(), datetime.now(UTC))
    async with connect(server) as client:
        collector = Collector(client, series, lines=[])
        evidence = await collector.collect(0, UPTAKE)
    return write_bundle(path, evidence, collector.lines or [])


def _policy(
    key: str, witnesses: Sequence[str], needed: int | None, max_age: float | None
) -> Policy:
    try:
        log = Verifiers.parse(options.key_text(key))
    except SignatureError:
        raise UsageError("key", _NOT_A_KEY) from None
    try:
        trusted = {witness: Cosigner.parse(options.key_text(witness)) for witness in witnesses}
    except SignatureError:
        raise UsageError("witness", _NOT_A_WITNESS) from None
    # One witness named twice is one witness.
    distinct = tuple({cosigner.public: cosigner for cosigner in trusted.values()}.values())
    if needed is not None and needed > len(distinct):
        raise UsageError("witnesses", _TOO_MANY)
    return Policy(
        key=log,
        witnesses=distinct,
        needed=len(distinct) if needed is None else needed,
        max_age=None if max_age is None else timedelta(hours=max_age),
    )


def _to_json(report: Report) -> JsonObject:
    findings = [
        {
            "code": finding.lie.value,
            "index": finding.index,
            "subject": finding.subject,
            "message": verdicts.say(finding),
        }
        for finding in report.findings
    ]
    return {
        "ok": not findings,
        "wrong_index": findings[0]["index"] if findings else None,
        "findings": findings,
        "size": report.size,
        "events": report.events,
        "pruned": report.pruned,
        "receipts": report.receipts,
        "witnesses": list(report.witnesses),
        "checkpoint": report.note,
        "earlier": report.earlier,
    }


def _to_text(report: Report) -> str:
    if report.findings:
        shown = [_line(report, at) for at in range(min(SHOWN, len(report.findings)))]
        more = len(report.findings) - len(shown)
        return "\n".join(
            [
                verdicts.WRONG.say(directory=state_directory()),
                *shown,
                *([verdicts.MORE.say(count=more)] if more else []),
            ]
        )
    lines = [
        verdicts.RIGHT.say(
            events=report.events,
            size=report.size,
            receipts=report.receipts,
            witnesses=len(report.witnesses),
        )
    ]
    if report.pruned:
        lines.append(verdicts.PRUNED.say(pruned=report.pruned))
    if not report.earlier:
        lines.append(verdicts.FIRST.say())
    return "\n".join(lines)


def _line(report: Report, at: int) -> str:
    finding = report.findings[at]
    place = "-" if finding.index is None else finding.index
    return f"  {place:>8}  {finding.lie.value}  {verdicts.say(finding)}"
