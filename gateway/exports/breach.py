"""A notice of a breach in words: what GDPR article 33(3) asks for, in English and Dutch.

As text, and as PDF with the extra `pdf` (reportlab). The headings and figures are ours; what the
privacy officer wrote stands as it was written.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from textwrap import fill

from gateway.exports.words import Language, Said

TITLE = Said("Notice of a personal data breach", "Melding van een inbreuk op persoonsgegevens")
_PHASES = {
    "first": Said("first notice, more follows", "eerste melding, er volgt meer"),
    "further": Said("further notice, more follows", "vervolgmelding, er volgt meer"),
    "final": Said("final notice", "laatste melding"),
}
_KINDS = {
    "state": Said("that the case exists, and its state", "dat de casus er is, en de stand ervan"),
    "log": Said("who did what with the case", "wie wat met de casus deed"),
    "age": Said("age group", "leeftijdsgroep"),
    "identity": Said("the patient's name, birth date, number", "naam, geboortedatum en nummer"),
    "match": Said("that a person is the patient", "dat iemand de patiënt is"),
    "notes": Said("notes on the treatment (health data)", "behandelnotities (gezondheidsgegevens)"),
    "details": Said("names and checks of files", "namen en controles van bestanden"),
    "thumbnail": Said("small pictures of files", "kleine afbeeldingen van bestanden"),
    "scan": Said("dental scans (health data)", "gebitsscans (gezondheidsgegevens)"),
    "photo": Said("photos (health data)", "foto's (gezondheidsgegevens)"),
    "plan": Said("treatment plans (health data)", "behandelplannen (gezondheidsgegevens)"),
}
_EFFECTS = {
    "disclosed": Said("seen or taken by somebody without a right to", "gezien of meegenomen"),
    "altered": Said("altered", "gewijzigd"),
    "lost": Said("erased or lost", "gewist of verloren"),
}
_HEADINGS = {
    "nature": Said("(a) What happened", "(a) Wat er is gebeurd"),
    "numbers": Said("(a) Whose data, and how much", "(a) Om wiens gegevens het gaat, en hoeveel"),
    "contact": Said("(b) Where to ask", "(b) Waar u meer te weten komt"),
    "consequences": Said("(c) Likely consequences", "(c) Waarschijnlijke gevolgen"),
    "measures": Said("(d) What was and will be done", "(d) Wat er is en wordt gedaan"),
    "changed": Said("What changed since the last notice", "Wat anders is dan in de vorige melding"),
    "term": Said("Your own term", "Uw eigen termijn"),
}
_UNKNOWN = Said("Not known yet; it follows.", "Nog niet bekend; het volgt.")
_NOTHING = Said("Nothing.", "Niets.")
_TERM = Said(
    "You are the controller. From the moment that you know, you have 72 hours to tell the"
    " supervisory authority, unless a risk to people is unlikely (GDPR article 33(1)). Where the"
    " risk is high you tell the people themselves (article 34), unless what was taken cannot be"
    " read, because it was encrypted and the keys were not exposed (article 34(3)(a)).",
    "U bent de verwerkingsverantwoordelijke. Vanaf het moment dat u het weet, hebt u 72 uur om het"
    " aan de toezichthouder te melden, tenzij een risico voor mensen onwaarschijnlijk is (AVG"
    " artikel 33 lid 1). Is het risico hoog, dan laat u het de mensen zelf weten (artikel 34),"
    " tenzij het meegenomene niet te lezen is, omdat het versleuteld was en de sleutels niet zijn"
    " blootgesteld (artikel 34 lid 3 onder a).",
)
_NUMBERS = Said(
    "Patients: {subjects}. Cases: {cases}. Files of which the content was sent: {files}.",
    "Patiënten: {subjects}. Casussen: {cases}. Bestanden waarvan de inhoud is verzonden: {files}.",
)
_DATA = Said("Kinds of data: {kinds}.", "Soorten gegevens: {kinds}.")
_DONE = Said("What happened to them: {effects}.", "Wat ermee gebeurde: {effects}.")
_METADATA = Said("Nothing of the content was shown.", "Van de inhoud is niets getoond.")
_EXPOSED = Said(
    "The keys that open stored data were exposed.",
    "De sleutels die opgeslagen gegevens openen zijn blootgesteld.",
)
_KEPT = Said(
    "No key that opens stored data was exposed.",
    "Geen sleutel die opgeslagen gegevens opent is blootgesteld.",
)
_INCOMPLETE = Said(
    "A part of the access log cannot be read, so it may be more.",
    "Een deel van het toegangslogboek is niet te lezen, dus het kan meer zijn.",
)
_READ = Said("Counted from the access log at {at} UTC.", "Geteld uit het toegangslog om {at} UTC.")
_HEAD = Said(
    "To: {to}. Incident {incident}, notice {version} ({phase}), written {at} UTC."
    " We became aware at {aware} UTC.",
    "Aan: {to}. Incident {incident}, melding {version} ({phase}), geschreven {at} UTC."
    " Wij werden ons bewust om {aware} UTC.",
)
_CASES = Said("Cases", "Casussen")
_WIDTH = 78
_MARGIN_MM = 18


@dataclass(frozen=True, slots=True)
class Words:
    """What the privacy officer wrote in one language; None: not known yet."""

    nature: str | None = field(default=None, repr=False)
    contact: str | None = field(default=None, repr=False)
    consequences: str | None = field(default=None, repr=False)
    measures: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the log says of one practice: numbers, and names of kinds and effects."""

    subjects: int
    files: int
    cases: Sequence[str]
    kinds: Sequence[str]
    effects: Sequence[str]
    content: bool
    keys_exposed: bool
    complete: bool
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class Breach:
    """One notice, whole.

    `words` has one language or both; `changed` names the parts that differ from the notice before,
    None in the first one.
    """

    incident_id: str
    practice: str
    version: int
    phase: str
    created_at: datetime
    aware_at: datetime
    figures: Figures
    words: Mapping[str, Words]
    changed: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the notice, to be shown under its heading."""

    name: str
    heading: str
    text: str = field(repr=False)


def head(breach: Breach, language: Language) -> str:
    """To whom, what about, which version, and when."""
    return _HEAD(language).format(
        to=breach.practice,
        incident=breach.incident_id,
        version=breach.version,
        phase=_PHASES[breach.phase](language),
        at=_moment(breach.created_at),
        aware=_moment(breach.aware_at),
    )


def sections(breach: Breach, language: Language) -> list[Section]:
    """The parts in their order. Words that are there in one language alone stand in that."""
    words = breach.words.get(language) or next(iter(breach.words.values()))
    texts = {
        "nature": words.nature,
        "numbers": numbers(breach.figures, language),
        "contact": words.contact,
        "consequences": words.consequences,
        "measures": words.measures,
    }
    if breach.changed is not None:
        names = [_HEADINGS[name](language) for name in breach.changed]
        texts["changed"] = "; ".join(names) or _NOTHING(language)
    texts["term"] = _TERM(language)
    return [
        Section(name, _HEADINGS[name](language), text or _UNKNOWN(language))
        for name, text in texts.items()
    ]


def numbers(figures: Figures, language: Language) -> str:
    """Categories and approximate numbers of people and records, and what was open to read."""
    count = _NUMBERS(language).format(
        subjects=figures.subjects, cases=len(figures.cases), files=figures.files
    )
    said = [count]
    if figures.kinds:
        kinds = ", ".join(_KINDS[kind](language) for kind in figures.kinds)
        said.append(_DATA(language).format(kinds=kinds))
    if figures.effects:
        effects = ", ".join(_EFFECTS[effect](language) for effect in figures.effects)
        said.append(_DONE(language).format(effects=effects))
    if not figures.content:
        said.append(_METADATA(language))
    said.append((_EXPOSED if figures.keys_exposed else _KEPT)(language))
    if not figures.complete:
        said.append(_INCOMPLETE(language))
    said.append(_READ(language).format(at=_moment(figures.computed_at)))
    return " ".join(said)


def text(breach: Breach, language: Language) -> str:
    """The notice as plain text, with the ids of its cases at the end."""
    parts = [TITLE(language).upper(), fill(head(breach, language), _WIDTH)]
    for section in sections(breach, language):
        lines = (fill(line, _WIDTH) for line in section.text.splitlines())
        parts.append("\n".join([section.heading, *lines]))
    parts.append("\n".join([_CASES(language), *breach.figures.cases]))
    return "\n\n".join(parts) + "\n"


def page(breach: Breach, language: Language) -> bytes:
    """The notice as PDF. Raises ImportError where the extra is not installed."""
    from reportlab.lib.pagesizes import A4  # noqa: PLC0415 - an extra, absent by choice
    from reportlab.lib.styles import getSampleStyleSheet  # noqa: PLC0415
    from reportlab.lib.units import mm  # noqa: PLC0415
    from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate  # noqa: PLC0415

    styles = getSampleStyleSheet()

    def said(words: str, style: str = "BodyText") -> Flowable:
        # A Paragraph reads markup: what others typed is text.
        return Paragraph(escape(words).replace("\n", "<br/>"), styles[style])

    story = [said(TITLE(language), "Title"), said(head(breach, language))]
    for section in sections(breach, language):
        story += [said(section.heading, "Heading3"), said(section.text)]
    story += [said(_CASES(language), "Heading3"), *map(said, breach.figures.cases)]
    out = io.BytesIO()
    margins = dict.fromkeys(
        ("leftMargin", "rightMargin", "topMargin", "bottomMargin"), _MARGIN_MM * mm
    )
    SimpleDocTemplate(
        out, pagesize=A4, title=TITLE(language), lang=language, author="Kluis", **margins
    ).build(story)
    return out.getvalue()


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
