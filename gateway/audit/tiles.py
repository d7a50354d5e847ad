"""The tiles that prove something of a tree, and the tree that they prove (C2SP tlog-tiles).

A partial tile is proved by the signed root, a full one by its hash in the tile above it. So what
is read through `SignedTree` is what was signed, and a proof is made here instead of being asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from storage.accesslog.tree import HASH_SIZE, TILE_HEIGHT, TILE_WIDTH, RunningRoot, Tree

_PATH = re.compile(r"(\d|[1-5]\d|6[0-3])/((?:x\d{3}/)*)(\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """One tile: its level, its number in the level, and how many hashes of it are wanted."""

    level: int
    number: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Where it is served, below `tile/`: `<L>/<N>[.p/<W>]`, such as `0/x001/x234/067.p/9`."""
        digits = f"{self.number:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *leading, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return "/".join([str(self.level), *(f"x{part}" for part in leading), last]) + partial

    @classmethod
    def parse(cls, path: str) -> Self:
        """Read what `path` wrote. Raises ValueError for anything else."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise ValueError("not the path of a tile")
        level, leading, last, width = match.groups()
        number = int(re.sub(r"[x/]", "", leading) + last)
        tile = cls(int(level), number, int(width) if width else TILE_WIDTH)
        if tile.path != path:
            raise ValueError("not the path of a tile")
        return tile

    @property
    def first_index(self) -> int:
        """The first entry of the log below it."""
        return self.number << (TILE_HEIGHT * (self.level + 1))


def edge(size: int) -> Iterator[Tile]:
    """The partial tiles of a tree; between them they hold every peak, so they make its root."""
    level, count = 0, size
    while count:
        number, width = divmod(count, TILE_WIDTH)
        if width:
            yield Tile(level, number, width)
        level, count = level + 1, number


def needed(size: int, indexes: Iterable[int], earlier: int = 0) -> set[Tile]:
    """The tiles that prove some entries of a tree, and that it extends an earlier size of it."""
    tiles = set(edge(size))
    places = set(indexes) | ({earlier - 1} if 0 < earlier <= size else set())
    level, numbers = 0, {index // TILE_WIDTH for index in places}
    while numbers:
        # A tile that is not full yet is in the edge, and so is all that lies above it.
        full = {number for number in numbers if number < size >> (TILE_HEIGHT * (level + 1))}
        tiles |= {Tile(level, number) for number in full}
        level, numbers = level + 1, {number // TILE_WIDTH for number in full}
    return tiles


class FalseTileError(Exception):
    """A tile is not of the tree that was signed."""

    def __init__(self, tile: Tile) -> None:
        """Name the tile."""
        super().__init__(tile.path)
        self.tile = tile


class MissingTileError(FalseTileError):
    """A tile that the proof needs was not given, or is cut short."""


@dataclass(slots=True)
class SignedTree:
    """What the tiles given say of a tree with this size and root, each proved when first read."""

    size: int
    root: bytes
    given: Mapping[Tile, bytes]
    _proved: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prove the edge.

        Raises:
            FalseTileError: It does not hash to the root.
        """
        tiles = list(edge(self.size))
        found = {(tile.level, tile.number): self._given(tile) for tile in tiles}
        if Tree(lambda level, number: found[level, number]).root(self.size) != self.root:
            raise FalseTileError(tiles[-1] if tiles else Tile(0, 0))
        self._proved = found

    def leaf(self, index: int) -> bytes:
        """The leaf hash of an entry. Raises FalseTileError."""
        number, at = divmod(index, TILE_WIDTH)
        return self.hashes(0, number)[at * HASH_SIZE :][:HASH_SIZE]

    def hashes(self, level: int, number: int) -> bytes:
        """The hashes of a tile, as many as it has. Raises FalseTileError."""
        if (level, number) not in self._proved:
            tile = Tile(level, number)
            hashes = self._given(tile)
            above, at = divmod(number, TILE_WIDTH)
            expected = self.hashes(level + 1, above)[at * HASH_SIZE :][:HASH_SIZE]
            if _fold(hashes) != expected:
                raise FalseTileError(tile)
            self._proved[level, number] = hashes
        return self._proved[level, number]

    def _given(self, tile: Tile) -> bytes:
        hashes = self.given.get(tile, b"")
        if len(hashes) != tile.width * HASH_SIZE:
            raise MissingTileError(tile)
        return hashes


def claimed_leaf(size: int, given: Mapping[Tile, bytes], index: int) -> bytes | None:
    """The leaf hash that a tile gives for an entry, proved or not; None where none does."""
    number, at = divmod(index, TILE_WIDTH)
    tile = Tile(0, number, min(TILE_WIDTH, size - number * TILE_WIDTH))
    return given.get(tile, b"")[at * HASH_SIZE :][:HASH_SIZE] or None


def _fold(hashes: bytes) -> bytes:
    """The root over the hashes of a full tile."""
    tree = RunningRoot()
    for at in range(0, len(hashes), HASH_SIZE):
        tree.append(hashes[at : at + HASH_SIZE])
    return tree.root()
