"""Looks for strings that must not be there, in every form in which they could have been written."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ZLIB_HEADER = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
WINDOW, MOST_INFLATED = 1 << 18, 1 << 22  # bytes of one stream that are looked at


@dataclass(frozen=True)
class Canaries:
    """Strings to look for, by name."""

    words: Mapping[str, bytes]

    def found_in(self, content: bytes) -> frozenset[str]:
        """Names of those that stand in these bytes, in whatever form."""
        lowered = content.lower()
        found = {
            name
            for name, word in self.words.items()
            if any(form in content for form in _forms(word))
            or any(form in lowered for form in (word.hex().encode(), _spaced_hex(word)))
        }
        for inflated in _inflated(content):
            found |= {
                name
                for name, word in self.words.items()
                if any(form in inflated for form in _forms(word))
            }
        return frozenset(found)

    def found_under(self, roots: Sequence[Path]) -> dict[str, frozenset[str]]:
        """What stands in each file under these directories, or in its name."""
        hits = {}
        for root in roots:
            for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
                name = str(path.relative_to(root.parent)).encode()
                content = path.read_bytes() if path.is_file() else b""
                if found := self.found_in(content) | self.found_in(name):
                    hits[str(path)] = found
        return hits


def encodings(word: bytes) -> Mapping[str, bytes]:
    """The forms in which the search must find a word: its positive control."""
    text = word.decode("latin-1")
    return {
        "raw": word,
        "hex": word.hex().encode(),
        "upper hex": word.hex().upper().encode(),
        "spaced hex": _spaced_hex(word),
        **{f"base64 at {n}": base64.b64encode(b"xyz"[:n] + word + b"tail") for n in range(3)},
        "url-safe base64": base64.urlsafe_b64encode(b"?" + word + b"tail"),
        "UTF-16 LE": text.encode("utf-16-le"),
        "UTF-16 BE": text.encode("utf-16-be"),
        "zlib": zlib.compress(b"some text around " + word),
        "fast zlib": zlib.compress(b"some text around " + word, 1),
        "gzip": zlib.compress(b"some text around " + word, wbits=31),
        "base64 in zlib": zlib.compress(base64.b64encode(b"z" + word + b"tail")),
    }


def _forms(word: bytes) -> Iterator[bytes]:
    yield word
    text = word.decode("latin-1")
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")
    for shift in range(3):
        # Only what depends on no neighbour: the symbols whose bits are all of the word.
        coded = base64.b64encode(bytes(shift) + word)
        first, last = -(-shift * 8 // 6), (shift + len(word)) * 8 // 6
        inner = coded[first:last]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


def _spaced_hex(word: bytes) -> bytes:
    return word.hex(" ").encode()


def _inflated(content: bytes) -> Iterator[bytes]:
    """What comes out at everything that looks like the beginning of a zlib or gzip stream."""
    for match in ZLIB_HEADER.finditer(content):
        stream = zlib.decompressobj(wbits=47)  # zlib or gzip, whichever it is
        try:
            inflated = stream.decompress(
                content[match.start() : match.start() + WINDOW], MOST_INFLATED
            )
        except zlib.error:
            continue
        if inflated:
            yield inflated
