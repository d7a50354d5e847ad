"""`kluis backup` and `kluis restore`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.backup.errors import BackupError, NoPlaceError
from gateway.cli import options
from gateway.cli.errors import FAILED, UsageError
from gateway.cli.operator import first_line, rooms_of
from gateway.cli.output import Output, size, table
from gateway.cli.passphrase import ask_secret, passphrase
from gateway.cli.texts import Words
from gateway.cli.words import ask_words, show_words
from gateway.settings import Settings, load
from keys.signing import Verifier

if TYPE_CHECKING:
    from gateway.access.second import Credentials
    from gateway.backup.place import Place
    from gateway.backup.restoring import Restored
    from gateway.backup.sources import Sources
    from keys.recovery import RecoveryKey

app = typer.Typer(name="backup", help="Back-ups: write, list and try them.")

WRITTEN = Words(
    "{place}: generation {id}, {blobs} blobs, {copied} of them new.",
    "{place}: generatie {id}, {blobs} blobs, waarvan {copied} nieuw.",
)
DAMAGED = Words(
    "Not here as they were sealed, and left out: {blobs}. Run `kluis doctor --deep`.",
    "Hier niet zoals ze zijn verzegeld, en overgeslagen: {blobs}. Geef `kluis doctor --deep`.",
)
TRIED = Words(
    "Generation {id} was restored on trial: {cases} cases, {files} files, {faults} faults.",
    "Generatie {id} is op proef hersteld: {cases} casussen, {files} bestanden, {faults} fouten.",
)
NEW_KEY = Words(
    "Keystore and keys at every place are sealed to the new recovery key; back-ups of the data"
    " from before need the old words: keep them until `kluis backup` has replaced those.",
    "Sleutelkast en sleutels op elke plaats zijn met de nieuwe herstelsleutel gesloten; oudere"
    " back-ups van de gegevens vragen de oude woorden: bewaar die tot `kluis backup` ze verving.",
)
RESTORED = Words(
    "Restored into {data}: {cases} cases, {files} files, as of {at}.\n"
    "The access log goes on as {origin}: publish its key in {key} and tell the practices.\n"
    "Passwords are those of that moment; tokens and sessions are gone.\n"
    "Next: kluis doctor --data {data}, then kluis serve --data {data}",
    "Hersteld in {data}: {cases} casussen, {files} bestanden, van {at}.\n"
    "Het logboek gaat verder als {origin}: maak de sleutel in {key} bekend aan de praktijken.\n"
    "Wachtwoorden zijn die van dat moment; tokens en sessies zijn weg.\n"
    "Hierna: kluis doctor --data {data}, dan kluis serve --data {data}",
)
LOG_MISSING = Words(
    "of the log {count} entries are missing, from {since} to {until}; {proven}",
    "van het logboek ontbreken {count} regels, van {since} tot {until}; {proven}",
)
PROVEN = Words(
    "the rest is shown to be their beginning", "de rest is aantoonbaar het begin daarvan"
)
NOT_PROVEN = Words(
    "that the rest is their beginning could not be shown",
    "dat de rest het begin daarvan is, was niet aan te tonen",
)
OFFICER = Words(
    "E-mail address of a privacy officer who agrees",
    "E-mailadres van een privacyfunctionaris die instemt",
)
NOT_A_KEY = Words("This is no public key of certificates.", "Dit is geen publieke sleutel.")

To = Annotated[
    Path | None,
    typer.Option("--to", help="Directory; else every one in the settings.", show_default=False),
]
From = Annotated[
    list[Path] | None,
    typer.Option("--from", help="Directory of back-ups; may be repeated.", show_default=False),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option("--keys", help="Directory of the keys; may be repeated.", show_default=False),
]
Generation = Annotated[
    str | None, typer.Option("--generation", help="Id; else the newest.", show_default=False)
]
CheckpointFile = Annotated[
    Path | None,
    typer.Option("--checkpoint", help="A checkpoint of the log kept elsewhere."),
]
CertificateKey = Annotated[
    Path | None,
    typer.Option("--certificate-key", help="certificate.pub from before it was replaced."),
]
WordsStdin = Annotated[
    bool, typer.Option("--words-stdin", help="Read the 24 words from the first line of stdin.")
]
OfficerEmail = Annotated[
    str | None,
    typer.Option("--officer", help="Privacy officer who agrees; their password is asked."),
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read that password from the next line of stdin.")
]
AcceptLosses = Annotated[
    bool,
    typer.Option("--accept-losses", help="Go on without files and practices that are lost."),
]


def register(main: typer.Typer) -> None:
    """Add the commands to the application."""
    main.add_typer(app, epilog=options.epilog("kluis backup --to DIR"))
    options.command(main, "restore", example="kluis restore --from A --keys B --data ./new")(
        restore
    )


@app.callback(invoke_without_command=True)
def backup(
    context: typer.Context,
    to: To = None,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Write a back-up, while the server may be at work."""
    if context.invoked_subcommand is None:
        asyncio.run(_write(to, data, Output(as_json)))


async def _write(to: Path | None, data: Path | None, out: Output) -> None:
    from gateway.access.actors import operator  # noqa: PLC0415 - see operator.rooms_of
    from gateway.backup.place import Place  # noqa: PLC0415

    written: list[Mapping[str, object]] = []
    async with rooms_of(data) as rooms:
        places = rooms.backups.places.data if to is None else [Place(to)]
        if not places:
            raise NoPlaceError
        for place in places:
            with _bar(out, str(place.root), await rooms.inventory.bytes_to_read()) as advanced:
                made = await rooms.backups.write(operator(), place, advanced)
            blobs = sum(1 for _ in made.generation.blobs())
            names = {"place": str(place.root), "id": made.generation.id, "blobs": blobs}
            out.say(WRITTEN.say(**names, copied=made.copied))
            if made.damaged:
                out.say(DAMAGED.say(blobs=", ".join(made.damaged)))
            details = {"copied": made.copied, "damaged": list(made.damaged)}
            written.append(names | details | {"manifest_sha256": made.generation.sha256})
    out.answer(written, "")


async def list_backups(
    at: From = None, data: options.Data = None, as_json: options.Json = False
) -> None:
    """List what lies at the places, and when a restore was last tried."""
    rows: list[dict[str, object]] = []
    for place in _places(load(data=data), at):
        tested = place.last_test()
        rows += [
            {
                "place": str(place.root),
                "generation": found.id,
                "at": found.manifest.at,
                "bytes": found.manifest.data.size + sum(each.size for each in found.blobs()),
                "log_entries": found.manifest.log.size,
                "tested": tested.isoformat() if tested else None,
            }
            for found in place.whole()
        ]
    columns = ("place", "generation", "at", "size", "log entries", "restore tried")
    shown = [
        [
            row["place"],
            row["generation"],
            row["at"],
            size(int(str(row["bytes"]))),
            row["log_entries"],
            row["tested"],
        ]
        for row in rows
    ]
    Output(as_json).answer(rows, table(columns, shown))


async def try_backup(
    at: From = None,
    keys: Keys = None,
    generation: Generation = None,
    words_stdin: WordsStdin = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Restore the newest back-up into a scratch place and look at all of it."""
    from gateway.backup.sources import Sources  # noqa: PLC0415 - see operator.rooms_of
    from gateway.trial import try_restore  # noqa: PLC0415

    out, settings = Output(as_json), load(data=data)
    recovery = ask_words(from_stdin=words_stdin)
    places = _places(settings, at)
    sources = Sources(places, keys or settings.key_backup_directories, recovery, generation)
    async with rooms_of(data) as rooms:
        with _bar(out, "backup test", await rooms.inventory.bytes_to_read()) as advanced:
            trial = await try_restore(rooms, sources, advanced)
    faults = [
        {"kind": tally.name, **asdict(fault)} for tally in trial.looked_at for fault in tally.faults
    ]
    restored = trial.restored
    answer = {"ok": not trial.faults, **_told(restored), "faults": faults}
    counts = {"cases": restored.cases, "files": restored.files, "faults": trial.faults}
    out.say(TRIED.say(id=restored.generation, **counts))
    rows = [(fault["kind"], fault["where"], fault["wrong"]) for fault in faults]
    out.answer(answer, table(("kind", "where", "wrong"), rows) if rows else "")
    if trial.faults:
        raise typer.Exit(FAILED)


async def new_key(
    officer: OfficerEmail = None,
    password_stdin: PasswordStdin = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Make another recovery key; takes a second person."""
    from gateway.access.actors import operator  # noqa: PLC0415 - see operator.rooms_of
    from gateway.backup.newkey import change_recovery_key  # noqa: PLC0415

    out = Output(as_json)
    second = _second(load(data=data), officer, from_stdin=password_stdin)
    words = ""

    def show(recovery: RecoveryKey) -> None:
        nonlocal words
        words = recovery.words
        show_words(out, words)

    async with rooms_of(data) as rooms:
        access, places = rooms.services.access, rooms.backups.places
        failed = await change_recovery_key(operator(), access, rooms.second, places, second, show)
    out.answer({"recovery_words": words, "failed": list(failed)}, NEW_KEY.say())


async def restore(
    *,
    source: From = None,
    keys: Keys = None,
    data: options.Data = None,
    generation: Generation = None,
    checkpoint: CheckpointFile = None,
    certificate_key: CertificateKey = None,
    words_stdin: WordsStdin = False,
    officer: OfficerEmail = None,
    password_stdin: PasswordStdin = False,
    accept_losses: AcceptLosses = False,
    as_json: options.Json = False,
) -> None:
    """Make a house of a back-up, in an empty place; takes the words and a second person."""
    from gateway.backup.house import house_of  # noqa: PLC0415 - see operator.rooms_of
    from gateway.backup.restoring import Restore  # noqa: PLC0415
    from gateway.backup.sources import Sources, examine  # noqa: PLC0415

    out, settings = Output(as_json), load(data=data)
    sources = Sources(
        places=_places(settings, source),
        keys=keys or (),
        recovery=ask_words(from_stdin=words_stdin),
        generation=generation,
        checkpoint=checkpoint.read_text("utf-8") if checkpoint else None,
        signers=_signers(certificate_key),
    )
    second = _second(settings, officer, from_stdin=password_stdin)
    secret = passphrase(settings, new=True)
    async with house_of(settings, sources) as house:
        total = _bytes_of(sources)
        with _bar(out, "checked", total) as advanced:
            found = await examine(sources, house, advanced, accept_losses=accept_losses)
        with _bar(out, "restored", total) as advanced:
            work = Restore(settings, found, secret)
            restored = await work.run(second, advanced, two_people=settings.two_people)
    _report(out, settings, restored)


def _report(out: Output, settings: Settings, restored: Restored) -> None:
    told, log = _told(restored), restored.log
    rows = [
        (name, len(ids), ", ".join(ids))
        for name, ids in asdict(restored.changed).items()
        if isinstance(ids, list) and ids
    ]
    if rows and not out.as_json:
        out.answer(told, table(("not brought back", "count", "ids"), rows))
    if log.missing:
        proven = (PROVEN if log.proven else NOT_PROVEN).say()
        until = log.until or "?"
        out.say(LOG_MISSING.say(count=log.missing, since=log.since, until=until, proven=proven))
    shown = RESTORED.say(
        data=settings.data,
        cases=restored.cases,
        files=restored.files,
        at=log.since,
        origin=log.origin,
        key=settings.log_key_path,
    )
    out.answer(told, shown)


def _told(restored: Restored) -> dict[str, Any]:
    return {
        "generation": restored.generation,
        "cases": restored.cases,
        "files": restored.files,
        "missing": asdict(restored.changed),
        "log": asdict(restored.log),
    }


def _places(settings: Settings, given: list[Path] | None) -> list[Place]:
    from gateway.backup.place import Place  # noqa: PLC0415 - see operator.rooms_of

    places = [Place(path) for path in given or settings.backup_directories]
    if not places:
        raise NoPlaceError
    return places


def _signers(path: Path | None) -> list[Verifier]:
    if path is None:
        return []
    try:
        return [Verifier.parse(line) for line in path.read_text("utf-8").split()]
    except ValueError:
        raise UsageError("certificate_key", NOT_A_KEY) from None


def _second(settings: Settings, officer: str | None, *, from_stdin: bool) -> Credentials | None:
    from gateway.access.second import Credentials  # noqa: PLC0415 - see operator.rooms_of

    if officer is None and settings.two_people and not from_stdin:
        officer = typer.prompt(OFFICER.say(), err=True)
    if officer is None:
        return None
    password = first_line() if from_stdin else ask_secret("password", new=False)
    return Credentials(officer, password)


def _bytes_of(sources: Sources) -> int:
    """About how much is read; what is wrong with a place is for the restore to say."""
    most = 0
    for place in sources.places:
        with suppress(BackupError, OSError):
            newest = place.newest(sources.generation)
            most = max(most, sum(each.size for each in newest.blobs()))
    return most


@contextmanager
def _bar(out: Output, name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that is told what was added, not how far it is."""
    with out.bar(name, total) as moved:
        done = 0

        def advanced(count: int) -> None:
            nonlocal done
            done += count
            moved(done)

        yield advanced


options.command(app, "list", example="kluis backup list")(list_backups)
options.command(app, "test", example="kluis backup test --words-stdin")(try_backup)
options.command(app, "new-key", example="kluis backup new-key --officer EMAIL")(new_key)
