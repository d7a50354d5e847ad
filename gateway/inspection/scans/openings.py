"""Where a surface ends: its base, its holes, its cracks.

An intra-oral scan is open: it ends somewhere around the teeth. That border is no defect. Of each
component the longest border is its *base* if it spans an eighth of the component's area or more:
a cube without a face opens a fifth of what is left, one without a triangle an eleventh, the arches
that we know 0.28 and more. A *crack* is a border that spans less than a fiftieth of the circle
around it: two edges that nearly meet. All others are *holes*.

What a border spans is its area vector: exact for a flat opening, too little for one that is folded
over the edge of a tooth.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.inspection.scans.grouping import occurring, pieces, sums
from gateway.inspection.scans.mesh import Coordinates
from gateway.inspection.scans.topology import Places, Topology, Vertices

BASE_SHARE = 1 / 8
CRACK_SHARE = 1 / 50
Measures = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Openings:
    """Each border of the surface, the longest first.

    Attributes:
        edges: How many each has.
        lengths: In mm.
        areas: In mm2, of the area vector.
        places: Centres, shape (3, borders).
        base: Which are bases.
        crack: Which are cracks.
    """

    edges: npt.NDArray[np.intp]
    lengths: Measures
    areas: Measures
    places: Measures
    base: npt.NDArray[np.bool_]
    crack: npt.NDArray[np.bool_]


def openings(corners: Coordinates, shape: Topology, area_of_component: Measures) -> Openings:
    """Measure every border.

    Args:
        corners: Shape (3 axes, 3 corners, triangles).
        shape: Their topology.
        area_of_component: In mm2.
    """
    tails, heads = shape.tails.take(shape.boundary), shape.heads(shape.boundary)
    loop, count = _loops(tails, heads, len(shape.corner_of))
    start, end = _ends(corners, shape, tails), _ends(corners, shape, heads)
    length = _length(end - start)
    lengths = sums(loop, length, count)
    places = np.empty((3, count))
    for ours, *ends in zip(places, start, end, strict=True):
        ours[:] = sums(loop, np.add(*ends) / 2 * length, count) / lengths
        for one in ends:
            np.subtract(one, ours.take(loop), out=one)
    areas = _area_vectors(start, end, loop, count) / 2
    reach = np.zeros(count)
    np.maximum.at(reach, loop, _length(start))

    order = np.argsort(-lengths, kind="stable")
    component = np.empty(count, dtype=np.intp)
    component[loop] = shape.component.take(tails)
    longest = np.full(shape.components, -1)
    longest[component[order[::-1]]] = order[::-1]  # written last, and so kept, is the longest
    wide = areas >= BASE_SHARE * area_of_component[component]
    base = wide & (longest[component] == np.arange(count))
    crack = ~base & (areas < CRACK_SHARE * np.pi * reach**2)
    return Openings(
        edges=np.bincount(loop, minlength=count)[order],
        lengths=lengths[order],
        areas=areas[order],
        places=places[:, order],
        base=base[order],
        crack=crack[order],
    )


def _loops(tails: Vertices, heads: Vertices, vertices: int) -> tuple[Places, int]:
    """For each boundary edge the number of its border, and how many borders there are."""
    on_border = occurring(tails, vertices) | occurring(heads, vertices)
    number = np.cumsum(on_border) - 1
    one, other = number.take(tails), number.take(heads)
    piece, count = pieces(np.minimum(one, other), np.maximum(one, other), int(on_border.sum()))
    return piece.take(one), count


def _ends(corners: Coordinates, shape: Topology, vertices: Vertices) -> Coordinates:
    return corners.reshape(3, -1).take(shape.corner_of.take(vertices), axis=1)


def _length(vectors: Coordinates) -> Measures:
    squares = np.zeros(vectors.shape[1])
    for axis in vectors:
        squares += np.square(axis, dtype=np.float64)
    length: Measures = np.sqrt(squares)
    return length


def _area_vectors(start: Coordinates, end: Coordinates, loop: Places, count: int) -> Measures:
    """How long twice the area vector of each border is."""
    squares = np.zeros(count)
    for y, z in ((1, 2), (2, 0), (0, 1)):
        squares += sums(loop, start[y] * end[z] - start[z] * end[y], count) ** 2
    length: Measures = np.sqrt(squares)
    return length
