"""How the triangles of a mesh hang together.

Definitions, which differ between programs (ours are these):

- *vertex*: corners whose coordinates agree when rounded to a grid of 1e-8 mm are one vertex; 0 and
  -0 are one place. Merging on exact bits alone would call meshes open that other programs close.
- *degenerate triangle*: two of its corners are one vertex. It counts in no other number below.
- *duplicate triangle*: has the same three vertices as an earlier one, in whatever order.
- *edge*: an unordered pair of vertices of a triangle. A *boundary* edge belongs to one triangle, a
  *non-manifold* edge to more than two. An edge of exactly two is *inconsistent* if both run
  through it in the same direction.
- *boundary loops*: connected pieces of the graph of boundary edges. Two holes that touch in a
  vertex count as one.
- *components*: pieces connected through shared vertices.

Sorting is the whole cost, so everything becomes one 64-bit key per corner or edge: corners sort by
a hash of their place whose lowest bits are the corner's own number, edges by their two vertices
and a bit for the direction. A hash decides nothing: each corner is compared with the first of its
group, and whoever was put in a wrong group is sorted again by its coordinates.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vertices = npt.NDArray[np.int32]
Keys = npt.NDArray[np.int64]

GRID_PER_MM = 1e8
_KEY_BITS = 63  # of a positive 64-bit key
_ODD = np.uint64(0x9E37_79B9_7F4A_7C15)  # 2^64 divided by the golden ratio, made odd
_BLOCK = 32_768  # corners or triangles at a time: their temporaries stay in the cache


@dataclass(frozen=True, slots=True)
class Topology:
    """The counts; each is defined above."""

    vertices: int
    degenerate_triangles: int
    duplicate_triangles: int
    boundary_edges: int
    boundary_loops: int
    non_manifold_edges: int
    inconsistent_edges: int
    components: int


def topology(corners: npt.NDArray[np.float32]) -> Topology:
    """Count everything at once.

    Args:
        corners: Shape (3 axes, 3 corners, triangles), finite, in mm, at most 1e9 from the origin.
    """
    vertex_of_corner, vertices = merge(corners.reshape(3, -1))
    a, b, c = vertex_of_corner.reshape(3, -1)
    degenerate = (a == b) | (b == c) | (c == a)
    degenerate_triangles = int(np.count_nonzero(degenerate))
    if degenerate_triangles:
        a, b, c = (corner[~degenerate] for corner in (a, b, c))

    bits = max(1, (vertices - 1).bit_length())
    duplicates = _duplicates(a, b, c, bits)

    keys = _edge_keys(a, b, c, bits)
    edges, direction = keys >> 1, keys & 1
    first = np.append(_first_of_runs(edges), True)  # one more: the last run ends too
    alone = first[:-1] & first[1:]
    pair = first[:-2] & ~first[1:-1] & first[2:]
    unique, boundary = edges[first[:-1]], edges[alone]
    pairs = int(np.count_nonzero(pair))
    return Topology(
        vertices=vertices,
        degenerate_triangles=degenerate_triangles,
        duplicate_triangles=duplicates,
        boundary_edges=len(boundary),
        boundary_loops=_pieces(boundary, bits, vertices),
        non_manifold_edges=len(unique) - len(boundary) - pairs,
        inconsistent_edges=int(np.count_nonzero(pair & (direction[1:] == direction[:-1]))),
        components=_pieces(unique, bits, vertices),
    )


def merge(points: npt.NDArray[np.float32]) -> tuple[Vertices, int]:
    """Number the distinct places.

    Args:
        points: Shape (3 axes, points).

    Returns:
        For each point the number of its vertex, and how many vertices there are.
    """
    count = points.shape[1]
    bits = np.uint64(max(1, (count - 1).bit_length()))
    keys = _hashes(points, bits)
    keys.sort()
    first = _first_of_runs(keys >> bits)
    order = (keys & ((np.uint64(1) << bits) - np.uint64(1))).view(np.int64)

    vertex_of = np.empty(count, dtype=np.int32)
    vertex_of[order] = np.cumsum(first, dtype=np.int32) - np.int32(1)
    representative = points[:, order[first]]
    vertices = representative.shape[1]

    strays = _strays(points, vertex_of, representative)
    if len(strays):
        # Whoever shares a place with a stray shares its hash too, so it is a stray itself.
        more, added = _merge_by_sorting(_grid(points[:, strays]))
        vertex_of[strays] = more + vertices
        vertices += added
    return vertex_of, vertices


def _grid(points: npt.NDArray[np.float32]) -> Keys:
    return np.rint(np.multiply(points, GRID_PER_MM, dtype=np.float64)).astype(np.int64)


def _hashes(points: npt.NDArray[np.float32], bits: np.uint64) -> npt.NDArray[np.uint64]:
    """A multiplicative hash of each place; its lowest bits are replaced by the point's number."""
    count = points.shape[1]
    keys = np.empty(count, dtype=np.uint64)
    low = (np.uint64(1) << bits) - np.uint64(1)
    for start in range(0, count, _BLOCK):
        block = keys[start : start + _BLOCK]
        block[:] = 0
        for axis in points:
            block ^= block >> np.uint64(29)
            block ^= _grid(axis[start : start + _BLOCK]).view(np.uint64)
            block *= _ODD
        block &= ~low
        block |= np.arange(start, start + len(block), dtype=np.uint64)
    return keys


def _strays(
    points: npt.NDArray[np.float32],
    vertex_of: Vertices,
    representative: npt.NDArray[np.float32],
) -> npt.NDArray[np.intp]:
    """Points that do not lie where the first of their group lies."""
    stray = np.zeros(points.shape[1], dtype=np.bool_)
    for axis, places in zip(points, representative, strict=True):
        grid = _grid(places)
        for start in range(0, len(axis), _BLOCK):
            block = slice(start, start + _BLOCK)
            stray[block] |= grid.take(vertex_of[block]) != _grid(axis[block])
    return np.flatnonzero(stray)


def _merge_by_sorting(grid: Keys) -> tuple[Vertices, int]:
    order = np.lexsort(tuple(grid))
    placed = grid[:, order]
    first = np.empty(len(order), dtype=np.bool_)
    first[0] = True
    np.any(placed[:, 1:] != placed[:, :-1], axis=0, out=first[1:])
    vertex_of = np.empty(len(order), dtype=np.int32)
    vertex_of[order] = np.cumsum(first, dtype=np.int32) - np.int32(1)
    return vertex_of, int(np.count_nonzero(first))


def _duplicates(a: Vertices, b: Vertices, c: Vertices, bits: int) -> int:
    low = np.minimum(np.minimum(a, b), c)
    high = np.maximum(np.maximum(a, b), c)
    middle = a ^ b ^ c ^ low ^ high
    key = (low.astype(np.int64) << bits) | middle
    if 3 * bits <= _KEY_BITS:
        key = (key << bits) | high
        key.sort()
        return int(np.count_nonzero(key[1:] == key[:-1]))
    order = np.lexsort((high, key))  # above 2 million vertices three numbers fill no 64 bits
    key, high = key[order], high[order]
    return int(np.count_nonzero((key[1:] == key[:-1]) & (high[1:] == high[:-1])))


def _edge_keys(a: Vertices, b: Vertices, c: Vertices, bits: int) -> Keys:
    """Sorted keys of all three edges of each triangle: lower vertex, higher vertex, direction."""
    count = len(a)
    keys = np.empty(3 * count, dtype=np.int64)
    for side, (tail, head) in enumerate(((a, b), (b, c), (c, a))):
        for start in range(0, count, _BLOCK):
            t, h = tail[start : start + _BLOCK], head[start : start + _BLOCK]
            key = keys[side * count + start : side * count + start + len(t)]
            key[:] = np.minimum(t, h)
            key <<= bits
            key |= np.maximum(t, h)
            key <<= 1
            key |= t > h
    keys.sort()
    return keys


def _pieces(edges: Keys, bits: int, vertices: int) -> int:
    """Connected pieces of a graph that have an edge.

    Every vertex hooks onto its smallest neighbour, chains of hooks are shortened until each vertex
    points at the root of its tree, trees become vertices; repeated until no edge is left.

    Args:
        edges: Sorted, unique keys (lower vertex << bits | higher vertex).
        bits: Width of a vertex number.
        vertices: Vertex numbers lie below it.
    """
    low, high = _ends(edges, bits)
    touched = np.zeros(vertices, dtype=np.bool_)
    touched[low] = touched[high] = True
    untouched = vertices - int(np.count_nonzero(touched))
    while len(low):
        parent = np.arange(vertices, dtype=np.int32)
        parent[high[::-1]] = low[::-1]  # sorted by low: the smallest neighbour is written last
        while not np.array_equal(above := parent.take(parent), parent):
            parent = above
        root = parent == np.arange(vertices, dtype=np.int32)
        number = np.cumsum(root, dtype=np.int32) - np.int32(1)
        vertices = int(np.count_nonzero(root))
        parent = number.take(parent)
        tails, heads = parent.take(low), parent.take(high)
        bridge = tails != heads
        tails, heads = tails[bridge].astype(np.int64), heads[bridge].astype(np.int64)
        edges = (np.minimum(tails, heads) << bits) | np.maximum(tails, heads)
        edges.sort()
        edges = edges[_first_of_runs(edges)]
        low, high = _ends(edges, bits)
    return vertices - untouched


def _ends(edges: Keys, bits: int) -> tuple[Vertices, Vertices]:
    return (edges >> bits).astype(np.int32), (edges & ((1 << bits) - 1)).astype(np.int32)


def _first_of_runs(ordered: Keys | npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Where a value differs from the one before it."""
    first = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first
