"""Takes a patient's own identifiers and any BSN out of free text.

It finds what it knows: the names, birth date and number of this patient, and nine digits that
pass the test of eleven. A nickname, an address or a relative's name stays; docs say so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from keys.pseudonym import normalise

# Parts of Dutch and neighbouring surnames that are everyday words: alone they identify nobody.
PARTICLES = frozenset(
    [
        "van",
        "de",
        "der",
        "den",
        "het",
        "ten",
        "ter",
        "te",
        "op",
        "aan",
        "in",
        "bij",
        "von",
        "zu",
        "du",
        "da",
        "di",
        "del",
        "la",
        "le",
        "el",
        "al",
        "ibn",
        "bin",
    ]
)
MONTHS = (
    ("januari", "january", "jan"),
    ("februari", "february", "feb"),
    ("maart", "march", "mrt", "mar"),
    ("april", "apr"),
    ("mei", "may"),
    ("juni", "june", "jun"),
    ("juli", "july", "jul"),
    ("augustus", "august", "aug"),
    ("september", "sept", "sep"),
    ("oktober", "october", "okt", "oct"),
    ("november", "nov"),
    ("december", "dec"),
)
BSN = re.compile(r"(?<![0-9])[0-9](?:[ .\-_]?[0-9]){8}(?![0-9])")
BSN_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)
WORD = re.compile(r"(?:[^\W\d_][\u0300-\u036f]*)+")  # letters, their marks apart or not
NO_LETTER_BEFORE, NO_LETTER_BEHIND = r"(?<![^\W_])", r"(?![^\W_])"  # an underscore is a gap too
LONGEST_WORD = 64  # letters; names run together are not longer
MARKS = re.compile("[\u0300-\u036f]+")
STEM = 4  # a name of so many letters is also found with an ending, as in Jansens


@dataclass(frozen=True, slots=True)
class Redacted:
    """Text without identifiers, and the kinds that were found: name, birth_date, number, bsn."""

    text: str
    removed: tuple[str, ...]


def is_bsn(digits: str) -> bool:
    """The test of eleven of a citizen service number (nine digits)."""
    total = sum(weight * int(digit) for weight, digit in zip(BSN_WEIGHTS, digits, strict=True))
    return total % 11 == 0 and digits != "000000000"


def without_bsn(text: str) -> Redacted:
    """Take every BSN out."""
    found = False

    def replace(match: re.Match[str]) -> str:
        nonlocal found
        if not is_bsn(re.sub(r"[^0-9]", "", match[0])):
            return match[0]
        found = True
        return "[bsn]"

    bare = BSN.sub(replace, text)
    return Redacted(bare, ("bsn",) if found else ())


def without_identity(text: str, name: str, birth_date: date, number: str) -> Redacted:
    """Take this patient's name, birth date and number out, and every BSN."""
    removed: list[str] = []
    for kind, pattern in (("birth_date", _date_pattern(birth_date)), ("number", _number(number))):
        if pattern is not None:
            text, count = pattern.subn(f"[{kind}]", text)
            removed += [kind] if count else []
    bare = without_bsn(text)
    text, found = _without_name(bare.text, name)
    return Redacted(text, (*(("name",) if found else ()), *removed, *bare.removed))


def _without_name(text: str, name: str) -> tuple[str, bool]:
    pieces = frozenset(part for part in normalise(name).split() if len(part) > 1)
    parts = pieces - PARTICLES
    found = False

    def replace(match: re.Match[str]) -> str:
        nonlocal found
        word = normalise(MARKS.sub("", match[0]))  # many marks take long to put in order
        ending = any(
            len(part) >= STEM and word.startswith(part) and len(word) - len(part) <= 2  # noqa: PLR2004
            for part in parts
        )
        if word not in parts and not ending and not _is_joined(word, pieces):
            return match[0]
        found = True
        return "[name]"

    return WORD.sub(replace, text), found


def _is_joined(word: str, pieces: frozenset[str]) -> bool:
    """Whether the word is pieces of the name run together, as in file names: JandeVries."""
    if len(word) > LONGEST_WORD:
        return False
    named = {0: False}  # where pieces may end, and whether one of them is more than a particle
    for end in range(1, len(word) + 1):
        before = [at for at in named if word[at:end] in pieces]
        if before:
            named[end] = any(named[at] or word[at:end] not in PARTICLES for at in before)
    return named.get(len(word), False)


def _number(number: str) -> re.Pattern[str] | None:
    symbols = [symbol for symbol in number if symbol.isalnum()]
    if len(symbols) < 3:  # noqa: PLR2004 - shorter ones are tooth numbers
        return None
    spelled = r"[\s.\-/_]?".join(re.escape(symbol) for symbol in symbols)
    return re.compile(rf"{NO_LETTER_BEFORE}{spelled}{NO_LETTER_BEHIND}", re.IGNORECASE)


def _date_pattern(day: date) -> re.Pattern[str]:
    d, m, y = rf"0?{day.day}", rf"0?{day.month}", rf"(?:{day.year}|'?{day.year % 100:02d})"
    gap = r"[\s.\-/_]{1,3}"
    names = "|".join(MONTHS[day.month - 1])
    word = rf"(?:{names})\.?"
    full = f"{day.day:02d}{day.month:02d}{day.year}|{day:%Y%m%d}"
    return re.compile(
        rf"{NO_LETTER_BEFORE}(?:{d}{gap}{m}{gap}{y}|{m}{gap}{d}{gap}{y}|{day.year}{gap}{m}{gap}{d}"
        rf"|{d}(?:e|th|st|nd|rd)?{gap}{word},?{gap}{y}"
        rf"|{word}{gap}{d}(?:e|th|st|nd|rd)?,?{gap}{y}|{full}){NO_LETTER_BEHIND}",
        re.IGNORECASE,
    )
