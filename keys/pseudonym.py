"""Stand-ins for a patient, and finding the patient back without storing who it is."""

import hmac
import secrets
import unicodedata

from keys.context import FORMAT
from keys.secret import SecretKey

# Douglas Crockford's base 32: no I, L, O or U, so nothing is misread over the telephone.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS = 3
_GROUP_SIZE = 4

# Letters that Unicode does not take apart into a plain one and a mark.
_PLAIN = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ħ": "h",
        "ŧ": "t",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    }
    | {"æ": "ae", "œ": "oe", "þ": "th"}
)


def new_pseudonym() -> str:
    """Return a random pseudonym of 60 bits, such as 7QF3-M2XK-9PTD.

    It says nothing about anybody, so it cannot be linked across controllers. There is no
    check symbol: a mistyped one hits another patient once in about 2^60 / patients times.
    """
    groups = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_SIZE)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def normalise(value: str) -> str:
    """Return the form in which identifiers are compared.

    In order: Unicode NFKD, drop non-spacing marks (category Mn), case folding, NFKD and drop
    again, eleven letters without a decomposition become plain (ø o, ł l, æ ae ...), each run
    of anything but letters, numbers and spacing marks becomes one space, none at the ends. So
    "  VAN DER  Brück-Łys" gives "van der bruck lys". A date goes in as ISO 8601 (2014-03-09).

    This is a format: a change of it finds nobody back who was indexed before.
    """
    text = _without_marks(_without_marks(value).casefold()).translate(_PLAIN)
    spaced = (c if unicodedata.category(c)[0] in "LNM" else " " for c in text)
    return " ".join("".join(spaced).split())


def blind_index(index_key: SecretKey, field: str, value: str) -> bytes:
    """Return 32 bytes by which rows with the same normalised value are found.

    HMAC-SHA256 under the controller's own index key, the field's name bound. It hides the
    value only from those without the key: a birth date is guessed in seconds by who has it.
    A value in which nothing is left to compare is a ValueError, or all such patients were one.
    """
    normal = normalise(value)
    if not normal or not field.isprintable():
        raise ValueError(
            "a blind index needs a printable field name and a value with a letter or digit"
        )
    message = b"\n".join((FORMAT, b"blind-index", field.encode(), normal.encode()))
    return hmac.digest(index_key.reveal(), message, "sha256")


def _without_marks(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
