"""The certificate of an erasure as one printed page; needs the extra `pdf` (reportlab).

Made of a certificate that was checked. The page proves nothing by itself: it says so, and names
what does.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from gateway.exports.words import Language, Said

_TITLE = Said("Certificate of erasure", "Certificaat van wissing")
_GONE = Said(
    " the version of the key that could open it is destroyed, so that no copy of it opens any"
    " more, back-ups included, but for what is named below.",
    " de versie van de sleutel die het kon openen is vernietigd, zodat geen kopie ervan meer opent,"
    " ook geen back-up, behalve wat hieronder staat.",
)
_WHAT: Mapping[str, Said] = {
    "case": Said("The case named here was erased:", "De casus op dit blad is gewist:"),
    "file": Said(
        "One file of the case named here was erased; the case goes on. For that file:",
        "Eén bestand van de casus op dit blad is gewist; de casus gaat door. Voor dat bestand:",
    ),
    "rectification": Said(
        "Who the patient of the case named here is was corrected. For what stood there before:",
        "Wie de patiënt van de casus op dit blad is, is verbeterd. Voor wat er eerst stond:",
    ),
    "client": Said(
        "Everything of the practice named here was erased, with every version of its key:",
        "Alles van de praktijk op dit blad is gewist, met elke versie van haar sleutel:",
    ),
}
_LABELS = {
    "case": Said("Case", "Casus"),
    "controller": Said("Practice", "Praktijk"),
    "requested": Said("On the instruction of", "In opdracht van"),
    "ground": Said("Legal ground", "Grondslag"),
    "reason": Said("Reason given", "Opgegeven reden"),
    "files": Said("Files", "Bestanden"),
    "records": Said("Records", "Gegevens"),
    "cases": Said("Cases", "Casussen"),
    "second": Said("Agreed to by", "Met instemming van"),
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
        text(_WHAT[body["kind"]](language) + _GONE(language)),
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


def _facts(body: Mapping[str, Any], index: int, size: int) -> Iterator[tuple[str, str]]:
    key = body["key"]
    if body["case_id"] is not None:
        yield "case", body["case_id"]
    yield "controller", body["controller_id"]
    yield "requested", f"{body['requested_by']}, {body['requested_at']}"
    if body["second_by"] is not None:
        yield "second", body["second_by"]
    yield "ground", body["ground"]
    yield "reason", body["reason"] or "-"
    if "cases" in body:
        yield "cases", _listed([each["id"] for each in body["cases"]])
    else:
        sealed = (*body["files"], *body["records"])
        hashes = [f"{_name(each)} {each['ciphertext_sha256'][:16]}" for each in sealed]
        yield "files", _listed(hashes[: len(body["files"])])
        yield "records", _listed(hashes[len(body["files"]) :])
    yield "key", f"{key['provider']}, {key['destroyed_version']}, {key['destroyed_at']}"
    yield "test", key["self_test"]
    yield "erased", body["erased_at"]
    yield "log", f"{index} / {size}"
    yield "certificate", body["certificate_id"]


def _name(sealed: Mapping[str, Any]) -> str:
    return str(sealed.get("kind") or sealed["name"])


def _listed(each: Sequence[str]) -> str:
    more = [f"+ {len(each) - _LISTED}"] if len(each) > _LISTED else []
    return f"{len(each)}: {', '.join([*each[:_LISTED], *more])}" if each else "0"
