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
    """The bytes are neither a binary nor an ASCII STL."""

    code = "not_a_scan"
    reasons: ClassVar = {
        "not_stl": Words(
            "The file is not an STL: neither its length nor its first line says so.",
            "Het bestand is geen STL: noch de lengte, noch de eerste regel wijst daarop.",
        ),
    }
    advice = _EXPORT_AGAIN


class UnreadableScanError(InspectionError):
    """It claims to be an STL, and its structure says otherwise."""

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
            "Line {line} is not what an ASCII STL has there.",
            "Regel {line} is niet wat een ASCII-STL daar heeft.",
        ),
        "no_end": Words(
            "The solid that begins on line {line} has no end: the file is cut short.",
            "De solid die op regel {line} begint heeft geen einde: het bestand is afgebroken.",
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
    """The bytes are neither a JPEG nor a PNG."""

    code = "not_a_photo"
    reasons: ClassVar = {
        "signature": Words(
            "The file is neither a JPEG nor a PNG.",
            "Het bestand is geen JPEG en geen PNG.",
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
