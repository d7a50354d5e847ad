"""Which files a treatment asks for, and which of them a case still lacks: advice, never a lock.

A file says which place it fills by its slot. Who sends it may name the slot; else it is guessed
from the file's name, and can be corrected until the case is submitted.

The scans are those that an articulated pair of models is made of: both arches and the bite. The
photos are the eight of an orthodontic series, five inside the mouth and three of the face.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.inspection.errors import Words

if TYPE_CHECKING:
    from storage.files import File  # the command reads these tables too, and needs no database


class Treatment(StrEnum):
    """Kinds of treatment."""

    ALIGNER = "aligner"
    RETAINER = "retainer"
    CROWN_BRIDGE = "crown_bridge"
    IMPLANT = "implant"
    OTHER = "other"


class Slot(StrEnum):
    """The place that a file fills; `other` fills none and is meant so."""

    UPPER = "upper"
    LOWER = "lower"
    BITE = "bite"
    FRONT = "front"
    RIGHT = "right"
    LEFT = "left"
    UPPER_OCCLUSAL = "upper_occlusal"
    LOWER_OCCLUSAL = "lower_occlusal"
    FACE = "face"
    SMILE = "smile"
    PROFILE = "profile"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Place:
    """One file that a treatment asks for: `scan` or `photo`, and its slot."""

    kind: str
    slot: Slot


_ARCHES = (Place("scan", Slot.UPPER), Place("scan", Slot.LOWER))
_BITE = (Place("scan", Slot.BITE),)
_SERIES = tuple(
    Place("photo", slot)
    for slot in (
        *(Slot.FRONT, Slot.RIGHT, Slot.LEFT, Slot.UPPER_OCCLUSAL, Slot.LOWER_OCCLUSAL),
        *(Slot.FACE, Slot.SMILE, Slot.PROFILE),
    )
)

EXPECTED: Mapping[Treatment, tuple[Place, ...]] = {
    Treatment.ALIGNER: (*_ARCHES, *_BITE, *_SERIES),
    Treatment.RETAINER: _ARCHES,
    Treatment.CROWN_BRIDGE: (*_ARCHES, *_BITE),
    Treatment.IMPLANT: (*_ARCHES, *_BITE),
    Treatment.OTHER: (),
}

SLOTS: Mapping[str, tuple[Slot, ...]] = {
    "scan": (*(place.slot for place in (*_ARCHES, *_BITE)), Slot.OTHER),
    "photo": (*(place.slot for place in _SERIES), Slot.OTHER),
    "plan": (),
}
"""The slots that a file of a kind may have."""

WORDS: Mapping[Slot, Words] = {
    Slot.UPPER: Words("upper jaw", "bovenkaak"),
    Slot.LOWER: Words("lower jaw", "onderkaak"),
    Slot.BITE: Words("bite", "beet"),
    Slot.FRONT: Words("front, teeth closed", "voorzijde, tanden op elkaar"),
    Slot.RIGHT: Words("right side, teeth closed", "rechterzijde, tanden op elkaar"),
    Slot.LEFT: Words("left side, teeth closed", "linkerzijde, tanden op elkaar"),
    Slot.UPPER_OCCLUSAL: Words("biting surface of the upper jaw", "kauwvlak van de bovenkaak"),
    Slot.LOWER_OCCLUSAL: Words("biting surface of the lower jaw", "kauwvlak van de onderkaak"),
    Slot.FACE: Words("face, at rest", "gezicht, in rust"),
    Slot.SMILE: Words("face, smiling", "gezicht, lachend"),
    Slot.PROFILE: Words("face, from the side", "gezicht, van opzij"),
    Slot.OTHER: Words("other", "overig"),
}

# The Dutch "OK" (onderkaak) is the German one's opposite (Oberkiefer): it says nothing.
_UPPER = frozenset({"upper", "maxilla", "maxillary", "bovenkaak", "boven", "bk", "oberkiefer"})
_LOWER = frozenset(
    {"lower", "mandible", "mandibula", "mandibular", "onderkaak", "onder", "uk", "unterkiefer"}
)
SAID: Mapping[str, Mapping[Slot, frozenset[str]]] = {
    "scan": {
        Slot.UPPER: _UPPER,
        Slot.LOWER: _LOWER,
        Slot.BITE: frozenset({"bite", "beet", "buccal", "biss"}),
    },
    "photo": {
        Slot.UPPER_OCCLUSAL: _UPPER,
        Slot.LOWER_OCCLUSAL: _LOWER,
        Slot.FRONT: frozenset({"front", "frontal", "voor", "voorzijde"}),
        Slot.RIGHT: frozenset({"right", "rechts", "rechterzijde"}),
        Slot.LEFT: frozenset({"left", "links", "linkerzijde"}),
        Slot.FACE: frozenset({"face", "portrait", "gezicht", "portret"}),
        Slot.SMILE: frozenset({"smile", "smiling", "lach", "lachend"}),
        Slot.PROFILE: frozenset({"profile", "profiel"}),
    },
}
"""The words by which the name of a file speaks of its slot. The pages guess by the same ones."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # UpperJawScan is three words


def guess(kind: str, name: str) -> Slot | None:
    """The slot that a file's name speaks of; None when it speaks of none, or of several."""
    words = {word.lower() for word in _WORD.findall(name)}
    found = [slot for slot, said in SAID.get(kind, {}).items() if said & words]
    return found[0] if len(found) == 1 else None


def missing(treatment: Treatment, files: Iterable[File]) -> tuple[Place, ...]:
    """What the treatment asks for and no accepted file is said to be."""
    there = {(file.kind, file.slot) for file in files if file.state == "accepted"}
    return tuple(place for place in EXPECTED[treatment] if (place.kind, place.slot) not in there)
