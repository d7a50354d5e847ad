"""Everything that a check needs, in a file: to be checked without the server, now or in ten years.

JSON lines (`docs/formats.md`): first the checkpoint, then every event of the practice in the order
of its numbers, then the tiles. A bundle is evidence, not authority: the log's public key, what was
kept and the receipts come from whoever checks.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.audit.auditor import Evidence
from gateway.audit.series import LoggedEvent, Series
from gateway.audit.tiles import Tile

FORMAT = "kluis/audit-bundle/1"
MAX_INDEX = 2**63  # tlog-checkpoint: no tree is larger


class BundleError(Exception):
    """The file is no bundle, or a damaged one."""

    def __init__(self, line: int) -> None:
        """Name the line, from 1."""
        super().__init__(f"line {line} is not one of a bundle")
        self.line = line


def head(note: str) -> str:
    """The first line: the format and the signed checkpoint."""
    return json.dumps({"format": FORMAT, "checkpoint": note}) + "\n"


def event_line(event: LoggedEvent) -> str:
    """The line of an event."""
    salt = None if event.salt is None else base64.b64encode(event.salt).decode()
    fields = {"number": event.number, "index": event.index, "record": event.record, "salt": salt}
    return json.dumps(fields) + "\n"


def tile_line(tile: Tile, hashes: bytes) -> str:
    """The line of a tile."""
    fields = {"tile": tile.path, "hashes": base64.b64encode(hashes).decode()}
    return json.dumps(fields) + "\n"


def event_of(fields: Mapping[str, Any]) -> LoggedEvent:
    """An event as the server and a bundle write it. Raises ValueError: it is none."""
    try:
        return _event(fields)
    except (LookupError, TypeError) as problem:
        raise ValueError("not an event") from problem


def _event(fields: Mapping[str, Any]) -> LoggedEvent:
    number, index = fields["number"], fields["index"]
    record, salt = fields.get("record"), fields.get("salt")
    if not (type(number) is type(index) is int and number > 0 and 0 <= index < MAX_INDEX):
        raise ValueError("not a number")
    if not isinstance(record, str | None):
        raise TypeError("not a record")
    if record is not None:
        record.encode()  # a lone surrogate has no bytes to hash
    return LoggedEvent(
        number, index, record, None if salt is None else base64.b64decode(salt, validate=True)
    )


def read(lines: Iterable[str], series: Series) -> Evidence:
    """Read a bundle, and take its events into the series.

    Raises:
        BundleError: It is none.
    """
    note, tiles = "", {}
    number = 1
    try:
        for number, fields in _objects(lines):
            if number == 1:
                if fields["format"] != FORMAT:
                    raise BundleError(number)
                note = str(fields["checkpoint"])
            elif "tile" in fields:
                tiles[Tile.parse(fields["tile"])] = base64.b64decode(
                    fields["hashes"], validate=True
                )
            else:
                series.add(event_of(fields))
    except (ValueError, LookupError, TypeError) as problem:
        raise BundleError(number) from problem
    if not note:
        raise BundleError(1)
    return Evidence(note, series, tiles, live=False)


def _objects(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as problem:
            raise BundleError(number) from problem
        if not isinstance(fields, dict):
            raise BundleError(number)
        yield number, fields
