"""Free text that is met while a file is taken apart, kept just long enough to be searched.

It may name a patient. So it is bounded, is in no repr, and goes nowhere but to whoever looks for
identifiers in it. What a text was coded in is guessed: a wrong guess garbles letters, not digits.
"""

import codecs
import re
import string
from dataclasses import dataclass, field

from gateway.inspection.report import TEXTS, TEXTS_BYTES

_PIECE_BYTES = 1 << 14  # so that one long text leaves room for the others
_SEARCHED_BYTES = 1 << 20  # of bytes of unknown kinds, in which text is looked for
_DECODED_BYTES = 1 << 18  # in all: what decodes to nothing takes time as well
_OLDER_CODE = "inspection.older_code"
# Of random bytes one in four is a letter, a digit or a space, of text nearly each. In a megabyte of
# chance five runs pass; that one of them has a given name of two letters happens once in 400.
_READABLE = re.compile(rb"[\t\x20-\x7e\x80-\xff]{12,4096}")
_IN_WORDS = (string.ascii_letters + string.digits + " -").encode()
_OTHER_SHARE = 0.25


def _read_older_code(error: UnicodeError) -> tuple[str, int]:
    """What is no UTF-8 may be one of the older codes of the West; what is no UTF-16 is nothing."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end] if error.encoding == "utf-8" else b""
    return wrong.decode("latin-1"), error.end


codecs.register_error(_OLDER_CODE, _read_older_code)


@dataclass(slots=True)
class Texts:
    """Pieces of free text, `TEXTS` and `TEXTS_BYTES` of UTF-8 at the most."""

    pieces: list[str] = field(default_factory=list, repr=False)
    left_bytes: int = TEXTS_BYTES
    undecoded_bytes: int = _DECODED_BYTES
    unread_bytes: int = _SEARCHED_BYTES

    def add(self, content: bytes, encoding: str = "utf-8") -> None:
        """Take a text as far as there is room; without a readable character it is none."""
        if not self.left_bytes or len(self.pieces) >= TEXTS or not self.undecoded_bytes:
            return
        content = content[: min(_PIECE_BYTES, self.undecoded_bytes)]
        self.undecoded_bytes -= len(content)
        text = content.decode(encoding, _OLDER_CODE).replace("\0", " ").strip()
        encoded = text.encode("utf-8", "replace")[: self.left_bytes]
        if encoded:
            self.left_bytes -= len(encoded)
            self.pieces.append(encoded.decode("utf-8", "ignore"))

    def add_readable(self, content: bytes) -> None:
        """Take what looks like text in bytes of an unknown kind."""
        content = content[: self.unread_bytes]
        self.unread_bytes -= len(content)
        for found in _READABLE.finditer(content):
            if not self.left_bytes or len(self.pieces) >= TEXTS:
                return
            run = found[0]
            if len(run.translate(None, _IN_WORDS)) <= _OTHER_SHARE * len(run):
                self.add(run)
