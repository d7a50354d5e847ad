"""What an inspection is asked and what it answers: frozen, versioned, with the unit in the name.

A report holds numbers and codes; the sentences of its findings come from `findings`.
"""

from dataclasses import asdict, dataclass, field
from typing import Literal

from gateway.inspection.findings import Finding, Point
from gateway.inspection.forms import Dropped, ScanFormat
from gateway.inspection.scrub import BASIC, Scrubbed

Kind = Literal["scan", "photo"]
LISTED = 64  # openings and pieces of a scan at the most, so that a report stays small


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a file may be, in its own measures.

    Attributes:
        triangles: Most triangles of a scan.
        coordinate_mm: Largest distance of a coordinate from the origin, in mm.
        pixels: Most pixels of a photo, checked before it is decoded.
    """

    triangles: int = 2_500_000
    coordinate_mm: float = 1e5
    pixels: int = 40_000_000


@dataclass(frozen=True, slots=True)
class Box:
    """The smallest box around a scan, along the axes of its file."""

    min: Point
    max: Point
    size: Point


@dataclass(frozen=True, slots=True)
class Opening:
    """One border of the surface: connected boundary edges.

    Attributes:
        kind: The base of an open scan, a hole, or a crack whose two sides nearly meet.
        edges: How many there are.
        length_mm: All around.
        area_mm2: Of the area vector: what a flat surface over it would have.
        place: Its centre, each edge counting as much as it is long.
    """

    kind: Literal["base", "hole", "crack"]
    edges: int
    length_mm: float
    area_mm2: float
    place: Point


@dataclass(frozen=True, slots=True)
class Piece:
    """One component.

    Attributes:
        triangles: How many it has.
        area_mm2: Of them.
        place: A corner of its first triangle.
    """

    triangles: int
    area_mm2: float
    place: Point


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What is measured on a scan. `docs/definitions.md` has the definitions.

    Attributes:
        volume_mm3: Inside the surface if it is closed and its winding consistent; negative if it is
            inside out.
        openings: The longest `LISTED` ones.
        pieces: The `LISTED` ones with the most triangles.
        same_scan: 32 hexadecimal digits that two files share if they have the same triangles, in
            whatever order, format and direction.
        dropped: Kinds of things that the clean file does not have.
        scrubbed: What was done to it, in codes of DICOM.
    """

    format: ScanFormat
    triangles: int
    vertices: int
    exact_vertices: int
    box_mm: Box
    area_mm2: float
    volume_mm3: float | None
    median_edge_mm: float
    long_edge_mm: float
    triangles_per_mm2: float
    boundary_edges: int
    boundary_loops: int
    openings: tuple[Opening, ...]
    non_manifold_edges: int
    non_manifold_vertices: int
    inconsistent_edges: int
    winding_consistent: bool
    flipped_triangles: int
    degenerate_triangles: int
    duplicate_triangles: int
    wrong_normals: int
    spikes: int
    components: int
    pieces: tuple[Piece, ...]
    same_scan: str
    dropped: tuple[Dropped, ...]
    findings: tuple[Finding, ...]
    scrubbed: tuple[Scrubbed, ...] = BASIC
    merge: Literal["grid_1e-8_mm"] = "grid_1e-8_mm"
    kind: Literal["scan"] = "scan"
    version: Literal[2] = 2

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object, findings and codes with their words."""
        return asdict(self) | _spoken(self)


PhotoFormat = Literal["jpeg", "png", "heic"]
Removed = Literal[
    "application",
    "animation",
    "colour_profile",
    "comment",
    "exif",
    "gps",
    "iptc",
    "maker_notes",
    "more_pictures",
    "provenance",
    "text",
    "thumbnail",
    "time",
    "trailer",
    "xmp",
]


@dataclass(frozen=True, slots=True)
class PhotoReport:
    """What a photo is, and which kinds of metadata were taken out of it.

    Attributes:
        format: Its coding, which the clean file keeps; a HEIC becomes a JPEG.
        width_px: Width in the clean file, before the orientation is applied.
        height_px: Height in the clean file, before the orientation is applied.
        orientation: Exif tag 0x0112, 1 to 8; kept, because a mirrored photo swaps left and right.
        removed: Kinds of metadata that were there, sorted.
        findings: Advice.
        scrubbed: What was done to it, in codes of DICOM.
    """

    format: PhotoFormat
    width_px: int
    height_px: int
    orientation: int
    removed: tuple[Removed, ...]
    findings: tuple[Finding, ...]
    scrubbed: tuple[Scrubbed, ...] = BASIC
    kind: Literal["photo"] = "photo"
    version: Literal[2] = 2

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object, findings and codes with their words."""
        return asdict(self) | _spoken(self)


Report = ScanReport | PhotoReport


def _spoken(report: Report) -> dict[str, object]:
    return {
        "findings": [finding.to_json() for finding in report.findings],
        "scrubbed": [scrubbed.to_json() for scrubbed in report.scrubbed],
    }


MEDIA_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "heic": "image/jpeg",
}
"""The media type of a clean photo by its format (RFC 2046, RFC 2083); scans: see `forms`."""

THUMBNAIL_BYTES = 1 << 16
TEXTS = 1000  # pieces of free text taken out of one file
TEXTS_BYTES = 1 << 16  # of all of them, in UTF-8


@dataclass(frozen=True, slots=True)
class Result:
    """An accepted file.

    Attributes:
        report: What was measured.
        clean: The file to keep: canonical, without anything that identifies. Never in a repr.
        media_type: Of `clean`.
        thumbnail: A small JPEG of it; empty if it cannot be drawn. Never in a repr.
        texts: Free text that was taken out of the file, to be searched for what identifies and
            thrown away: never kept, logged or shown.
    """

    report: Report
    clean: bytes = field(repr=False)
    media_type: str
    thumbnail: bytes = field(default=b"", repr=False)
    texts: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a worker reached beyond its limits, which hold everywhere.

    Attributes:
        network: A network namespace of its own, with nothing in it.
        files: No path can be opened or executed (Landlock).
        memory: Memory is locked, so that nothing of a file is swapped to a disk.
        calls: Only a short list of calls to the kernel is left (seccomp).
    """

    network: bool
    files: bool
    memory: bool
    calls: bool
