"""The readable page as PDF; needs the extra `pdf` (reportlab).

It is for printing. It has no structure tags, so for a screen reader the HTML page is the one.
"""

from __future__ import annotations

import io
from html import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle

from gateway.exports import words
from gateway.exports.entry import Entry
from gateway.exports.readable import About, Lines

_WIDTHS = (36 * mm, 56 * mm, 62 * mm, 50 * mm, 38 * mm, 25 * mm)
_MARGIN = 15 * mm


class Pdf:
    """The document; it needs all entries before it has its first byte."""

    def __init__(self, about: About) -> None:
        """Say what the document is about."""
        self._about = about
        self._lines = Lines(about)
        self._styles = getSampleStyleSheet()

    def begin(self) -> bytes:
        """Nothing can be said yet."""
        return b""

    def add(self, entry: Entry) -> bytes:
        """Keep the entry."""
        self._lines.add(entry)
        return b""

    def end(self) -> bytes:
        """Give the document."""
        language = self._about.language
        title = words.TITLE(language)
        story: list[Flowable] = [
            self._text(title, "Title"),
            self._text(words.EXPLANATION(language)),
            Spacer(1, 3 * mm),
            *(self._text(f"{name}: {value}") for name, value in self._about.facts()),
            Spacer(1, 3 * mm),
            self._table(),
            Spacer(1, 3 * mm),
            self._text(words.QUESTIONS(language)),
        ]
        out = io.BytesIO()
        margins = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), _MARGIN)
        document = SimpleDocTemplate(
            out, pagesize=landscape(A4), title=title, lang=language, author="Kluis", **margins
        )
        document.build(story)
        return out.getvalue()

    def _table(self) -> Flowable:
        rows = self._lines.rows()
        if not rows:
            return self._text(words.NONE(self._about.language))
        head = [self._text(name, "Heading5") for name in self._lines.columns()]
        body = [[self._text(cell) for cell in row] for row in rows]
        style = TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.5, colors.grey),
            ]
        )
        return LongTable([head, *body], colWidths=_WIDTHS, repeatRows=1, style=style)

    def _text(self, text: str, style: str = "BodyText") -> Flowable:
        # A Paragraph reads markup: what others typed is text, as on the page.
        return Paragraph(escape(text), self._styles[style])
