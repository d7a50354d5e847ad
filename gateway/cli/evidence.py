"""Where the evidence for an audit comes from: a server, or a bundle; and what one keeps oneself.

Order, against a server: a look that must itself end up in the log; then checkpoint and events,
until that look is among them. So whatever was logged before the look is shown too, or is a gap.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from gateway.audit import bundle
from gateway.audit.auditor import Evidence
from gateway.audit.findings import Finding, Lie
from gateway.audit.kept import Kept, KeptStateError
from gateway.audit.receipts import Receipt, ReceiptsError
from gateway.audit.series import Series
from gateway.audit.tiles import Tile, needed
from gateway.cli.client import BREAKS, Client, JsonObject, Patience
from gateway.cli.errors import LocalFileError, RefusedError, UnreachableError
from gateway.cli.journal import state_directory
from gateway.cli.receipts import HEADER, Receipts
from gateway.cli.texts import Words
from keys.signing import Verifiers
from storage.durable import replace_file

AT_ONCE = 8  # requests for tiles
ENOUGH = 1000  # findings; a server that goes on lying is not listened to for ever
# An event gets its place within a second; a checkpoint may wait 30 s for a witness that is away.
UPTAKE = Patience(first=0.2, longest=2.0, total=120.0)

_DAMAGED = Words(
    "line {line} is damaged; take it out if you know why it is",
    "regel {line} is beschadigd; haal die eruit als u weet waardoor",
)
_STATE = Words(
    "what earlier checks kept is damaged; restore the file, or remove it and begin anew",
    "wat een eerdere controle bewaarde is beschadigd; herstel of verwijder het bestand",
)


@dataclass(slots=True)
class Collector:
    """Fetches what a check needs.

    Attributes:
        client: Of somebody who may see the practice's log.
        series: Takes the events.
        lines: The events as lines of a bundle, if one is wanted.
        look: The event of this very look; the log must hold it.
    """

    client: Client
    series: Series
    lines: list[str] | None = None
    look: str | None = None
    _after: int = 0
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def collect(self, earlier: int, patience: Patience) -> Evidence:
        """Fetch checkpoint, events and tiles.

        Args:
            earlier: Size of the tree seen before, in entries.
            patience: How long to wait until the log has taken this look up.

        Raises:
            RefusedError: This person may not see the log.
            UnreachableError: No answer.
        """
        await self._knock()
        note, size = "", 0
        for delay in patience.delays():
            note = (await self._fetch("log/checkpoint")).decode("utf-8", "replace")
            size = _size(note)
            speaks_sense = await self._read_events(size)
            if self.look is None or self.look in self.series.found or not speaks_sense:
                break
            await asyncio.sleep(delay)
        indexes = [place.index for place in self.series.places if place]
        tiles = sorted(needed(size, indexes, earlier))
        fetched = await asyncio.gather(*map(self._tile, tiles))
        found = {tile: hashes for tile, hashes in zip(tiles, fetched, strict=True) if hashes}
        return Evidence(note, self.series, found, live=True)

    async def _knock(self) -> None:
        address = self.client.address("log/events").with_query(limit="1")
        try:
            async with self.client.request("GET", address, headers={}) as response:
                self.look = response.headers.get(HEADER)
        except BREAKS as error:
            raise UnreachableError(field="server", server=self.client.server) from error
        if self.look is not None:
            self.series.wanted |= {self.look}

    async def _read_events(self, size: int) -> bool:
        """Take every further event that the checkpoint covers; whether it is worth going on."""
        while len(self.series.findings) < ENOUGH:
            page = await self.client.get("log/events", after=str(self._after))
            try:
                events = [bundle.event_of(fields) for fields in page["events"]]
            except (ValueError, LookupError, TypeError):
                self.series.findings.append(Finding(Lie.FOREIGN, None, f"> {self._after}"))
                return False
            for event in events:
                if event.index >= size:
                    return True
                self.series.add(event)
                self._after = max(self._after, event.number)
                if self.lines is not None:
                    self.lines.append(bundle.event_line(event))
            if page.get("next") is None or not events:
                return True
        return False

    async def _tile(self, tile: Tile) -> bytes:
        async with self._gate:
            try:
                return await self._fetch(f"log/tile/{tile.path}")
            except RefusedError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                return b""  # the check says what it would have proved

    async def _fetch(self, path: str) -> bytes:
        try:
            address = self.client.address(path)
            async with self.client.request("GET", address, headers={}) as response:
                return await response.read()
        except BREAKS as error:
            raise UnreachableError(field="server", server=self.client.server) from error


def _size(note: str) -> int:
    """The size that a checkpoint states, whoever signed it; 0 where it states none."""
    stated = note.split("\n")[1:2]
    return int(stated[0]) if stated and stated[0].isdecimal() and len(stated[0]) < 19 else 0  # noqa: PLR2004


def read_bundle(path: Path, series: Series) -> Evidence:
    """Read a bundle. Raises LocalFileError."""
    if not path.is_file():
        raise LocalFileError(path=path, reason=os.strerror(2))
    try:
        with path.open("r", encoding="utf-8") as lines:
            return bundle.read(lines, series)
    except bundle.BundleError as error:
        raise LocalFileError(path=path, reason=_DAMAGED.say(line=error.line)) from None
    except UnicodeDecodeError:
        raise LocalFileError(path=path, reason=_DAMAGED.say(line="?")) from None


def write_bundle(path: Path, evidence: Evidence, lines: Iterable[str]) -> JsonObject:
    """Write a bundle, private and whole; what is in it."""
    tiles = (bundle.tile_line(tile, hashes) for tile, hashes in evidence.tiles.items())
    text = "".join([bundle.head(evidence.note), *lines, *tiles])
    replace_file(path, text.encode())
    return {
        "path": str(path),
        "events": len(evidence.series.places),
        "size": _size(evidence.note),
    }


def receipts_of(server: object) -> list[Receipt]:
    """This person's receipts of a server. Raises LocalFileError."""
    kept = Receipts()
    try:
        return kept.of(server)
    except ReceiptsError as error:
        raise LocalFileError(path=kept.path, reason=_DAMAGED.say(line=error.line)) from None


@dataclass(frozen=True, slots=True)
class State:
    """What earlier checks of a log kept, in a file of this person (0600)."""

    path: Path

    @classmethod
    def of(cls, log: Verifiers) -> State:
        """That of the log with these keys, at whatever address it is served.

        What was kept under a key before goes on under it, for as long as it is given as well.
        """
        digests = [
            hashlib.sha256(key.name.encode() + b"\n" + key.public).hexdigest() for key in log.keys
        ]
        places = [state_directory() / "audit" / f"{digest[:32]}.json" for digest in digests]
        return cls(next((path for path in places if path.exists()), places[0]))

    def read(self) -> Kept:
        """What was kept; nothing before the first check. Raises LocalFileError."""
        try:
            return Kept.parse(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return Kept()
        except (KeptStateError, UnicodeDecodeError):
            raise self.damaged() from None

    def damaged(self) -> LocalFileError:
        """The refusal of a file that cannot be what was kept."""
        return LocalFileError(path=self.path, reason=_STATE.say())

    def write(self, kept: Kept) -> None:
        """Keep what was found right."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self.path, kept.to_json().encode())
