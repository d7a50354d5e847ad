"""What is measured on the triangles of a surface, one after the other and all together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.inspection.scans.grouping import blocks
from gateway.inspection.scans.mesh import Coordinates
from gateway.inspection.scans.topology import Places, Topology, snapped

SPIKE_DEGREES = 60.0
# A squared length is told by its upper 18 bits: a length to 0.1 %.
_DROPPED_BITS = np.int32(14)
_ODD = np.uint64(0x9E37_79B9_7F4A_7C15), np.uint64(0xC2B2_AE3D_27D4_EB4F)
_FOLD = np.uint64(32)

Lengths = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """What the triangles measure.

    Attributes:
        areas: Of each triangle, in mm2.
        volume: That they enclose if they are closed, in mm3.
        squares: Squared length of each side, from each corner to the next, shape (3, triangles).
    """

    areas: Lengths
    volume: float
    squares: Lengths


def measure_sizes(corners: Coordinates) -> Sizes:
    """Measure each triangle.

    Args:
        corners: Shape (3 axes, 3 corners, triangles).
    """
    count = corners.shape[2]
    areas, squares = np.empty(count, np.float32), np.empty((3, count), np.float32)
    # Volumes are sums of large terms of both signs; seen from the middle they are smallest.
    middle = corners[:, 0].mean(axis=1, dtype=np.float64).astype(np.float32)[:, None]
    volume = 0.0
    for block in blocks(count):
        first, second, third = corners[:, :, block].transpose(1, 0, 2)
        sides = second - first, third - second, first - third
        for square, side in zip(squares, sides, strict=True):
            np.einsum("ij,ij->j", side, side, out=square[block])
        (ax, ay, az), (bx, by, bz) = sides[0], sides[1]
        normal = np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx))
        np.sqrt(np.einsum("ij,ij->j", normal, normal), out=areas[block])
        volume += float(np.einsum("ij,ij->j", first - middle, normal).sum(dtype=np.float64))
    areas /= np.float32(2)
    return Sizes(areas, volume / 6, squares)


def edge_lengths(squares: Lengths) -> tuple[float, float]:
    """The length that half of the sides exceed, and the one that a twentieth does, to 0.1 %.

    Args:
        squares: Squared lengths in mm2. An edge of two triangles counts twice.
    """
    # The bits of a positive number, read as a whole number, are in the order of the numbers.
    counts = np.bincount(squares.reshape(-1).view(np.int32) >> _DROPPED_BITS)
    below = np.cumsum(counts)
    if not len(below):
        return 0.0, 0.0
    bins = np.searchsorted(below, (0.5 * below[-1], 0.95 * below[-1])).astype(np.int32)
    median, long = np.sqrt(((bins << _DROPPED_BITS) + (1 << 13)).view(np.float32)).tolist()
    return median, long


def spikes(shape: Topology, squares: Lengths) -> Places:
    """Vertices at which the surface comes to a point like a needle's.

    The angles of the triangles around such a vertex sum up to less than `SPIKE_DEGREES`, where a
    flat surface has 360: a cone that is three times as high as it is wide. It has no border there.

    Args:
        shape: Topology of the mesh.
        squares: Squared lengths of the sides of whole triangles.
    """
    tails = shape.tails.reshape(3, -1)
    first, second, third = squares
    # The angle across the longest side has 60 degrees or more: its vertex is no tip.
    blunt = np.zeros(len(shape.corner_of), dtype=np.bool_)
    blunt[tails[0, (second >= first) & (second >= third)]] = True
    blunt[tails[1, (third >= first) & (third >= second)]] = True
    blunt[tails[2, (first >= second) & (first >= third)]] = True
    blunt[shape.tails.take(shape.boundary)] = blunt[shape.heads(shape.boundary)] = True
    corner = np.flatnonzero(~blunt.take(shape.tails))
    flat, follows = squares.reshape(-1), shape.next(corner)
    beside, across, before = flat.take(corner), flat.take(follows), flat.take(shape.next(follows))
    with np.errstate(all="ignore"):  # overflows and underflows make no tip
        cosine = (beside + before - across) / (2 * np.sqrt(beside) * np.sqrt(before))
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    sums = np.bincount(shape.tails.take(corner), angle, len(shape.corner_of))
    seen = np.bincount(shape.tails.take(corner), minlength=len(shape.corner_of)) > 0
    return np.flatnonzero(seen & (sums < SPIKE_DEGREES))


def fingerprint(corners: Coordinates, shape: Topology) -> str:
    """32 hexadecimal digits that depend on the whole triangles alone, not on how they are written.

    Each triangle adds a hash of its three vertices, so that no order matters. It tells accidents
    apart, not forgeries.
    """
    columns, _ = snapped(corners.reshape(3, -1)[:, shape.corner_of])
    digits = []
    for odd in _ODD:
        of_vertex = np.zeros(len(shape.corner_of), dtype=np.uint64)
        for column in columns:
            of_vertex ^= of_vertex >> _FOLD
            of_vertex += column
            of_vertex *= odd
        of_vertex ^= of_vertex >> _FOLD
        a, b, c = (of_vertex.take(tails) for tails in shape.tails.reshape(3, -1))
        of_triangle = a + b + c
        of_triangle ^= of_triangle >> _FOLD
        of_triangle *= odd
        of_triangle ^= of_triangle >> _FOLD
        digits.append(f"{int(of_triangle.sum(dtype=np.uint64)):016x}")
    return "".join(digits)
