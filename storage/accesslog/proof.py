"""Proofs as text: what a client keeps of one entry, and what a log sends to a witness.

Both are a few lines of their own, hashes in base64, an empty line, and a signed checkpoint
verbatim (c2sp.org/tlog-proof, c2sp.org/tlog-witness). Each has one text: whatever differs from
what would be written here is refused.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from storage.accesslog.tree import HASH_SIZE
from storage.errors import LogInconsistentError

VERSION = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 63  # tlog-witness; no tree is deeper


@dataclass(frozen=True, slots=True)
class LogProof:
    """That an entry is in a log (tlog-proof): checked with the entry and public keys alone.

    Attributes:
        index: The entry's place.
        hashes: RFC 9162 inclusion proof, from the leaf's sibling upwards.
        note: The signed checkpoint, with the cosignatures of witnesses.
        extra: What the reader needs to make the entry again; proven by nothing but that.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: str
    extra: bytes | None = None

    def text(self) -> str:
        """Give the file that a client keeps."""
        extra = () if self.extra is None else (f"extra {_encode(self.extra)}",)
        return _join((VERSION, *extra, f"index {self.index}"), self.hashes, self.note)

    @classmethod
    def parse(cls, text: str) -> LogProof:
        """Read what `text` gives.

        Raises:
            LogInconsistentError: It is no proof. Whether a proof proves anything is not looked at.
        """
        lines, note = _split(text)
        version, *rest = lines
        extra = _decode(rest.pop(0)[6:]) if rest and rest[0].startswith("extra ") else None
        index, *hashes = rest or [""]
        proof = cls(_number(index, "index "), _hashes(hashes), note, extra)
        if version != VERSION or proof.text() != text:
            raise LogInconsistentError("not a tlog-proof")
        return proof


@dataclass(frozen=True, slots=True)
class Submission:
    """What a log asks a witness to cosign (tlog-witness, add-checkpoint).

    Attributes:
        old_size: Of the checkpoint that the witness cosigned last; 0 for none.
        hashes: RFC 9162 consistency proof from there.
        note: The signed checkpoint.
    """

    old_size: int
    hashes: tuple[bytes, ...]
    note: str

    def text(self) -> str:
        """Give the body of the request."""
        return _join((f"old {self.old_size}",), self.hashes, self.note)

    @classmethod
    def parse(cls, text: str) -> Submission:
        """Read what `text` gives.

        Raises:
            LogInconsistentError: It is no such request.
        """
        (old, *hashes), note = _split(text)
        submission = cls(_number(old, "old "), _hashes(hashes), note)
        if submission.text() != text:
            raise LogInconsistentError("not a request for a cosignature")
        return submission


def _join(first: Sequence[str], hashes: Sequence[bytes], note: str) -> str:
    return "\n".join((*first, *map(_encode, hashes), "", note))


def _split(text: str) -> tuple[list[str], str]:
    before, gap, note = text.partition("\n\n")
    if not gap:
        raise LogInconsistentError("no checkpoint in a proof")
    return before.split("\n"), note


def _number(line: str, label: str) -> int:
    try:
        number = int(line.removeprefix(label))
    except ValueError:
        raise LogInconsistentError(f"no {label.strip()} in a proof") from None
    if number < 0:
        raise LogInconsistentError(f"a negative {label.strip()} in a proof")
    return number


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    hashes = tuple(map(_decode, lines))
    if len(hashes) > MAX_HASHES or any(len(found) != HASH_SIZE for found in hashes):
        raise LogInconsistentError("a hash of a proof is none")
    return hashes


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raise LogInconsistentError("not base64 in a proof") from None
