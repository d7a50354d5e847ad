"""What a reader met and leaves out of the scan: of what kind it is, and the words in it."""

from dataclasses import dataclass, field

from gateway.inspection.forms import Dropped
from gateway.inspection.report import TEXTS, TEXTS_BYTES


@dataclass(slots=True)
class LeftOut:
    """Filled in by a reader as it goes through a file; holds no more than an answer may carry."""

    kinds: set[Dropped] = field(default_factory=set)
    texts: list[str] = field(default_factory=list, repr=False)
    text_bytes: int = 0

    def take(self, kind: Dropped, text: bytes = b"") -> None:
        """Note a thing, and what it says."""
        self.kinds.add(kind)
        if len(self.texts) == TEXTS:
            return
        text = text.strip(b"\0 \t\r\n")[: TEXTS_BYTES - self.text_bytes]
        if text:
            self.text_bytes += len(text)
            self.texts.append(_decode(text))

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """The kinds in order."""
        return tuple(sorted(self.kinds))


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")
