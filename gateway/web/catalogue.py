"""The texts of the pages in another language: gettext catalogues, read as they were written.

English stands in the templates themselves. A translation lies in `locale/<language>.po`, in the
form of GNU gettext (manual, "The Format of PO Files"); nothing needs to be compiled. Of that form
the pages use messages alone: no plurals, no contexts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

_LINE = re.compile(r'(?:(?P<keyword>msgid|msgstr) )?(?P<text>"(?:[^"\\]|\\.)*")')


class CatalogueError(Exception):
    """A catalogue that is not in the form that is read here."""


def parse(content: str) -> Mapping[str, str]:
    """The translations, by the English text.

    Raises:
        CatalogueError: Names the line.
    """
    found: dict[str, str] = {}
    message, part, texts = "", "", {"msgid": "", "msgstr": ""}
    for number, line in enumerate([*content.splitlines(), 'msgid ""'], 1):
        if not line.strip() or line.startswith("#"):
            continue
        read = _LINE.fullmatch(line.strip())
        if read is None:
            raise CatalogueError(f"line {number} is no message")
        if read["keyword"] == "msgid":
            message, text = texts["msgid"], texts["msgstr"]
            if message and text:
                found[message] = text
            texts = {"msgid": "", "msgstr": ""}
        part = read["keyword"] or part
        # The escapes of C strings that gettext writes are those of Python.
        texts[part] += ast.literal_eval(read["text"])
    return found
