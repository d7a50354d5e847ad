"""What a check keeps for the next one: without it, a roll-back could not be seen.

One file a log (`docs/formats.md`): the last checkpoint that was found right with the edge of its
tree, and of each practice the place and leaf hash of every event seen. The file is believed, so it
belongs to whoever checks.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.audit.series import Place
from gateway.audit.tiles import Tile
from storage.accesslog.tree import HASH_SIZE

FORMAT = "kluis/audit-state/1"
_INDEX_SIZE = 8  # bytes
_ROW = _INDEX_SIZE + HASH_SIZE


class KeptStateError(Exception):
    """The file of an earlier check is damaged."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was found right.

    Attributes:
        note: The signed checkpoint; "" before the first check.
        edge: The partial tiles of its tree, which tell where another tree leaves it.
        places: By practice, the place of each event by its running number, from 1.
    """

    note: str = ""
    edge: Mapping[Tile, bytes] = field(default_factory=dict)
    places: Mapping[str, Sequence[Place]] = field(default_factory=dict)

    def to_json(self) -> str:
        """The content of the file."""
        rows = {
            controller_id: base64.b64encode(b"".join(map(_row, places))).decode()
            for controller_id, places in self.places.items()
        }
        edge = {tile.path: base64.b64encode(hashes).decode() for tile, hashes in self.edge.items()}
        fields = {"format": FORMAT, "checkpoint": self.note, "edge": edge, "events": rows}
        return json.dumps(fields) + "\n"

    @classmethod
    def parse(cls, content: str) -> Kept:
        """Read the file. Raises KeptStateError."""
        try:
            fields = json.loads(content)
            if fields["format"] != FORMAT:
                raise KeptStateError
            places = {
                str(controller_id): list(_places(base64.b64decode(rows, validate=True)))
                for controller_id, rows in fields["events"].items()
            }
            edge = {
                Tile.parse(path): base64.b64decode(hashes, validate=True)
                for path, hashes in fields["edge"].items()
            }
            return cls(str(fields["checkpoint"]), edge, places)
        except (ValueError, LookupError, TypeError, AttributeError, binascii.Error) as problem:
            raise KeptStateError from problem


def _row(place: Place) -> bytes:
    # A pruned event's leaf is filled in from the tree before it is kept.
    return place.index.to_bytes(_INDEX_SIZE) + (place.leaf or bytes(HASH_SIZE))


def _places(rows: bytes) -> Iterator[Place]:
    if len(rows) % _ROW:
        raise KeptStateError
    for at in range(0, len(rows), _ROW):
        index, leaf = rows[at : at + _INDEX_SIZE], rows[at + _INDEX_SIZE : at + _ROW]
        yield Place(int.from_bytes(index), leaf)
