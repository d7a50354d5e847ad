"""The readable page in HTML: one file without scripts, that reads itself out and prints well."""

from __future__ import annotations

from html import escape

from gateway.exports import words
from gateway.exports.entry import Entry
from gateway.exports.readable import About, Lines

_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
.lines { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem;
  border-bottom: 1px solid #767676; overflow-wrap: anywhere; }
tbody th { font-weight: 400; white-space: nowrap; }
@media print { body { margin: 0; font-size: 9pt; } thead { display: table-header-group; }
  tr { break-inside: avoid; } .lines { overflow: visible; } }
"""


class Page:
    """The page; it needs all entries before it has its first byte."""

    def __init__(self, about: About) -> None:
        """Say what the page is about."""
        self._about = about
        self._lines = Lines(about)

    def begin(self) -> bytes:
        """Nothing can be said yet."""
        return b""

    def add(self, entry: Entry) -> bytes:
        """Keep the entry."""
        self._lines.add(entry)
        return b""

    def end(self) -> bytes:
        """Give the page."""
        language = self._about.language
        title = escape(words.TITLE(language))
        facts = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
            for name, value in self._about.facts()
        )
        return (
            f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            # Nothing is fetched and nothing runs, whatever stands in a cell.
            '<meta http-equiv="Content-Security-Policy"'
            " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
            f"<h1>{title}</h1>\n<p>{escape(words.EXPLANATION(language))}</p>\n"
            f"<dl>{facts}</dl>\n{self._table()}\n"
            f"<p>{escape(words.QUESTIONS(language))}</p>\n</main>\n</body>\n</html>\n"
        ).encode()

    def _table(self) -> str:
        rows = self._lines.rows()
        if not rows:
            return f"<p>{escape(words.NONE(self._about.language))}</p>"
        caption = escape(words.TITLE(self._about.language))
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self._lines.columns())
        body = "\n".join(
            f'<tr><th scope="row">{escape(first)}</th>'
            f"{''.join(f'<td>{escape(cell)}</td>' for cell in rest)}</tr>"
            for first, *rest in rows
        )
        # A region that scrolls is reached by the keyboard too (WCAG 2.1.1).
        return (
            f'<div class="lines" role="region" aria-label="{caption}" tabindex="0">\n'
            f"<table>\n<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n"
            f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
        )
