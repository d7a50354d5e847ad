"""A triangle mesh.

Distances are in mm, as intra-oral scanners write them. The mesh is never changed: coordinates stay
bit for bit what they were in the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gateway.inspection.errors import ScanNotFiniteError, ScanOutOfRangeError
from gateway.inspection.forms import Dropped, ScanFormat

Coordinates = npt.NDArray[np.float32]
Colours = npt.NDArray[np.uint8]

BLOCK = 32_768  # triangles at a time: the temporaries of one block stay in the cache


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles as they came.

    Attributes:
        format: What the file was.
        corners: Shape (3 axes, 3 corners, triangles): each axis of each corner lies in one piece,
            which is what makes the arithmetic fast.
        colours: Red, green and blue of each corner, shape (3, 3 corners, triangles), if it had any.
        texts: Free text that was met, at most `TEXTS_BYTES` in all. It goes no further than to
            whoever looks for identifiers in it.
        dropped: Kinds of things that were there and are left out, sorted.
        wrong_normals: Triangles whose stored normal lies on the other side than the order of their
            corners says. A stored zero is no normal.
    """

    format: ScanFormat
    corners: Coordinates
    colours: Colours | None = None
    texts: tuple[str, ...] = field(default=(), repr=False)
    dropped: tuple[Dropped, ...] = ()
    wrong_normals: int = 0

    @property
    def triangles(self) -> int:
        """How many there are."""
        return int(self.corners.shape[2])


def check_coordinates(mesh: Mesh, limit_mm: float) -> None:
    """Refuse coordinates that are not finite or too far out.

    Raises:
        ScanNotFiniteError: With the number of the first such triangle, from 1.
        ScanOutOfRangeError: Likewise.
    """
    corners = mesh.corners
    # NaN and infinity both survive min and max, so two passes are enough for a good mesh.
    low, high = float(corners.min()), float(corners.max())
    if -limit_mm <= low and high <= limit_mm:
        return
    finite = np.isfinite(corners).all(axis=(0, 1))
    if not finite.all():
        raise ScanNotFiniteError(triangle=int(np.argmin(finite)) + 1)
    outside = (np.abs(corners) > limit_mm).any(axis=(0, 1))
    raise ScanOutOfRangeError(triangle=int(np.argmax(outside)) + 1, limit_mm=limit_mm)


def count_wrong_normals(corners: Coordinates, normals: Coordinates) -> int:
    """How many stored normals point more than 90 degrees away from what the corners say.

    Args:
        corners: Shape (3 axes, 3 corners, triangles).
        normals: Shape (3 axes, triangles); a zero or what is no number contradicts nothing.
    """
    wrong = 0
    with np.errstate(over="ignore", invalid="ignore"):
        for number, products in enumerate(cross_products(corners)):
            stored = normals[:, number * BLOCK : (number + 1) * BLOCK]
            wrong += int(np.count_nonzero((stored * products).sum(axis=0) < 0))
    return wrong


def cross_products(corners: Coordinates) -> Iterator[Coordinates]:
    """Per block of triangles the normal vectors, twice the area long, shape (3, block)."""
    for start in range(0, corners.shape[2], BLOCK):
        first, second, third = corners[:, :, start : start + BLOCK].transpose(1, 0, 2)
        ax, ay, az = second - first
        bx, by, bz = third - first
        yield np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx))
