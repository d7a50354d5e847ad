"""`kluis keys`: which versions the practices' keys have, and replacing keys by new ones."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, cast

import typer

from gateway.cli import options
from gateway.cli.errors import UnreadyError, UsageError
from gateway.cli.operator import rooms_of
from gateway.cli.output import Output, table
from gateway.cli.passphrase import ask_secret, passphrase
from gateway.cli.texts import Words
from gateway.settings import load
from keys.providers.local import LocalKeyring
from keys.signing import SIGNING_KEYS

if TYPE_CHECKING:
    from gateway.privacy.rotation import HeldVersion
    from gateway.rooms import Rooms
    from keys.providers.successor import AdoptingProvider
    from storage.erasures import Puncture

WATCH_SECONDS = 0.2

app = options.group("keys", "Keys: list their versions, replace them by new ones.")

_MOVING = Words("keys moved", "sleutels verhuisd")
_ROTATED = Words(
    "Practices with a new key: {practices}. Their old versions are destroyed.",
    "Praktijken met een nieuwe sleutel: {practices}. De oude versies zijn vernietigd.",
)

_ROOTS = {
    "openbao": Words(
        "The root key is OpenBao's own: on its server, run `bao operator rotate`.",
        "De wortelsleutel is van OpenBao zelf: geef op de server `bao operator rotate`.",
    ),
    "pkcs11": Words(
        "The root key never leaves the HSM's token, and nothing but the two signing seeds is under"
        " it: to replace it, migrate to another token.",
        "De wortelsleutel verlaat het token van de HSM nooit, en alleen de twee ondertekensleutels"
        " liggen eronder: wie hem wil vervangen, verhuist naar een ander token.",
    ),
}
_NOWHERE = Words(
    "Set key_provider to where the keys are to go and key_provider_before to where they are, start"
    " the serving processes again one by one, then run this.",
    "Zet key_provider op waar de sleutels heen moeten en key_provider_before op waar ze zijn, start"
    " de processen een voor een opnieuw, en geef dan deze opdracht.",
)
_MIGRATED = Words(
    "Practices moved: {practices}; every key is in {after} now. Remove key_provider_before and"
    " start the serving processes again, one by one.",
    "Verhuisde praktijken: {practices}; elke sleutel is nu in {after}. Verwijder"
    " key_provider_before en start de processen een voor een opnieuw.",
)
_REMAINS = {
    "local": Words(
        "{path} and its back-ups still hold the signing keys, and older copies of it the keys from"
        " before: destroy them all.",
        "{path} en de back-ups ervan bevatten nog de ondertekensleutels, en oudere kopieen de"
        " vorige sleutels: vernietig ze alle.",
    ),
    "openbao": Words(
        "The server still holds the signing keys, and its snapshots the keys from before: delete"
        " the mounts and the snapshots.",
        "De server heeft nog de ondertekensleutels, en zijn snapshots de vorige sleutels: verwijder"
        " de mounts en de snapshots.",
    ),
    "pkcs11": Words(
        "The token still holds the signing keys, and its back-ups the keys from before: initialise"
        " it anew and destroy the back-ups.",
        "Het token heeft nog de ondertekensleutels, en zijn back-ups de vorige sleutels:"
        " initialiseer het opnieuw en vernietig de back-ups.",
    ),
}
_WAITING = Words(
    "Waiting for {count} processes to take over the new root key; until then the old one opens.",
    "Wacht tot {count} processen de nieuwe wortelsleutel hebben; tot dan opent de oude nog.",
)
_NEW_ROOT = Words(
    "The root key is new; the old one opens nothing any more. Replace the back-ups of the keyring.",
    "De wortelsleutel is nieuw; de oude opent niets meer. Vervang de back-ups van de sleutelbos.",
)
_NEW_PASSPHRASE = Words(
    "Root key and passphrase are new; the old ones open nothing any more. Put the new passphrase"
    " where Kluis finds it before it starts again, and replace the back-ups of the keyring.",
    "Wortelsleutel en wachtzin zijn nieuw; de oude openen niets meer. Zet de nieuwe wachtzin waar"
    " Kluis hem vindt voordat het weer start, en vervang de back-ups van de sleutelbos.",
)
_MIGRATE_FIRST = Words(
    "Keys are being moved: let `kluis keys migrate` end first, and remove key_provider_before.",
    "Er worden sleutels verhuisd: laat eerst `kluis keys migrate` eindigen en verwijder"
    " key_provider_before.",
)
_NO_PASSPHRASE = Words(
    "The first line of stdin is empty: put the new passphrase there.",
    "De eerste regel van stdin is leeg: zet daar de nieuwe wachtzin.",
)

_WHICH_KEY = Words(
    "Say `log` or `certificate`; --end is for `log`.",
    "Geef `log` of `certificate`; --end hoort bij `log`.",
)
_NOT_ENDED = Words(
    "The log's last key still signs beside the new one: end it first, with --end.",
    "De vorige logsleutel tekent nog naast de nieuwe: beëindig die eerst, met --end.",
)
_NEW_LOG_KEY = Words(
    "The log has a new key, and both sign:\n{key}\nGive {path} to whoever checks the log. The"
    " old key ends after {days:g} days, or by: kluis keys rotate-signing log --end",
    "Het logboek heeft een nieuwe sleutel, en beide tekenen:\n{key}\nGeef {path} aan wie het"
    " logboek controleert. De oude eindigt na {days:g} dagen, of met:"
    " kluis keys rotate-signing log --end",
)
_NEW_CERTIFICATE_KEY = Words(
    "Certificates are signed by a new key:\n{key}\nGive {path} to whoever checks them; it lists the"
    " old key too, whose certificates stay right.",
    "Certificaten worden met een nieuwe sleutel getekend:\n{key}\nGeef {path} aan wie ze"
    " controleert; de oude sleutel staat er ook in, en zijn certificaten blijven geldig.",
)
_ENDED = Words(
    "The old key signs the log no more; its seed is destroyed. The key is {key}",
    "De oude sleutel tekent het logboek niet meer en is vernietigd. De sleutel is {key}",
)

SigningKeyName = Annotated[
    str, typer.Argument(metavar="log|certificate", help="Which key.", show_default=False)
]
End = Annotated[bool, typer.Option("--end", help="Destroy the log's key before this one.")]
NewPassphrase = Annotated[
    bool,
    typer.Option(
        "--new-passphrase",
        help="Ask for a new passphrase, or read the first line of stdin.",
    ),
]
Client = Annotated[
    str | None,
    typer.Option("--client", help="One practice; else every one.", show_default=False),
]


async def show(data: options.Data = None, as_json: options.Json = False) -> None:
    """List the versions of every practice's key, and how many keys are under each."""
    from gateway.access.actors import operator  # noqa: PLC0415 - see operator.rooms_of
    from gateway.ids import now  # noqa: PLC0415

    async with rooms_of(data) as rooms:
        held = await rooms.rotations.versions(operator())
    columns = ("client", "name", "version", "state", "days", "keys")
    at = now()
    rows = [
        (
            each.version.controller_id,
            each.practice,
            each.version.version,
            each.version.state,
            (at - each.version.created_at).days,
            each.keys,
        )
        for each in held
    ]
    Output(as_json).answer([_document(each) for each in held], table(columns, rows))


async def rotate(
    client: Client = None, data: options.Data = None, as_json: options.Json = False
) -> None:
    """Give a practice, or every one, a new key, and destroy the old. Run again, it goes on."""
    from gateway.access.actors import operator  # noqa: PLC0415 - see operator.rooms_of

    out = Output(as_json)
    async with rooms_of(data) as rooms:
        punctures = await rooms.rotations.request(operator(), client and [client])
        async with working_along(rooms):
            await watch(rooms, punctures, out)
    if not as_json:
        out.say(_ROTATED.say(practices=len(punctures)))


async def migrate(data: options.Data = None, as_json: options.Json = False) -> None:
    """Move every key from `key_provider_before` to `key_provider`. Run again, it goes on."""
    from gateway.access.actors import operator  # noqa: PLC0415 - see operator.rooms_of
    from gateway.privacy.migration import Migration  # noqa: PLC0415
    from keys.providers.successor import Successor  # noqa: PLC0415

    out, practices = Output(as_json), 0
    async with rooms_of(data) as rooms:
        if not isinstance(rooms.provider, Successor):
            raise UsageError("key_provider_before", _NOWHERE)
        moving = Migration(rooms.main, rooms.services.access, rooms.rotations, rooms.provider)
        if unready := await moving.begin(operator()):
            raise UnreadyError(count=unready)
        async with working_along(rooms):
            # More than once where a puncture was under way whose new version was made before.
            while punctures := await moving.go_on(operator()):
                practices = max(practices, len(punctures))
                await watch(rooms, punctures, out)
    first, second = rooms.settings.key_provider_before, rooms.settings.key_provider
    shown = _MIGRATED.say(practices=practices, after=second)
    answer = {"migrated": True, "before": first, "after": second}
    out.answer(answer, f"{shown}\n{_REMAINS[first].say(path=rooms.settings.keyring_path)}")


async def rotate_signing(
    key: SigningKeyName,
    end: End = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Replace the key that signs the log or the certificates; what the old one signed stays true.

    A new key of the log signs beside the old one until that is ended (--end).
    """
    from gateway.access.actors import operator  # noqa: PLC0415 - see operator.rooms_of
    from gateway.access.grants import Target  # noqa: PLC0415
    from gateway.access.policy import Action  # noqa: PLC0415
    from gateway.signingkeys import end_log_key, renew_signing_key  # noqa: PLC0415

    if key not in SIGNING_KEYS or (end and key != "log"):
        raise UsageError("key", _WHICH_KEY)
    if load(data=data).key_provider_before:
        raise UsageError("key_provider_before", _MIGRATE_FIRST)
    async with rooms_of(data) as rooms:
        access, settings = rooms.services.access, rooms.settings
        provider = cast("AdoptingProvider", rooms.provider)
        grant = await access.authorise(operator(), Action.KEY_ROTATE, target=Target("key", key))
        if end:
            await end_log_key(provider)
        elif not await renew_signing_key(settings, provider, key):
            raise UsageError("key", _NOT_ENDED)
        await access.outcome(grant, ended=end)
        path = settings.log_key_path if key == "log" else settings.certificate_key_path
        days = settings.log_key_days
    lines = path.read_text("utf-8").split()
    shown = _ENDED if end else _NEW_LOG_KEY if key == "log" else _NEW_CERTIFICATE_KEY
    out = Output(as_json)
    out.answer(
        {"key": lines[0], "earlier": lines[1:]}, shown.say(path=path, key=lines[0], days=days)
    )


async def rotate_root(
    new_passphrase: NewPassphrase = False,
    data: options.Data = None,
    as_json: options.Json = False,
) -> None:
    """Replace the local keyring's root key, and its passphrase if asked; processes go on."""
    from gateway.access.actors import operator  # noqa: PLC0415 - see operator.rooms_of
    from gateway.app import open_rooms  # noqa: PLC0415
    from gateway.privacy.rootkey import renew_root  # noqa: PLC0415

    chosen, out = load(data=data), Output(as_json)
    if chosen.key_provider_before:
        raise UsageError("key_provider_before", _MIGRATE_FIRST)
    if chosen.key_provider != "local":
        raise UsageError("key_provider", _ROOTS[chosen.key_provider])
    unlocks = passphrase(chosen)
    following = _new_passphrase() if new_passphrase else unlocks
    said = 0

    def tell(waiting: int) -> None:
        nonlocal said
        if waiting != said:
            said = waiting
            out.say(_WAITING.say(count=waiting))

    async with open_rooms(chosen, unlocks) as rooms:
        keyring, access = cast(LocalKeyring, rooms.provider), rooms.services.access
        await renew_root(rooms.main, access, keyring, operator(), following, tell)
    shown = _NEW_PASSPHRASE if new_passphrase else _NEW_ROOT
    out.answer({"root": "replaced", "passphrase_changed": new_passphrase}, shown.say())


def _new_passphrase() -> str:
    """From the terminal, typed twice; else the first line of standard input."""
    if sys.stdin.isatty():
        return ask_secret("passphrase", new=True)
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageError("new_passphrase", _NO_PASSPHRASE)
    return line


@asynccontextmanager
async def working_along(rooms: Rooms) -> AsyncIterator[None]:
    """Be a node that carries out punctures; a serving process may be quicker."""
    from gateway.process import configure_log  # noqa: PLC0415 - see operator.rooms_of

    configure_log()
    await rooms.heartbeat.beat()
    tasks = [asyncio.create_task(rooms.heartbeat.run()), asyncio.create_task(rooms.erasures.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await rooms.erasures.leave()
        await rooms.heartbeat.leave()


async def watch(rooms: Rooms, punctures: Sequence[Puncture], out: Output) -> None:
    """Say how far the punctures are, until they are done: a bar, or lines of JSON."""
    said = None
    keys = (await rooms.rotations.progress(punctures)).keys
    with out.bar(_MOVING.say(), keys, of_bytes=False) as moved:
        while True:
            left = await rooms.rotations.progress(punctures)
            keys = max(keys, left.keys)
            moved(keys - left.keys)
            if out.as_json and left != said:
                progress = {
                    "practices": len(punctures),
                    "practices_done": len(punctures) - left.practices,
                    "keys": keys,
                    "keys_moved": keys - left.keys,
                }
                out.answer(progress, "")
            if not left.practices:
                return
            said = left
            await asyncio.sleep(WATCH_SECONDS)


def _document(held: HeldVersion) -> dict[str, object]:
    version = held.version
    return {
        "client": version.controller_id,
        "name": held.practice,
        "version": version.version,
        "state": version.state,
        "created_at": version.created_at.isoformat(),
        "destroyed_at": version.destroyed_at and version.destroyed_at.isoformat(),
        "keys": held.keys,
    }


options.command(app, "list", example="kluis keys list --data ./data")(show)
options.command(app, "rotate", example="kluis keys rotate --data ./data")(rotate)
options.command(app, "rotate-root", example="kluis keys rotate-root --new-passphrase")(rotate_root)
options.command(app, "migrate", example="kluis keys migrate --data ./data")(migrate)
options.command(app, "rotate-signing", example="kluis keys rotate-signing certificate")(
    rotate_signing
)
