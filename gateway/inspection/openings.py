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

from gateway.inspection.grouping import occurring, pieces, sums
from gateway.inspection.mesh import Coordinates
from gateway.inspection.topology import Topology

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
    on_border = occurring(np.concatenate((tails, heads)), len(shape.corner_of))
    number = np.cumsum(on_border) - 1
    one, other = number.take(tails), number.take(heads)
    low, high = np.minimum(one, other), np.maximum(one, other)
    piece, count = pieces(low, high, int(np.count_nonzero(on_border)))
    loop = piece.take(low)

    points = corners.reshape(3, -1)[:, shape.corner_of]
    start, end = points[:, tails].astype(np.float64), points[:, heads].astype(np.float64)
    length = np.sqrt(((end - start) ** 2).sum(axis=0))
    lengths = sums(loop, length, count)
    places = np.stack([sums(loop, axis * length, count) for axis in (start + end) / 2])
    places /= lengths
    start -= places[:, loop]
    end -= places[:, loop]
    vectors = [sums(loop, axis, count) for axis in np.cross(start, end, axis=0)]
    areas = np.sqrt(np.square(vectors).sum(axis=0)) / 2
    reach = np.zeros(count)  # squared
    np.maximum.at(reach, loop, (start**2).sum(axis=0))

    component = np.empty(count, dtype=np.intp)
    component[loop] = shape.component.take(tails)
    order = np.argsort(-lengths, kind="stable")
    longest = np.full(shape.components, -1)
    longest[component[order[::-1]]] = order[::-1]  # written last, and so kept, is the longest
    longest = longest[longest >= 0]
    base = np.zeros(count, dtype=np.bool_)
    base[longest] = (areas >= BASE_SHARE * area_of_component[component])[longest]
    crack = ~base & (areas < CRACK_SHARE * np.pi * reach)
    return Openings(
        edges=np.bincount(loop, minlength=count)[order],
        lengths=lengths[order],
        areas=areas[order],
        places=places[:, order],
        base=base[order],
        crack=crack[order],
    )
