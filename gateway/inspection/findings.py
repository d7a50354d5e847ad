"""Findings: what was observed about a file: a number, a place, and a sentence that says what to do.

Every finding is advice to a person (P7): none of them refuses a file. A finding carries codes and
numbers alone; the sentences come from the table below, on the side that shows them. So a worker
that lies cannot put words into our mouth.
"""

from dataclasses import dataclass
from typing import Literal

from gateway.inspection.errors import Words

Point = tuple[float, float, float]
Region = Literal["front", "left", "right", "middle"]
PLACES = 64  # of one finding at the most, so that a report stays small


@dataclass(frozen=True, slots=True)
class _Meaning:
    severity: Literal["warning", "note"]
    unit: str
    words: Words


# A scan does not say which jaw it is, so left and right are those of its picture.
_REGIONS: dict[Region, Words] = {
    "front": Words(" at the front teeth", " bij de voortanden"),
    "left": Words(" on the left of the picture", " links op de afbeelding"),
    "right": Words(" on the right of the picture", " rechts op de afbeelding"),
    "middle": Words(" in the middle of the arch", " midden in de boog"),
}

FINDINGS: dict[str, _Meaning] = {
    "hole": _Meaning(
        "warning",
        "mm2",
        Words(
            "Hole of {number} mm² in the surface{where}: rescan that place.",
            "Gat van {number} mm² in het oppervlak{where}: scan die plek opnieuw.",
        ),
    ),
    "more_holes": _Meaning(
        "warning",
        "holes",
        Words(
            "Further, smaller holes in the surface: {number}. Rescan those places, or fill them "
            "if they lie outside the teeth.",
            "Nog meer, kleinere gaten in het oppervlak: {number}. Scan die plekken opnieuw, of "
            "vul ze als ze buiten de tanden liggen.",
        ),
    ),
    "crack": _Meaning(
        "warning",
        "mm",
        Words(
            "Open seams{where}, {number} mm in all, whose two sides nearly meet: export the scan "
            "again, or rescan there.",
            "Open naden{where}, samen {number} mm, waarvan de twee kanten elkaar bijna raken: "
            "exporteer de scan opnieuw, of scan daar opnieuw.",
        ),
    ),
    "several_pieces": _Meaning(
        "warning",
        "pieces",
        Words(
            "The scan consists of {number} separate surfaces. If it should be one, join them in "
            "the scanner's program or rescan the gap.",
            "De scan bestaat uit {number} losse oppervlakken. Als het er één moet zijn: voeg ze "
            "samen in het scanprogramma of scan de ruimte ertussen opnieuw.",
        ),
    ),
    "floating_pieces": _Meaning(
        "warning",
        "pieces",
        Words(
            "Small pieces float apart from the surface: {number}. They are mostly cheek, tongue "
            "or saliva: cut them away in the scanner's program.",
            "Er zweven kleine stukjes los van het oppervlak: {number}. Meestal zijn dat wang, "
            "tong of speeksel: knip ze weg in het scanprogramma.",
        ),
    ),
    "non_manifold_edges": _Meaning(
        "warning",
        "edges",
        Words(
            "Edges at which more than two triangles meet: {number}. Let the scanner's program "
            "clean the scan before it is printed or milled.",
            "Randen waar meer dan twee driehoeken samenkomen: {number}. Laat het scanprogramma de "
            "scan opschonen voordat hij geprint of gefreesd wordt.",
        ),
    ),
    "non_manifold_vertices": _Meaning(
        "warning",
        "vertices",
        Words(
            "Points at which separate parts of the surface touch: {number}. Let the scanner's "
            "program clean the scan before it is printed or milled.",
            "Punten waar losse delen van het oppervlak elkaar raken: {number}. Laat het "
            "scanprogramma de scan opschonen voordat hij geprint of gefreesd wordt.",
        ),
    ),
    "flipped_triangles": _Meaning(
        "warning",
        "triangles",
        Words(
            "Triangles that show their inside: {number}. Export the scan again with outward "
            "normals.",
            "Driehoeken die hun binnenkant tonen: {number}. Exporteer de scan opnieuw met de "
            "normalen naar buiten.",
        ),
    ),
    "one_sided": _Meaning(
        "warning",
        "pieces",
        Words(
            "Surfaces on which inside and outside cannot be told apart: {number}. Export the scan "
            "again.",
            "Oppervlakken waarvan binnen- en buitenkant niet te onderscheiden zijn: {number}. "
            "Exporteer de scan opnieuw.",
        ),
    ),
    "inside_out": _Meaning(
        "warning",
        "mm3",
        Words(
            "The closed surface is turned inside out (volume {number} mm³). Export the scan again "
            "with outward normals.",
            "Het gesloten oppervlak is binnenstebuiten gekeerd (volume {number} mm³). Exporteer "
            "de scan opnieuw met de normalen naar buiten.",
        ),
    ),
    "spikes": _Meaning(
        "warning",
        "vertices",
        Words(
            "Spikes that stick out of the surface: {number}{where}. Rescan those places dry and "
            "slowly.",
            "Punten die uit het oppervlak steken: {number}{where}. Scan die plekken droog en "
            "rustig opnieuw.",
        ),
    ),
    "coarse": _Meaning(
        "note",
        "mm",
        Words(
            "The scan is coarse: half of its edges are longer than {number} mm. Export it in full "
            "resolution if there is a choice.",
            "De scan is grof: de helft van de randen is langer dan {number} mm. Exporteer hem in "
            "volle resolutie als er te kiezen valt.",
        ),
    ),
    "perhaps_inches": _Meaning(
        "warning",
        "mm",
        Words(
            "The scan is {number} mm long; in inches it would have the size of a jaw. Export it "
            "in millimetres.",
            "De scan is {number} mm lang; in inches zou hij zo groot zijn als een kaak. Exporteer "
            "hem in millimeters.",
        ),
    ),
    "perhaps_metres": _Meaning(
        "warning",
        "mm",
        Words(
            "The scan is {number} mm long; in metres it would have the size of a jaw. Export it "
            "in millimetres.",
            "De scan is {number} mm lang; in meters zou hij zo groot zijn als een kaak. Exporteer "
            "hem in millimeters.",
        ),
    ),
    "implausible_size": _Meaning(
        "note",
        "mm",
        Words(
            "The scan is {number} mm long, which no tooth or jaw is. Check the unit of the export.",
            "De scan is {number} mm lang; geen tand of kaak is dat. Controleer de eenheid van de "
            "export.",
        ),
    ),
    "degenerate_triangles": _Meaning(
        "note",
        "triangles",
        Words(
            "Triangles with two corners in one place: {number}. Nothing needs to be done.",
            "Driehoeken met twee hoeken op één plek: {number}. Er hoeft niets te gebeuren.",
        ),
    ),
    "duplicate_triangles": _Meaning(
        "note",
        "triangles",
        Words(
            "Triangles that repeat another one: {number}. Nothing needs to be done unless the "
            "scan is printed.",
            "Driehoeken die een andere herhalen: {number}. Er hoeft niets te gebeuren, tenzij de "
            "scan geprint wordt.",
        ),
    ),
    "wrong_normals": _Meaning(
        "note",
        "triangles",
        Words(
            "Stored normals that contradicted their triangles: {number}. They were computed anew; "
            "nothing needs to be done.",
            "Opgeslagen normalen die hun driehoek tegenspraken: {number}. Ze zijn opnieuw "
            "berekend; er hoeft niets te gebeuren.",
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
    "re_encoded": _Meaning(
        "note",
        "quality",
        Words(
            "The photo came as HEIC and is kept as JPEG of quality {number}. To have every pixel "
            "kept as it is, let the phone take photos as JPEG (its most compatible format).",
            "De foto kwam als HEIC en wordt bewaard als JPEG met kwaliteit {number}. Laat de "
            "telefoon foto's als JPEG maken (het meest compatibele formaat) om elk beeldpunt te "
            "behouden.",
        ),
    ),
    "blurred": _Meaning(
        "warning",
        "grey_levels_squared",
        Words(
            "No part of the photo is sharp (sharpness {number}). Take it again: hold still, clean "
            "the lens and focus on the teeth.",
            "Geen deel van de foto is scherp (scherpte {number}). Maak haar opnieuw: houd stil, "
            "maak de lens schoon en stel scherp op de tanden.",
        ),
    ),
    "too_dark": _Meaning(
        "warning",
        "percent",
        Words(
            "The photo is very dark: its bright parts reach {number} % of full brightness. Take it "
            "again with more light or with flash.",
            "De foto is erg donker: de lichte delen halen {number} % van de volle helderheid. Maak "
            "haar opnieuw met meer licht of met flits.",
        ),
    ),
    "too_bright": _Meaning(
        "warning",
        "percent",
        Words(
            "Much of the photo is plain white: {number} % of it shows no detail. Take it again "
            "with less light, or from further away.",
            "Veel van de foto is egaal wit: {number} % ervan toont geen detail. Maak haar opnieuw "
            "met minder licht, of van verder weg.",
        ),
    ),
    "too_small": _Meaning(
        "warning",
        "pixels",
        Words(
            "The photo is small: its shorter side has {number} pixels. Send the original from the "
            "camera, not a copy from a message or a web page.",
            "De foto is klein: de korte zijde heeft {number} beeldpunten. Stuur het origineel uit "
            "de camera, geen kopie uit een bericht of van een webpagina.",
        ),
    ),
}
FindingCode = Literal[
    "hole",
    "more_holes",
    "crack",
    "several_pieces",
    "floating_pieces",
    "non_manifold_edges",
    "non_manifold_vertices",
    "flipped_triangles",
    "one_sided",
    "inside_out",
    "spikes",
    "coarse",
    "perhaps_inches",
    "perhaps_metres",
    "implausible_size",
    "degenerate_triangles",
    "duplicate_triangles",
    "wrong_normals",
    "colour_profile_removed",
    "re_encoded",
    "blurred",
    "too_dark",
    "too_bright",
    "too_small",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation with a number, and a plain sentence for the dentist.

    Attributes:
        code: What was observed.
        number: How much or how many, in the unit that the code has.
        places: Where, in the coordinates of the file; at most `PLACES`.
        region: Where, in words, if that can be told of all places together.
    """

    code: FindingCode
    number: int | float
    places: tuple[Point, ...] = ()
    region: Region | None = None

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
        where = _REGIONS[self.region].en if self.region else ""
        return FINDINGS[self.code].words.en.format(number=_said(self.number), where=where)

    @property
    def message_nl(self) -> str:
        """The sentence in Dutch."""
        where = _REGIONS[self.region].nl if self.region else ""
        number = _said(self.number).replace(".", ",")
        return FINDINGS[self.code].words.nl.format(number=number, where=where)

    def to_json(self) -> dict[str, object]:
        """The finding with its words, for the API."""
        return {
            "code": self.code,
            "severity": self.severity,
            "number": self.number,
            "unit": self.unit,
            "places": self.places,
            "region": self.region,
            "message_en": self.message_en,
            "message_nl": self.message_nl,
        }


def _said(number: float) -> str:
    """Two digits that count, as people say measures; whole numbers as they are."""
    return str(number) if isinstance(number, int) else f"{float(f'{number:.2g}'):.12g}"
