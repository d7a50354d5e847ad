"""The certificate of an erasure as one printed page; needs the extra `pdf` (reportlab).

Made of a certificate that was checked. The page proves nothing by itself: it says so, and names
what does.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from html import escape
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from gateway.exports.words import Language, Said

_TITLE = Said("Certificate of erasure", "Certificaat van wissing")
_EXPLANATION = Said(
    "The case named here was erased: the version of the key that could open it is destroyed, so"
    " that no copy of the stored files opens any more, back-ups included, but for what is named"
    " below.",
    "De casus op dit blad is gewist: de versie van de sleutel die haar kon openen is vernietigd,"
    " zodat geen kopie van de bewaarde bestanden meer opent, ook geen back-up, behalve wat"
    " hieronder staat.",
)
_LABELS = {
    "case": Said("Case", "Casus"),
    "controller": Said("Practice", "Praktijk"),
    "requested": Said("On the instruction of", "In opdracht van"),
    "ground": Said("Legal ground", "Grondslag"),
    "reason": Said("Reason given", "Opgegeven reden"),
    "files": Said("Files", "Bestanden"),
    "key": Said("Key destroyed", "Vernietigde sleutel"),
    "test": Said("Self-test", "Zelftest"),
    "erased": Said("Erased at", "Gewist op"),
    "log": Said("Place in the access log", "Plaats in het toegangslogboek"),
    "certificate": Said("Certificate", "Certificaat"),
}
_NOT_COVERED = Said("What this does not cover", "Wat hier niet onder valt")
_PROOF = Said(
    "This page is for people. The proof is the file it was made from: check it with"
    " `kluis certificate verify` and the two public keys of the processor.",
    "Dit blad is voor mensen. Het bewijs is het bestand waarvan het is gemaakt: controleer dat met"
    " `kluis certificate verify` en de twee publieke sleutels van de verwerker.",
)
_LISTED = 12  # files on the page; the certificate names all
_MARGIN = 18 * mm
_WIDTHS = (46 * mm, 128 * mm)


def page(body: Mapping[str, Any], index: int, size: int, language: Language) -> bytes:
    """Give the page as PDF.

    Args:
        body: Of a certificate that was checked.
        index: Place of the erasure in the log.
        size: Entries under the checkpoint that proves it.
        language: Of the labels; what was signed stays as it was signed.
    """
    styles = getSampleStyleSheet()

    def text(said: str, style: str = "BodyText") -> Flowable:
        return Paragraph(escape(said), styles[style])

    rows = [
        [text(_LABELS[name](language)), text(value)] for name, value in _facts(body, index, size)
    ]
    grid = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.5, colors.grey)]
    story = [
        text(_TITLE(language), "Title"),
        text(_EXPLANATION(language)),
        Spacer(1, 3 * mm),
        Table(rows, colWidths=_WIDTHS, style=grid),
        Spacer(1, 3 * mm),
        text(_NOT_COVERED(language), "Heading4"),
        *(text(f"\N{BULLET} {sentence}") for sentence in body["not_covered"]),
        Spacer(1, 3 * mm),
        text(_PROOF(language)),
    ]
    out = io.BytesIO()
    margins = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), _MARGIN)
    document = SimpleDocTemplate(
        out, pagesize=A4, title=_TITLE(language), lang=language, author="Kluis", **margins
    )
    document.build(story)
    return out.getvalue()


def _facts(body: Mapping[str, Any], index: int, size: int) -> list[tuple[str, str]]:
    key, files = body["key"], body["files"]
    listed = [f"{file['kind']} {file['ciphertext_sha256'][:16]}" for file in files[:_LISTED]]
    more = [f"+ {len(files) - _LISTED}"] if len(files) > _LISTED else []
    return [
        ("case", body["case_id"]),
        ("controller", body["controller_id"]),
        ("requested", f"{body['requested_by']}, {body['requested_at']}"),
        ("ground", body["ground"]),
        ("reason", body["reason"] or "-"),
        ("files", f"{len(files)}: {', '.join([*listed, *more])}" if files else "0"),
        ("key", f"{key['provider']}, {key['destroyed_version']}, {key['destroyed_at']}"),
        ("test", key["self_test"]),
        ("erased", body["erased_at"]),
        ("log", f"{index} / {size}"),
        ("certificate", body["certificate_id"]),
    ]
