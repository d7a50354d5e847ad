"""Why a file was refused: one tree, stable codes, the words in English and Dutch.

InspectionError
├── NotAScanError               not_a_scan
├── UnreadableScanError         unreadable_scan
├── TooManyTrianglesError       too_many_triangles
├── ScanNotFiniteError          scan_not_finite
├── ScanOutOfRangeError         scan_out_of_range
├── NotAPhotoError              not_a_photo
├── UnreadablePhotoError        unreadable_photo
├── TooManyPixelsError          too_many_pixels
├── UnsafeFileError             unsafe_file
├── InspectionOutOfMemoryError  inspection_out_of_memory
├── InspectionTimeoutError      inspection_timeout
├── InspectionCrashedError      inspection_crashed
└── InspectionUnavailableError  inspection_unavailable (no verdict on the file: try again)

A code is public API and never changes. A reason narrows it down. Its sentences are filled with
numbers alone, so that no message can quote a byte of the file.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in the two languages of the product; `{name}` is filled with a number."""

    en: str
    nl: str


class InspectionError(Exception):
    """A file was refused, or could not be inspected. Never raised itself.

    Attributes:
        code: Stable, public, one per class.
        reason: Stable; one of the class's `reasons`.
        numbers: What the sentences are filled with, e.g. the line of a syntax error.
    """

    code: ClassVar[str]
    reasons: ClassVar[dict[str, Words]]
    advice: ClassVar[Words]

    def __init__(self, reason: str = "", **numbers: float) -> None:
        self.reason = reason or next(iter(self.reasons))
        self.numbers = numbers
        words = self.reasons[self.reason]
        self.message_en = words.en.format_map(numbers)
        self.message_nl = words.nl.format_map(numbers)
        super().__init__(self.message_en)

    @property
    def remedy(self) -> str:
        """What the sender can do about it, in English."""
        return self.advice.en

    @property
    def remedy_nl(self) -> str:
        """What the sender can do about it, in Dutch."""
        return self.advice.nl


_EXPORT_AGAIN = Words(
    "Export the scan again from the scanner's software as STL, and send the new file.",
    "Exporteer de scan opnieuw als STL uit de scansoftware en stuur het nieuwe bestand.",
)
_SAVE_AGAIN = Words(
    "Open the photo, save it as JPEG or PNG, and send the new file.",
    "Open de foto, sla haar op als JPEG of PNG en stuur het nieuwe bestand.",
)
_SEND_AGAIN = Words(
    "Send the file once more; if it is refused again, export it anew from its source.",
    "Stuur het bestand nog een keer; wordt het weer geweigerd, exporteer het dan opnieuw.",
)


class NotAScanError(InspectionError):
    """The bytes are none of the formats of scans."""

    code = "not_a_scan"
    reasons: ClassVar = {
        "signature": Words(
            "The file is not an STL, PLY or OBJ: neither its length nor its first lines say so.",
            "Het bestand is geen STL, PLY of OBJ: noch de lengte, noch de eerste regels wijzen "
            "daarop.",
        ),
    }
    advice = _EXPORT_AGAIN


class UnreadableScanError(InspectionError):
    """It claims to be a scan, and its structure says otherwise."""

    code = "unreadable_scan"
    reasons: ClassVar = {
        "cut_short": Words(
            "The file ends too early: {triangles} triangles need {expected_bytes} bytes, it has "
            "{actual_bytes}.",
            "Het bestand is afgebroken: {triangles} driehoeken vergen {expected_bytes} bytes, het "
            "heeft er {actual_bytes}.",
        ),
        "surplus": Words(
            "Something follows the last triangle: {triangles} triangles need {expected_bytes} "
            "bytes, the file has {actual_bytes}.",
            "Er staat iets achter de laatste driehoek: {triangles} driehoeken vergen "
            "{expected_bytes} bytes, het bestand heeft er {actual_bytes}.",
        ),
        "empty": Words(
            "The scan has no triangles.",
            "De scan bevat geen driehoeken.",
        ),
        "syntax": Words(
            "Line {line} is not what the format has there.",
            "Regel {line} is niet wat het formaat daar heeft.",
        ),
        "no_end": Words(
            "The solid that begins on line {line} has no end: the file is cut short.",
            "De solid die op regel {line} begint heeft geen einde: het bestand is afgebroken.",
        ),
        "no_header_end": Words(
            "The header of the PLY has no end.",
            "De kop van de PLY heeft geen einde.",
        ),
        "missing": Words(
            "The file ends after {actual_bytes} bytes, before all that its header announces.",
            "Het bestand eindigt na {actual_bytes} bytes, vóór alles wat de kop aankondigt.",
        ),
        "trailer": Words(
            "Something follows all that the header announces: {surplus_bytes} bytes.",
            "Er volgt iets op alles wat de kop aankondigt: {surplus_bytes} bytes.",
        ),
        "layout": Words(
            "The points or faces of the scan are laid out in a way that is not read.",
            "De punten of vlakken van de scan staan er in een vorm die niet wordt gelezen.",
        ),
        "polygon": Words(
            "Face {face} is neither a triangle nor a convex polygon of at most 64 corners.",
            "Vlak {face} is geen driehoek en geen bolle veelhoek met hooguit 64 hoeken.",
        ),
        "corner": Words(
            "Face {face} has a corner that is not among the points of the file.",
            "Vlak {face} heeft een hoek die niet bij de punten van het bestand staat.",
        ),
    }
    advice = _EXPORT_AGAIN


class TooManyTrianglesError(InspectionError):
    """More triangles than the limit."""

    code = "too_many_triangles"
    reasons: ClassVar = {
        "triangles": Words(
            "The scan has {triangles} triangles; at most {limit} are accepted.",
            "De scan heeft {triangles} driehoeken; er worden er hooguit {limit} aangenomen.",
        ),
        "vertices": Words(
            "The scan has {vertices} points; at most {limit} are accepted.",
            "De scan heeft {vertices} punten; er worden er hooguit {limit} aangenomen.",
        ),
    }
    advice = Words(
        "Export the scan at a lower resolution, or in separate parts.",
        "Exporteer de scan met een lagere resolutie, of in losse delen.",
    )


class ScanNotFiniteError(InspectionError):
    """A coordinate is not a number, or infinite."""

    code = "scan_not_finite"
    reasons: ClassVar = {
        "coordinate": Words(
            "Triangle {triangle} has a coordinate that is not a finite number.",
            "Driehoek {triangle} heeft een coördinaat die geen eindig getal is.",
        ),
    }
    advice = _EXPORT_AGAIN


class ScanOutOfRangeError(InspectionError):
    """A coordinate lies further out than any patient."""

    code = "scan_out_of_range"
    reasons: ClassVar = {
        "coordinate": Words(
            "Triangle {triangle} lies more than {limit_mm} mm from the origin.",
            "Driehoek {triangle} ligt meer dan {limit_mm} mm van de oorsprong.",
        ),
    }
    advice = Words(
        "Check that the scanner's software exports in millimetres, and send the scan again.",
        "Controleer of de scansoftware in millimeters exporteert en stuur de scan opnieuw.",
    )


class NotAPhotoError(InspectionError):
    """The bytes are in none of the formats that are taken."""

    code = "not_a_photo"
    reasons: ClassVar = {
        "signature": Words(
            "The file is not a photo in a format that is taken: JPEG, PNG or HEIC.",
            "Het bestand is geen foto in een formaat dat wordt aangenomen: JPEG, PNG of HEIC.",
        ),
        "no_heic": Words(
            "This gateway is not set up to read HEIC; it takes JPEG and PNG.",
            "Deze gateway is niet ingericht om HEIC te lezen; zij neemt JPEG en PNG aan.",
        ),
    }
    advice = _SAVE_AGAIN


class UnreadablePhotoError(InspectionError):
    """It claims to be a photo, and cannot be read to its end."""

    code = "unreadable_photo"
    reasons: ClassVar = {
        "structure": Words(
            "The photo is damaged at byte {offset}.",
            "De foto is beschadigd bij byte {offset}.",
        ),
        "cut_short": Words(
            "The photo ends too early, after {actual_bytes} bytes.",
            "De foto is afgebroken na {actual_bytes} bytes.",
        ),
        "coding": Words(
            "The photo is coded in a way that browsers do not show.",
            "De foto is gecodeerd op een manier die browsers niet tonen.",
        ),
        "pixels": Words(
            "The pixels of the photo cannot be decoded.",
            "De beeldpunten van de foto zijn niet te lezen.",
        ),
    }
    advice = _SAVE_AGAIN


class TooManyPixelsError(InspectionError):
    """More pixels than the limit; found before anything is decoded."""

    code = "too_many_pixels"
    reasons: ClassVar = {
        "pixels": Words(
            "The photo is {width_px} by {height_px} pixels; at most {limit_px} pixels are "
            "accepted.",
            "De foto is {width_px} bij {height_px} beeldpunten; er worden er hooguit {limit_px} "
            "aangenomen.",
        ),
    }
    advice = Words(
        "Save the photo in a smaller size and send the new file.",
        "Sla de foto kleiner op en stuur het nieuwe bestand.",
    )


class UnsafeFileError(InspectionError):
    """The operator's virus scanner does not let it pass."""

    code = "unsafe_file"
    reasons: ClassVar = {
        "malware": Words(
            "The virus scanner recognised something in the file.",
            "De virusscanner herkende iets in het bestand.",
        ),
        "unscanned": Words(
            "The file is larger than the virus scanner takes.",
            "Het bestand is groter dan de virusscanner aankan.",
        ),
    }
    advice = Words(
        "Have the computer that the file comes from checked before you send it again.",
        "Laat de computer waar het bestand vandaan komt nakijken voordat u het opnieuw stuurt.",
    )


class InspectionOutOfMemoryError(InspectionError):
    """The file asked for more memory than a worker may have."""

    code = "inspection_out_of_memory"
    reasons: ClassVar = {
        "memory": Words(
            "Inspecting the file takes more memory than is allowed.",
            "Het onderzoek van het bestand kost meer geheugen dan is toegestaan.",
        ),
    }
    advice = Words(
        "Send the scan or photo in a smaller size.",
        "Stuur de scan of foto in een kleiner formaat.",
    )


class InspectionTimeoutError(InspectionError):
    """The file took longer than a worker may work on it."""

    code = "inspection_timeout"
    reasons: ClassVar = {
        "time": Words(
            "Inspecting the file took too long, and was stopped.",
            "Het onderzoek van het bestand duurde te lang en is gestopt.",
        ),
    }
    advice = _SEND_AGAIN


class InspectionCrashedError(InspectionError):
    """The worker died over the file, or did not answer as it should."""

    code = "inspection_crashed"
    reasons: ClassVar = {
        "died": Words(
            "The inspection broke off on this file.",
            "Het onderzoek is op dit bestand afgebroken.",
        ),
        "answer": Words(
            "The inspection of this file gave an answer that cannot be trusted.",
            "Het onderzoek van dit bestand gaf een antwoord dat niet te vertrouwen is.",
        ),
    }
    advice = _SEND_AGAIN


class InspectionUnavailableError(InspectionError):
    """No worker could be started, or the gateway is stopping: no verdict on the file."""

    code = "inspection_unavailable"
    reasons: ClassVar = {
        "workers": Words(
            "The file could not be inspected just now.",
            "Het bestand kon nu niet worden onderzocht.",
        ),
    }
    advice = Words(
        "Nothing is wrong with the file; it is inspected again by itself.",
        "Er is niets mis met het bestand; het wordt vanzelf opnieuw onderzocht.",
    )


PROBLEMS: dict[str, type[InspectionError]] = {
    problem.code: problem for problem in InspectionError.__subclasses__()
}
"""Every refusal by its code: how the pool reads a worker's answer."""
