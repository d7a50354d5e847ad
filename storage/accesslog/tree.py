"""The Merkle tree of RFC 9162 over stored tiles of C2SP tlog-tiles. Pure: no I/O of its own.

Tile (0, n) holds the leaf hashes 256n and following; tile (L, n) holds the roots of the complete
subtrees of 256^L leaves, 256n and following, that is: of the full tiles of the level below. A
tile only ever grows at its end, so the tiles of a tree of today serve every smaller size too.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from storage.errors import LogInconsistentError

HASH_SIZE = 32  # bytes
TILE_WIDTH = 256  # hashes
TILE_HEIGHT = 8  # levels of the tree in one tile: 2^8 = 256

ReadTile = Callable[[int, int], bytes]
Tiles = dict[tuple[int, int], bytes]

EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(entry: bytes) -> bytes:
    """RFC 9162, 2.1.1: the hash of a log entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162, 2.1.1: the hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def extend(size: int, leaves: Sequence[bytes], read_tile: ReadTile) -> Tiles:
    """Append leaf hashes to a tree of `size` leaves.

    Returns:
        Every tile that is new or has grown, whole, by level and number.
    """
    changed: Tiles = {}
    level, count, fresh = 0, size, list(leaves)
    while fresh:
        number, width = divmod(count, TILE_WIDTH)
        tile = read_tile(level, number)[: width * HASH_SIZE] if width else b""
        if len(tile) != width * HASH_SIZE:
            raise LogInconsistentError(f"tile {level}/{number} is cut short")
        hashes, complete = tile + b"".join(fresh), []
        while hashes:
            tile, hashes = hashes[: TILE_WIDTH * HASH_SIZE], hashes[TILE_WIDTH * HASH_SIZE :]
            changed[level, number] = tile
            if len(tile) == TILE_WIDTH * HASH_SIZE:
                complete.append(_root_of(tile))
            number += 1
        level, count, fresh = level + 1, count // TILE_WIDTH, complete
    return changed


def _root_of(hashes: bytes) -> bytes:
    """Fold a power of two of hashes into their root."""
    row = [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
    while len(row) > 1:
        row = [node_hash(*row[at : at + 2]) for at in range(0, len(row), 2)]
    return row[0]


def _split(width: int) -> int:
    """RFC 9162, 2.1.1: the largest power of two smaller than `width`."""
    return 1 << (width - 1).bit_length() - 1


@dataclass(frozen=True, slots=True)
class Tree:
    """Roots and proofs of the tree whose tiles `read_tile(level, number)` gives.

    Every method raises LogInconsistentError when a tile is shorter than its tree needs.
    """

    read_tile: ReadTile

    def root(self, size: int) -> bytes:
        """RFC 9162, 2.1.1: the Merkle tree hash of the first `size` leaves."""
        return self._hash(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """RFC 9162, 2.1.3.1: PATH(index, D[size]), from the leaf's sibling upwards."""
        if not 0 <= index < size:
            raise ValueError(f"no leaf {index} in a tree of {size}")
        path, start, stop = [], 0, size
        while stop - start > 1:
            middle = start + _split(stop - start)
            if index < middle:
                path.append(self._hash(middle, stop))
                stop = middle
            else:
                path.append(self._hash(start, middle))
                start = middle
        return path[::-1]

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """RFC 9162, 2.1.4.1: PROOF(old, D[new]); empty for equal sizes and for `old` = 0."""
        if not 0 <= old <= new:
            raise ValueError(f"a tree of {new} has no earlier size {old}")
        if old in {0, new}:
            return []
        path, start, stop = [], 0, new
        while stop != old:
            middle = start + _split(stop - start)
            if old <= middle:
                path.append(self._hash(middle, stop))
                stop = middle
            else:
                path.append(self._hash(start, middle))
                start = middle
        if start:  # else the verifier knows this subtree: it is the old root
            path.append(self._hash(start, stop))
        return path[::-1]

    def _hash(self, start: int, stop: int) -> bytes:
        """MTH(D[start:stop]); `start` is a multiple of the width rounded up to a power of two."""
        width = stop - start
        if width & (width - 1):
            middle = start + _split(width)
            return node_hash(self._hash(start, middle), self._hash(middle, stop))
        height = width.bit_length() - 1
        level, above = divmod(height, TILE_HEIGHT)
        first, count = start >> (level * TILE_HEIGHT), 1 << above
        number, at = divmod(first, TILE_WIDTH)
        hashes = self.read_tile(level, number)[at * HASH_SIZE : (at + count) * HASH_SIZE]
        if len(hashes) != count * HASH_SIZE:
            raise LogInconsistentError(f"tile {level}/{number} is cut short")
        return _root_of(hashes)


@dataclass(slots=True)
class RunningRoot:
    """The root of a growing tree in constant memory: one hash per complete subtree."""

    size: int = 0
    _peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        peak, carry = leaf, self.size
        while carry & 1:
            peak, carry = node_hash(self._peaks.pop(), peak), carry >> 1
        self._peaks.append(peak)
        self.size += 1

    def root(self) -> bytes:
        """RFC 9162, 2.1.1: the root over everything appended so far."""
        if not self._peaks:
            return EMPTY_ROOT
        *higher, root = self._peaks
        for peak in reversed(higher):
            root = node_hash(peak, root)
        return root


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """RFC 9162, 2.1.3.2: is the leaf hash at `index` of the tree with this size and root?"""
    if not 0 <= index < size:
        return False
    fn, sn, found = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found = node_hash(sibling, found)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = node_hash(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and hmac.compare_digest(found, root)


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """RFC 9162, 2.1.4.2: does the tree of size `new` begin with the tree of size `old`?"""
    if not 0 <= old <= new:
        return False
    if old in {0, new}:  # nothing to prove: every tree extends the empty one, and itself
        return not proof and old_root == (new_root if old == new else EMPTY_ROOT)
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    found_old = found_new = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found_old, found_new = node_hash(sibling, found_old), node_hash(sibling, found_new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            found_new = node_hash(found_new, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and (found_old, found_new) == (old_root, new_root)
