"""Faces of more than three corners, cut into triangles.

Scanners write triangles; quads and polygons come from programs for modelling. A face is cut into a
fan from its first corner. That is right for every convex one; a fan that folds over itself would
be another surface than the one that was meant, so such a face is refused.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from gateway.inspection.errors import TooManyTrianglesError, UnreadableScanError
from gateway.inspection.report import Limits
from gateway.inspection.scans.mesh import Coordinates

_FEWEST_CORNERS, _MOST_CORNERS = 3, 64
_FLAT = 1e-6  # of the product of two lengths: what rounding may turn over


@dataclass(frozen=True, slots=True)
class Fans:
    """The triangles of some faces whose corners are listed one behind the other.

    Attributes:
        corners: Which of the listed corners each triangle has, shape (3, triangles).
        faces: Of which face each triangle is, counted from 0.
        whole: Every face is a triangle.
    """

    corners: npt.NDArray[np.int64]
    faces: npt.NDArray[np.int64]
    whole: bool

    @classmethod
    def of(cls, counts: npt.NDArray[np.int32], limits: Limits) -> Self:
        """Cut faces of so many corners each.

        Raises:
            UnreadableScanError: There is no face, or one has too few corners or too many.
            TooManyTrianglesError: Found before anything is allocated for them.
        """
        if not len(counts):
            raise UnreadableScanError("empty")
        wrong = (counts < _FEWEST_CORNERS) | (counts > _MOST_CORNERS)
        if wrong.any():
            raise UnreadableScanError("polygon", face=int(np.argmax(wrong)) + 1)
        triangles_of = counts.astype(np.int64) - 2
        triangles = int(triangles_of.sum())
        if triangles > limits.triangles:
            raise TooManyTrianglesError(triangles=triangles, limit=limits.triangles)
        faces = np.repeat(np.arange(len(counts)), triangles_of)
        before = np.cumsum(triangles_of) - triangles_of
        first = (before + 2 * np.arange(len(counts)))[faces]
        second = first + 1 + np.arange(triangles) - before[faces]
        return cls(np.stack((first, second, second + 1)), faces, triangles == len(counts))

    def vertices(self, numbers: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
        """The vertices of the triangles, shape (3, triangles).

        Args:
            numbers: The vertex of each listed corner.
            count: How many vertices there are.

        Raises:
            UnreadableScanError: With the number of the first face that has another one, from 1.
        """
        vertices = numbers[self.corners]
        outside = ((vertices < 0) | (vertices >= count)).any(axis=0)
        if outside.any():
            raise UnreadableScanError("corner", face=int(self.faces[np.argmax(outside)]) + 1)
        return vertices

    def check(self, corners: Coordinates) -> None:
        """Refuse fans that fold over themselves.

        Args:
            corners: Of all triangles, shape (3 axes, 3 corners, triangles).

        Raises:
            UnreadableScanError: With the number of the first such face, from 1.
        """
        if self.whole:
            return
        first, second, third = corners.astype(np.float64).transpose(1, 2, 0)
        with np.errstate(invalid="ignore", over="ignore"):  # such coordinates are refused later
            normals = np.cross(second - first, third - first)
            sums = np.stack([np.bincount(self.faces, axis) for axis in normals.T])[:, self.faces]
            along = (normals.T * sums).sum(axis=0)
            lengths = np.linalg.norm(normals, axis=1) * np.linalg.norm(sums, axis=0)
            folded = along < -_FLAT * lengths
        if folded.any():
            raise UnreadableScanError("polygon", face=int(self.faces[np.argmax(folded)]) + 1)
