"""How the triangles of a mesh hang together.

Definitions, which differ between programs (ours are these):

- *vertex*: corners whose coordinates agree when rounded to a grid of 1e-8 mm are one vertex; 0 and
  -0 are one place. Merging on exact bits alone would call meshes open that other programs close.
- *degenerate triangle*: two of its corners are one vertex. It counts in no other number below.
- *duplicate triangle*: has the same three vertices as an earlier one, in whatever order.
- *edge*: an unordered pair of vertices of a triangle. A *boundary* edge belongs to one triangle, a
  *non-manifold* edge to more than two. An edge of exactly two is *inconsistent* if both run
  through it in the same direction.
- *components*: pieces connected through shared vertices.
- *fan*: triangles around a vertex that are connected through edges at that vertex. A *non-manifold*
  vertex has more than one.
- *patch*: triangles connected through edges. It has two sides if all its triangles can be turned so
  that no edge of exactly two is inconsistent; then those that need turning, or the others if these
  are fewer, are *flipped*.

Each triangle has three *sides*. Side k of triangle t is number k * triangles + t; it runs from
corner k to the next, so the tails of all sides, in order, are the corners of all triangles.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.inspection.scans.grouping import Column, blocks, group, occurring, pieces
from gateway.inspection.scans.mesh import Coordinates

Vertices = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]

GRID_PER_MM = 1e8
# From here on neighbouring numbers of 32 bits lie further apart than the grid's lines, and each is
# the nearest one to its grid point. Below, a grid point is told by the number nearest to it.
_FINER_BELOW_MM = 0.125
_HALF, _LOW_HALF = np.uint64(32), np.uint64(0xFFFF_FFFF)


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """What is shared and what is not.

    Attributes:
        exact_vertices: How many vertices there are if coordinates have to agree to the last bit.
        corner_of: Of each vertex the number of a corner that lies there.
        whole: Numbers of the triangles that are not degenerate.
        tails: Vertex at the tail of each side of these triangles.
        boundary: The sides of boundary edges.
        links: Two sides of one edge, shape (2, links): an edge of n triangles has n - 1 links.
        crowded: Which links are of non-manifold edges.
        along: Which links are of sides that run in the same direction.
        component: Of each vertex the number of its component.
        components: How many there are.
        duplicates: Numbers of the triangles that are duplicates.
    """

    exact_vertices: int
    corner_of: Places
    whole: Places
    tails: Vertices
    boundary: Places
    links: Places
    crowded: npt.NDArray[np.bool_]
    along: npt.NDArray[np.bool_]
    component: Places
    components: int
    duplicates: Places

    def heads(self, sides: Places) -> Vertices:
        """The vertices at which sides end."""
        return self.tails.take(self.next(sides))

    def next(self, sides: Places) -> Places:
        """The sides that follow in their triangles."""
        following: Places = sides + len(self.whole)
        following[following >= len(self.tails)] -= len(self.tails)
        return following

    @property
    def non_manifold_edges(self) -> Places:
        """One side of each such edge."""
        return np.flatnonzero(occurring(self.links[0, self.crowded], len(self.tails)))

    @property
    def inconsistent_edges(self) -> Places:
        """One side of each such edge."""
        found: Places = self.links[0, self.along & ~self.crowded]
        return found


def topology(corners: Coordinates) -> Topology:
    """Find out everything at once.

    Args:
        corners: Shape (3 axes, 3 corners, triangles), finite, in mm, at most 1e9 from the origin.
    """
    vertex_of, corner_of, exact_vertices = merge(corners.reshape(3, -1))
    tails, whole = _whole(vertex_of.reshape(3, -1))
    edges, links, boundary = _edges(tails)
    component, components = _components(edges, len(corner_of))
    crowded = _crowded(links, tails.size)
    flat = tails.reshape(-1)
    return Topology(
        exact_vertices=exact_vertices,
        corner_of=corner_of,
        whole=whole,
        tails=flat,
        boundary=boundary,
        links=links,
        crowded=crowded,
        along=flat.take(links[0]) == flat.take(links[1]),
        component=component,
        components=components,
        duplicates=whole.take(_duplicates(tails, links, crowded)),
    )


def merge(points: Coordinates) -> tuple[Vertices, Places, int]:
    """Number the distinct places.

    Args:
        points: Shape (3 axes, points).

    Returns:
        For each point the number of its vertex; for each vertex one point that lies there; and how
        many vertices there are if only points of the same bits are one, but for -0 and 0.
    """
    columns, moved = snapped(points)
    leader = group(columns)
    first = leader == np.arange(len(leader), dtype=np.int32)
    number = np.cumsum(first, dtype=np.int32)
    number -= 1
    vertex_of, corner_of = number.take(leader), np.flatnonzero(first)
    if not len(moved):
        return vertex_of, corner_of, len(corner_of)
    # No two points of one vertex lie on the grid and differ; beside those it has the moved ones.
    kept = np.ones(len(leader), dtype=np.bool_)
    kept[moved] = False
    on_grid = occurring(vertex_of[kept], len(corner_of))
    off_grid = group(_packed(points.take(moved, axis=1) + np.float32(0)))
    exact = np.count_nonzero(on_grid) + np.count_nonzero(off_grid == np.arange(len(moved)))
    return vertex_of, corner_of, int(exact)


def snapped(points: Coordinates) -> tuple[tuple[Column, Column], Places]:
    """Put points on the grid.

    Args:
        points: Shape (3 axes, points).

    Returns:
        Their bits in two columns, equal if and only if they lie together, and who was moved.
    """
    count = points.shape[1]
    columns = np.empty(count, dtype=np.uint64), np.empty(count, dtype=np.uint64)
    moved = np.zeros(count, dtype=np.bool_)
    for block in blocks(count):
        snapped = points[:, block] + np.float32(0)  # which makes -0 to 0
        for axis in snapped:
            near = np.flatnonzero(np.abs(axis) < _FINER_BELOW_MM)
            before = axis.take(near)
            axis[near] = np.rint(np.multiply(before, GRID_PER_MM, dtype=np.float64)) / GRID_PER_MM
            axis[near] += np.float32(0)
            moved[block][near] |= axis.take(near) != before
        columns[0][block], columns[1][block] = _packed(snapped)
    return columns, np.flatnonzero(moved)


def _packed(points: Coordinates) -> tuple[Column, Column]:
    x, y, z = points.view(np.uint32).astype(np.uint64)
    return x << _HALF | y, z


def _whole(vertex_of: Vertices) -> tuple[Vertices, Places]:
    """The triangles that are not degenerate, and their numbers."""
    a, b, c = vertex_of
    whole = np.flatnonzero((a != b) & (b != c) & (c != a))
    return (vertex_of if len(whole) == len(a) else vertex_of[:, whole]), whole


def _edges(tails: Vertices) -> tuple[Column, Places, Places]:
    """The edges by their vertices, the links between their sides, and the sides without one."""
    keys = _edge_keys(tails)
    leader = group((keys,))
    leads = leader == np.arange(len(leader), dtype=np.int32)
    following = np.flatnonzero(~leads)
    links = np.stack((leader.take(following).astype(np.intp), following))
    alone = leads.copy()
    alone[links[0]] = False
    return keys[leads], links, np.flatnonzero(alone)


def _edge_keys(tails: Vertices) -> Column:
    """For each side its vertices, the lower one first."""
    count = tails.shape[1]
    keys = np.empty(3 * count, dtype=np.uint64)
    for side, (tail, head) in enumerate(zip(tails, np.roll(tails, -1, axis=0), strict=True)):
        of_side = keys[side * count : (side + 1) * count]
        for block in blocks(count):
            key = of_side[block]
            key[:] = np.minimum(tail[block], head[block])
            key <<= _HALF
            key |= np.maximum(tail[block], head[block]).view(np.uint32)
    return keys


def _crowded(links: Places, sides: int) -> npt.NDArray[np.bool_]:
    """Which links share their leader with another one."""
    last = np.empty(sides, dtype=np.int32)  # only what is written is read
    leaders, following = links
    last[leaders] = following
    twice = np.flatnonzero(last.take(leaders) != following)
    if not len(twice):
        return np.zeros(len(leaders), dtype=np.bool_)
    crowded: npt.NDArray[np.bool_] = occurring(leaders.take(twice), sides).take(leaders)
    return crowded


def _components(edges: Column, vertices: int) -> tuple[Places, int]:
    """For each vertex the number of its component; those that only degenerate ones have have -1."""
    low, high = (edges >> _HALF).view(np.int64), (edges & _LOW_HALF).view(np.int64)
    piece, count = pieces(low, high, vertices)
    used = np.zeros(vertices, dtype=np.bool_)
    used[low] = used[high] = True
    if used.all():
        return piece, count
    held = occurring(piece[used], count)
    number = np.where(held, np.cumsum(held) - 1, -1)
    return number.take(piece), int(np.count_nonzero(held))


def _duplicates(tails: Vertices, links: Places, crowded: npt.NDArray[np.bool_]) -> Places:
    """Of triangles with the same three vertices all but one.

    Two such triangles own the same edges. Where an edge has no third owner, the corners across it
    are one vertex as well; so all other triangles need not be looked at.
    """
    flat, count = tails.reshape(-1), tails.shape[1]
    across = np.roll(tails, -2, axis=0).reshape(-1)
    alike = links[:, crowded | (across.take(links[0]) == across.take(links[1]))]
    if not alike.size:
        return np.empty(0, dtype=np.intp)
    suspects = np.flatnonzero(occurring(alike % count, count))
    low, middle, high = np.sort(flat.reshape(3, -1)[:, suspects], axis=0).astype(np.uint64)
    leader = group((low << _HALF | middle, high))
    # The earliest one is the one that is repeated.
    first = np.full(len(suspects), len(suspects))
    np.minimum.at(first, leader, np.arange(len(suspects)))
    repeated: Places = suspects[first.take(leader) != np.arange(len(suspects))]
    return repeated


def fans(shape: Topology) -> Places:
    """The vertices with more than one fan."""
    fan, count = pieces(*_beside(shape), len(shape.tails))
    corner_of_fan = np.empty(count, dtype=np.intp)
    corner_of_fan[fan] = np.arange(len(fan))
    fans_at = np.bincount(shape.tails.take(corner_of_fan), minlength=len(shape.corner_of))
    return np.flatnonzero(fans_at > 1)


def _beside(shape: Topology) -> tuple[Places, Places]:
    """The corners that meet at both ends of every edge, the smaller number first."""
    one, other = shape.links
    # Sides that run alike share their tails and their heads; others share them crosswise.
    across = shape.next(other)
    tails = np.concatenate((one, shape.next(one)))
    heads = np.concatenate(
        (np.where(shape.along, other, across), np.where(shape.along, across, other))
    )
    return np.minimum(tails, heads), np.maximum(tails, heads)


def flipped(shape: Topology) -> tuple[Places, int]:
    """Which triangles are flipped, and how many patches have one side only.

    Each triangle is taken twice, as it is and turned. Across an edge of two that agree hang its
    like, across one of two that do not its opposite: so a patch with two sides falls apart in two.
    """
    if not shape.inconsistent_edges.size:
        return np.empty(0, dtype=np.intp), 0
    count = len(shape.whole)
    one, other = shape.links[:, ~shape.crowded] % count
    turned = shape.along[~shape.crowded]
    tails = np.concatenate((one, one + count))
    heads = np.concatenate((other + count * turned, other + count * ~turned))
    half, halves = pieces(np.minimum(tails, heads), np.maximum(tails, heads), 2 * count)
    as_is, turned_half = half[:count], half[count:]
    one_sided = as_is == turned_half
    sizes = np.bincount(as_is, minlength=halves)
    fewer = sizes.take(as_is) < sizes.take(turned_half)
    equal = sizes.take(as_is) == sizes.take(turned_half)
    minority = ~one_sided & (fewer | (equal & (as_is > turned_half)))
    return shape.whole[minority], int(np.count_nonzero(occurring(as_is[one_sided], halves)))
