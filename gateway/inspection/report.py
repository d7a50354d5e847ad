"""What an inspection is asked and what it answers: frozen, versioned, with the unit in the name.

A report holds numbers and codes; the sentences of a finding come from the table below, on the side
that shows them. So a worker that lies cannot put words into our mouth.

Every finding is advice to a person (P7): none of them refuses a file.
"""

from dataclasses import asdict, dataclass, field
from typing import Literal

from gateway.inspection.errors import Words

Kind = Literal["scan", "photo"]


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
class _Meaning:
    severity: Literal["warning", "note"]
    unit: str
    words: Words


FINDINGS: dict[str, _Meaning] = {
    "holes": _Meaning(
        "warning",
        "openings",
        Words(
            "Openings of the surface besides its base: {number}.",
            "Openingen in het oppervlak naast de onderkant: {number}.",
        ),
    ),
    "several_pieces": _Meaning(
        "warning",
        "pieces",
        Words(
            "Loose pieces that the scan consists of: {number}.",
            "Losse delen waaruit de scan bestaat: {number}.",
        ),
    ),
    "non_manifold_edges": _Meaning(
        "warning",
        "edges",
        Words(
            "Edges at which more than two triangles meet: {number}.",
            "Randen waar meer dan twee driehoeken samenkomen: {number}.",
        ),
    ),
    "inconsistent_winding": _Meaning(
        "warning",
        "edges",
        Words(
            "Edges at which inside and outside of the surface change places: {number}.",
            "Randen waar binnen- en buitenkant van het oppervlak wisselen: {number}.",
        ),
    ),
    "degenerate_triangles": _Meaning(
        "note",
        "triangles",
        Words(
            "Triangles with two corners in one place: {number}.",
            "Driehoeken met twee hoeken op één plek: {number}.",
        ),
    ),
    "duplicate_triangles": _Meaning(
        "note",
        "triangles",
        Words(
            "Triangles that repeat another one: {number}.",
            "Driehoeken die een andere herhalen: {number}.",
        ),
    ),
    "colour_profile_removed": _Meaning(
        "note",
        "profiles",
        Words(
            "A colour profile was taken out; colours may look a little different.",
            "Een kleurprofiel is verwijderd; kleuren kunnen iets anders ogen.",
        ),
    ),
}
FindingCode = Literal[
    "holes",
    "several_pieces",
    "non_manifold_edges",
    "inconsistent_winding",
    "degenerate_triangles",
    "duplicate_triangles",
    "colour_profile_removed",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation with a number, and a plain sentence for the dentist."""

    code: FindingCode
    number: int

    @property
    def severity(self) -> Literal["warning", "note"]:
        """Whether to look at it before treatment, or to know it."""
        return FINDINGS[self.code].severity

    @property
    def unit(self) -> str:
        """What the number counts."""
        return FINDINGS[self.code].unit

    @property
    def message_en(self) -> str:
        """The sentence in English."""
        return FINDINGS[self.code].words.en.format(number=self.number)

    @property
    def message_nl(self) -> str:
        """The sentence in Dutch."""
        return FINDINGS[self.code].words.nl.format(number=self.number)

    def to_json(self) -> dict[str, object]:
        """The finding with its words, for the API."""
        return {
            "code": self.code,
            "severity": self.severity,
            "number": self.number,
            "unit": self.unit,
            "message_en": self.message_en,
            "message_nl": self.message_nl,
        }


Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """The smallest box around a scan, along the axes of its file."""

    min: Point
    max: Point
    size: Point


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What is measured on a scan. The definitions are those of `gateway.inspection.topology`."""

    format: Literal["stl_binary", "stl_ascii"]
    triangles: int
    vertices: int
    box_mm: Box
    area_mm2: float
    boundary_edges: int
    boundary_loops: int
    non_manifold_edges: int
    inconsistent_edges: int
    winding_consistent: bool
    degenerate_triangles: int
    duplicate_triangles: int
    components: int
    findings: tuple[Finding, ...]
    merge: Literal["grid_1e-8_mm"] = "grid_1e-8_mm"
    kind: Literal["scan"] = "scan"
    version: Literal[1] = 1

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object, findings with their words."""
        return asdict(self) | {"findings": [finding.to_json() for finding in self.findings]}


Removed = Literal[
    "application",
    "animation",
    "colour_profile",
    "comment",
    "exif",
    "gps",
    "iptc",
    "more_pictures",
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
        format: Its coding, which the clean file keeps.
        width_px: Stored width, before the orientation is applied.
        height_px: Stored height, before the orientation is applied.
        orientation: Exif tag 0x0112, 1 to 8; kept, because a mirrored photo swaps left and right.
        removed: Kinds of metadata that were there, sorted.
        findings: Advice.
    """

    format: Literal["jpeg", "png"]
    width_px: int
    height_px: int
    orientation: int
    removed: tuple[Removed, ...]
    findings: tuple[Finding, ...]
    kind: Literal["photo"] = "photo"
    version: Literal[1] = 1

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object, findings with their words."""
        return asdict(self) | {"findings": [finding.to_json() for finding in self.findings]}


Report = ScanReport | PhotoReport

MEDIA_TYPES = {
    "stl_binary": "model/stl",
    "stl_ascii": "model/stl",
    "jpeg": "image/jpeg",
    "png": "image/png",
}
"""The media type of the clean file by the format that came in (RFC 8081, RFC 2046, RFC 2083)."""


@dataclass(frozen=True, slots=True)
class Result:
    """An accepted file.

    Attributes:
        report: What was measured.
        clean: The file to keep: canonical, without anything that identifies. Never in a repr.
        media_type: Of `clean`.
    """

    report: Report
    clean: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a worker reached beyond its limits, which hold everywhere.

    Attributes:
        network: A network namespace of its own, with nothing in it.
        files: No path can be opened or executed (Landlock).
        memory: Memory is locked, so that nothing of a file is swapped to a disk.
    """

    network: bool
    files: bool
    memory: bool
