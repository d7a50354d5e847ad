"""The tiles of the tree as rows: one row a tile, whole, replaced as it grows."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from storage.accesslog.tree import ReadTile, Tiles
from storage.schema import tiles


def tile_reader(connection: Connection) -> ReadTile:
    """Read tiles by level and number in this transaction; a missing one reads as empty."""

    def read_tile(level: int, number: int) -> bytes:
        hashes: bytes | None = connection.scalar(
            select(tiles.c.hashes).where(tiles.c.level == level, tiles.c.number == number)
        )
        return hashes or b""

    return read_tile


def write_tiles(connection: Connection, changed: Tiles) -> None:
    """Put the tiles in place of what was there."""
    for (level, number), hashes in changed.items():
        connection.execute(delete(tiles).where(tiles.c.level == level, tiles.c.number == number))
        connection.execute(insert(tiles).values(level=level, number=number, hashes=hashes))
