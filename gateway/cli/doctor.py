"""`kluis doctor`: whether this machine and this data directory are fit, and what to do if not."""

from __future__ import annotations

import ipaddress
import os
import resource
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from aiohttp import http_parser

from gateway.cli import options, texts
from gateway.cli.errors import FAILED, CommandError, explain
from gateway.cli.output import Output, size, table
from gateway.cli.passphrase import at_hand, passphrase
from gateway.errors import GatewayError
from gateway.ids import now
from gateway.inspection.errors import InspectionUnavailableError
from gateway.inspection.workers.pool import WorkerPool
from gateway.intake.clamav import Clamd
from gateway.settings import Settings, load
from keys.errors import KeysError
from keys.providers.keyfile import Keyfile
from storage.errors import SchemaError

if TYPE_CHECKING:
    from gateway.inventory.tally import Tally

State = Literal["ok", "warning", "failed"]

GiB = 1024**3
LITTLE_DISK, NO_DISK = 10 * GiB, 1 * GiB
CLOCK_SLACK = 2.0  # seconds; a clock may be slewed
SECRET_FILES = (
    "passphrase_file",
    "openbao_token_file",
    "openbao_secret_id_file",
    "pkcs11_pin_file",
)
NEEDED = frozenset({"set-up", "keyring", "main database", "keystore"})
Deep = Annotated[
    bool, typer.Option("--deep", help="Hold all stores against each other; reads every blob.")
]
CONFINEMENT = {
    "network": ("network namespace", "allow user namespaces, in sysctl and in the unit"),
    "files": ("Landlock", "run Linux 5.13 or newer, with landlock among its security modules"),
    "memory": ("memory lock", "set LimitMEMLOCK=infinity in the unit"),
    "calls": ("seccomp", "run a kernel with seccomp filters, on x86_64 or aarch64"),
}
"""What an inspection worker may reach beyond its limits, and how to let it."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        state: A warning may be right here; what failed is not.
        found: What it is.
        remedy: What to do; empty where there is nothing to do.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.command(app, "doctor", example="kluis doctor --data ./data")(doctor)


async def doctor(
    data: options.Data = None, deep: Deep = False, as_json: options.Json = False
) -> None:
    """Check permissions, disk, keys, schema, clock and confinement, and say what to do."""
    settings, out = load(data=data), Output(as_json)
    checks = await examine(settings)
    if deep:
        checks += await inventory(settings, out, checks)
    failed = any(check.state == "failed" for check in checks)
    rows = [(check.name, check.state, check.found, check.remedy) for check in checks]
    answer = {"ok": not failed, "checks": [asdict(check) for check in checks]}
    out.answer(answer, table(("check", "state", "found", "what to do"), rows))
    if failed:
        raise typer.Exit(FAILED)


async def examine(settings: Settings) -> list[Check]:
    """Every check, in the order in which to put things right."""
    local = settings.key_provider == "local"
    if not (settings.keyring_path if local else settings.log_key_path).exists():
        remedy = f"run `kluis init --data {settings.data}`, or choose another with --data"
        found = [Check("set-up", "failed", f"nothing in {settings.data}", remedy)]
    else:
        found = [
            Check("set-up", "ok", str(settings.data)),
            *permissions(settings),
            disk(settings.data),
            await keyring(settings),
            *key_changes(settings),
            await schema("main database", settings.main_database, "main"),
            await schema("keystore", settings.keystore_database, "keystore"),
            clock(settings.log_head_path, time.time()),
            *backups(settings),
        ]
    return [
        *found,
        parser(),
        await confinement(settings),
        memory(),
        *await scanner(settings),
        *network(settings),
    ]


async def inventory(settings: Settings, out: Output, before: Sequence[Check]) -> list[Check]:
    """Everything that is kept, in all stores, held against each other; reads every blob once."""
    if any(check.state == "failed" for check in before if check.name in NEEDED):
        return [Check("inventory", "failed", "not taken", "first put right what failed above")]
    from gateway.app import open_rooms  # noqa: PLC0415 - see operator.rooms_of

    async with open_rooms(settings, passphrase(settings)) as rooms:
        with out.bar(texts.INVENTORY.say(), await rooms.inventory.bytes_to_read()) as arrived:
            read = 0

            def advanced(count: int) -> None:
                nonlocal read
                read += count
                arrived(read)

            found = await rooms.inventory.take(advanced)
    return [check for tally in found for check in _checks(tally)]


def _checks(tally: Tally) -> Iterator[Check]:
    left = f", {tally.left} left over or under way" if tally.left else ""
    if not tally.faults:
        yield Check(tally.name, "ok", f"{tally.seen} looked at{left}")
    for fault in tally.faults:
        yield Check(tally.name, "failed", f"{fault.where}: {fault.wrong}", fault.remedy)
    if tally.unnamed:
        yield Check(tally.name, "failed", f"{tally.unnamed} more", "put these right, and run again")


def permissions(settings: Settings) -> list[Check]:
    """Nobody else may enter the directory; what lies in it is private as well."""
    found = [*_open_places(settings)]
    for name in SECRET_FILES:
        path: Path | None = getattr(settings, name)
        if path is not None and path.exists() and path.stat().st_mode & 0o077:
            words = name.replace("_", " ")
            found.append(Check(words, "warning", "others may read it", f"chmod 0400 {path}"))
    return found or [Check("permissions", "ok", "for this user alone")]


def _open_places(settings: Settings) -> Iterator[Check]:
    ours = os.geteuid()
    for path in (settings.data, *sorted(settings.data.iterdir())):
        status = path.lstat()
        if status.st_uid != ours:
            remedy = f"run as its owner, or: chown -R $(id -u) {settings.data}"
            yield Check("owner", "failed", f"{path} belongs to user {status.st_uid}", remedy)
        elif status.st_mode & 0o077:
            remedy = f"chmod go-rwx {path}"
            yield Check("permissions", "failed", f"{path} is open to others", remedy)


def disk(data: Path) -> Check:
    """An upload that finds the disk full is refused; the log needs room as well."""
    free = shutil.disk_usage(data).free
    state: State = "failed" if free < NO_DISK else "warning" if free < LITTLE_DISK else "ok"
    remedy = "" if state == "ok" else "make room, or move the data directory to a larger disk"
    return Check("disk", state, f"{size(free)} free", remedy)


async def keyring(settings: Settings) -> Check:
    """Whether the provider lets us in and has our keys; a local one if the passphrase is known."""
    from gateway.providers import open_provider  # noqa: PLC0415 - see operator.rooms_of

    try:
        local = "local" in {settings.key_provider, settings.key_provider_before}
        passphrase = at_hand(settings) if local else ""
        if passphrase is None:
            remedy = "set KLUIS_PASSPHRASE or KLUIS_PASSPHRASE_FILE to have it tried"
            return Check("keyring", "warning", "there, not opened", remedy)
        provider = await open_provider(settings, passphrase)
        try:
            await provider.check()
            await provider.signing_key("log")
        finally:
            await provider.close()
    except (CommandError, GatewayError, KeysError) as error:
        return Check("keyring", "failed", error.code, explain(error).message)
    return Check("keyring", "ok", "opens" if settings.key_provider == "local" else provider.name)


def key_changes(settings: Settings) -> Iterator[Check]:
    """What was begun with the keys, and waits to be ended."""
    if settings.key_provider_before:
        found = f"keys move from {settings.key_provider_before} to {settings.key_provider}"
        remedy = "run `kluis keys migrate` to its end, then remove key_provider_before"
        yield Check("key provider", "warning", found, remedy)
    path = settings.keyring_path
    with suppress(KeysError, OSError):
        if Keyfile.parse(path.read_bytes()).succession:
            found = "the one before it still leads into the keyring"
            yield Check("root key", "warning", found, "run `kluis keys rotate-root` to its end")


async def schema(name: str, url: str, room: Literal["main", "keystore"]) -> Check:
    """Whether a database can be read and is of this version."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - see operator.rooms_of

    from storage.database import Database  # noqa: PLC0415

    database = Database(url, room)
    try:
        await database.check_schema()
    except SchemaError as error:
        return Check(name, "failed", "of another version", str(error))
    except (SQLAlchemyError, OSError) as error:
        remedy = "check that the database runs and its address is right"
        return Check(name, "failed", type(error).__name__, remedy)
    finally:
        await database.close()
    return Check(name, "ok", "of this version")


def clock(head: Path, now: float) -> Check:
    """The clock must not be before the last checkpoint: deadlines and the log follow it."""
    if head.exists() and head.stat().st_mtime > now + CLOCK_SLACK:
        early = head.stat().st_mtime - now
        remedy = "set the clock (timedatectl set-ntp true) before serving"
        return Check("clock", "failed", f"{early:.0f} s before the last checkpoint", remedy)
    return Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now)))


def backups(settings: Settings) -> Iterator[Check]:
    """The places of back-ups, the age of the newest, and when a restore was last tried."""
    from gateway.backup.health import look  # noqa: PLC0415 - see operator.rooms_of

    for finding in look(settings, now()):
        yield Check("back-up", finding.state, finding.found, finding.remedy)


def parser() -> Check:
    """The parser in Python is slower, and more lenient with requests made to confuse a proxy."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        remedy = "install aiohttp from a wheel of this platform, not from source"
        return Check("HTTP parser", "failed", "Python only", remedy)
    return Check("HTTP parser", "ok", "in C")


async def confinement(settings: Settings) -> Check:
    """What an inspection worker can give up on this machine; its limits hold everywhere."""
    try:
        pool = WorkerPool(1, settings.inspection_seconds)
        reached = await pool.start()
        await pool.close()
    except InspectionUnavailableError as error:
        return Check("inspection", "failed", error.message_en, error.remedy)
    has = [CONFINEMENT[part][0] for part, given_up in asdict(reached).items() if given_up]
    lacks = [CONFINEMENT[part] for part, given_up in asdict(reached).items() if not given_up]
    if not lacks:
        return Check("inspection", "ok", f"confined: {', '.join(has)}")
    found = (
        f"without {', '.join(name for name, _ in lacks)}; with {', '.join(has) or 'limits alone'}"
    )
    return Check("inspection", "warning", found, "; ".join(remedy for _, remedy in lacks))


async def scanner(settings: Settings) -> list[Check]:
    """The virus scanner, where one is set: without it no file gets a verdict."""
    if not settings.clamd_address:
        return []
    if await Clamd.of(settings.clamd_address, settings.inspection_seconds).is_there():
        return [Check("virus scanner", "ok", "answers")]
    remedy = "start clamd, or correct clamd_address; files wait until then"
    return [Check("virus scanner", "failed", "does not answer", remedy)]


def memory() -> Check:
    """Keys and scans stay out of swap only where memory may be locked."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    swaps = Path("/proc/swaps")
    swapping = not swaps.exists() or len(swaps.read_text("ascii").splitlines()) > 1
    if soft == resource.RLIM_INFINITY:
        return Check("memory", "ok", "can be locked")
    if not swapping:
        return Check("memory", "ok", "there is no swap")
    remedy = "set LimitMEMLOCK=infinity in the unit, encrypt the swap, or turn it off"
    return Check("memory", "warning", "may be written to swap", remedy)


def network(settings: Settings) -> Iterator[Check]:
    """Plain HTTP stays on this machine; what stands before it must not write scans to its disk."""
    try:
        loopback = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        loopback = settings.host == "localhost"
    if not loopback:
        remedy = "listen on 127.0.0.1, or name the proxy that ends TLS in trusted_proxies"
        state: State = "warning" if settings.trusted_proxies else "failed"
        yield Check("listening", state, f"plain HTTP on {settings.host}", remedy)
    if settings.trusted_proxies:
        remedy = (
            "nginx: `proxy_request_buffering off; proxy_buffering off;`"
            " or it writes scans in plain to its own temporary folder"
        )
        yield Check("proxy", "warning", "stands in front; cannot be seen from here", remedy)
