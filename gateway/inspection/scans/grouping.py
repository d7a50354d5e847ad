"""Which of many things are equal, and which hang together: without sorting, in linear time.

Equal things meet in a table: each writes its number into the slot that a hash of it gives, and
reads back who wrote last. A hash decides nothing: each is compared with the one that it met, and
those who differ try again among themselves under another hash. What is left after three rounds,
next to nothing unless a file was made for it, is sorted: so nobody can make this slow.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int32] | npt.NDArray[np.int64]

BLOCK = 32_768  # things at a time: their temporaries stay in the cache
ROUNDS = 3
_MIX = 0x9E37_79B9_7F4A_7C15  # 2^64 divided by the golden ratio, made odd
_FOLD = np.uint64(32)


def blocks(count: int) -> Iterator[slice]:
    """All of `count` things, a block at a time."""
    return (slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))


def group(columns: tuple[Column, ...], rounds: int = ROUNDS) -> npt.NDArray[np.int32]:
    """For each thing the number of one thing that equals it: the same one for all its equals.

    Args:
        columns: What a thing consists of; equally long, fewer than 2^31 things.
        rounds: How often hashing is tried before the rest is sorted.
    """
    if not rounds:
        return _group_by_sorting(columns)
    count = len(columns[0])
    bits = max(1, (count - 1).bit_length())
    slots = _slots(columns, bits, rounds)
    table = np.empty(1 << bits, dtype=np.int32)  # only slots that were written are read
    table[slots] = np.arange(count, dtype=np.int32)
    leader = table.take(slots)
    strays = _strays(columns, leader)
    if len(strays):
        # Whoever equals a stray met the same thing, so it is a stray itself.
        rest = group(tuple(column.take(strays) for column in columns), rounds - 1)
        leader[strays] = strays.take(rest)
    return leader


def _slots(columns: tuple[Column, ...], bits: int, turn: int) -> npt.NDArray[np.int64]:
    """A multiplicative hash of each thing, of so many bits, another one each turn."""
    slots = np.empty(len(columns[0]), dtype=np.int64)
    odd = np.uint64(_MIX + 2 * turn)
    for block in blocks(len(slots)):
        hashed = slots[block].view(np.uint64)
        hashed[:] = turn
        for column in columns:
            hashed ^= hashed >> _FOLD
            hashed += column[block]
            hashed *= odd
        hashed ^= hashed >> _FOLD
        hashed *= odd
        hashed >>= np.uint64(64 - bits)
    return slots


def _strays(columns: tuple[Column, ...], leader: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
    stray = np.zeros(len(leader), dtype=np.bool_)
    for block in blocks(len(leader)):
        met = leader[block].astype(np.intp)
        for column in columns:
            stray[block] |= column.take(met) != column[block]
    return np.flatnonzero(stray)


def _group_by_sorting(columns: tuple[Column, ...]) -> npt.NDArray[np.int32]:
    order = np.lexsort(columns)
    first = np.zeros(len(order), dtype=np.bool_)
    first[0] = True
    for column in columns:
        ordered = column.take(order)
        first[1:] |= ordered[1:] != ordered[:-1]
    leader = np.empty(len(order), dtype=np.int32)
    leader[order] = order[first].take(np.cumsum(first) - 1)
    return leader


def pieces(low: Numbers, high: Numbers, count: int) -> tuple[npt.NDArray[np.intp], int]:
    """Which nodes of a graph hang together.

    Every node hooks onto its smallest neighbour, chains of hooks are shortened until each node
    points at the root of its tree, trees become nodes; repeated until no link is left. A root that
    stays one for two rounds owns all its neighbours, so the rounds are at most logarithmic.

    Args:
        low: The smaller node of each link.
        high: Its larger node.
        count: Nodes are numbered below it.

    Returns:
        For each node the number of its piece, and how many pieces there are; a node without a link
        is a piece.
    """
    piece = None
    while len(low):
        nodes = np.arange(count)
        root = nodes.copy()
        np.minimum.at(root, high, low)
        while not np.array_equal(above := root.take(root), root):
            root = above
        is_root = root == nodes
        number = np.cumsum(is_root) - 1
        count = int(number[-1]) + 1
        root = number.take(root)
        piece = root if piece is None else root.take(piece)
        tails, heads = root.take(low), root.take(high)
        bridges = np.flatnonzero(tails != heads)
        tails, heads = tails.take(bridges), heads.take(bridges)
        low, high = np.minimum(tails, heads), np.maximum(tails, heads)
    return np.arange(count) if piece is None else piece, count


def occurring(numbers: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.bool_]:
    """Which of the numbers below `count` occur."""
    found = np.zeros(count, dtype=np.bool_)
    found[numbers] = True
    return found


def sums(
    groups: npt.NDArray[np.integer], values: npt.NDArray[np.floating], count: int
) -> npt.NDArray[np.float64]:
    """The sum of the values in each of `count` groups."""
    return np.bincount(groups, values, count).astype(np.float64)  # of nothing it makes integers
