"""How easily a password is guessed: zxcvbn, with the words of the house and of the person.

There are no rules of composition. What counts is how many guesses somebody needs who knows common
passwords (zxcvbn's lists come from breaches), words, names, dates, rows of keys, and this person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from zxcvbn import zxcvbn  # type: ignore[import-untyped]

from gateway.errors import WeakPasswordError

MINIMUM_LENGTH = 12
MAXIMUM_LENGTH = 1024
MINIMUM_SCORE = 3  # of 4: "safely unguessable", more than 10^8 guesses
SHORTEST_WORD = 3
BESIDE_WORDS = 9  # characters beside words of the house and the person: more than a year and marks
LOOKED_AT = 72  # characters: zxcvbn takes no more, and a longer password is no weaker

HOUSE_WORDS = (
    *("kluis", "vault", "intake", "dental", "dentist", "dentistry", "tandarts", "praktijk"),
    *("practice", "orthodontist", "orthodontie", "aligner", "planner", "coordinator", "scan"),
    *("administrator", "beheerder", "welkom", "welcome", "wachtwoord", "password"),
)
"""Words that anyone would try here (docs/operations.md names them)."""


REASONS: Mapping[str, tuple[str, str]] = {
    "length": (
        f"it has {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters",
        f"het heeft {MINIMUM_LENGTH} tot {MAXIMUM_LENGTH} tekens",
    ),
    "yours": (
        "this one is made of words of you or of this service",
        "dit bestaat uit woorden van u of van deze dienst",
    ),
    "common": (
        "this one, or one like it, is among the first that anybody tries",
        "dit, of een dat erop lijkt, is een van de eerste die men probeert",
    ),
    "word": (
        "a name or a few common words are tried soon; take several words at random",
        "een naam of enkele gewone woorden probeert men snel; neem willekeurige woorden",
    ),
    "spatial": ("keys beside each other are tried soon", "toetsen naast elkaar probeert men snel"),
    "repeat": ("what repeats itself is tried soon", "wat zich herhaalt probeert men snel"),
    "sequence": (
        "a sequence such as abc or 4321 is tried soon",
        "een reeks zoals abc of 4321 probeert men snel",
    ),
    "regex": ("years are tried soon", "jaartallen probeert men snel"),
    "date": ("dates are tried soon", "datums probeert men snel"),
    "few": ("it takes too few guesses", "het is met te weinig pogingen te raden"),
}
"""Why a password is refused, in English and Dutch, by the pattern that zxcvbn names."""


def check_strength(password: str, words: Iterable[str]) -> None:
    """Return if the password may be taken.

    Args:
        password: As it was typed.
        words: What is known of the person, such as their e-mail address and name.

    Raises:
        WeakPasswordError: With a reason that names no part of the password.
    """
    if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
        raise _weak("length")
    theirs = {
        part
        for word in words
        for part in (word, *re.split(r"\W+", word))
        if len(part) >= SHORTEST_WORD
    }
    if len(_without(password, {*HOUSE_WORDS, *theirs})) < BESIDE_WORDS:
        raise _weak("yours")
    found = zxcvbn(password[:LOOKED_AT], user_inputs=[*HOUSE_WORDS, *sorted(theirs)])
    if found["score"] < MINIMUM_SCORE:
        raise _weak(_reason(found["sequence"]))


def _weak(reason: str) -> WeakPasswordError:
    english, dutch = REASONS[reason]
    return WeakPasswordError(field="password", why=english, waarom=dutch)


def _without(password: str, words: set[str]) -> str:
    """What is left of a password without these words, in whatever letters they are written."""
    longest_first = sorted(words, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), "", password, flags=re.IGNORECASE)


def _reason(sequence: list[dict[str, Any]]) -> str:
    """What makes it weak: of its parts the longest one that is no chance."""
    parts = [it for it in sequence if it["pattern"] != "bruteforce"]
    if not parts:
        return "few"
    worst = max(parts, key=lambda it: len(it["token"]))
    if worst["pattern"] != "dictionary":
        return str(worst["pattern"])
    return {"user_inputs": "yours", "passwords": "common"}.get(worst["dictionary_name"], "word")
