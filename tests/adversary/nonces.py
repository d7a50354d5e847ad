"""Every nonce that was ever used under which key, written down where kill -9 does not reach it.

AES-GCM breaks when a nonce comes twice under one key. Here a key is derived for each stream from
a file or wrapping key and a random salt, so what may not repeat is the key, the salt with its
nonce prefix, and the number of the segment, all together.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keys.stream import Sealer


def recorded(path: Path, put: Callable[[object, str, object], None] = setattr) -> None:
    """From here on every seal of this process is a line of the file, before it happens.

    Args:
        path: Of the file; a line is in the kernel's hands before the cipher runs.
        put: Sets an attribute of a class; of a test that takes it back afterwards.
    """
    flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    begin, seal = Sealer.__init__, Sealer.seal
    digests: dict[int, str] = {}

    def beginning(self: Sealer, key: Any, context: Any) -> None:
        begin(self, key, context)
        digest = hashlib.sha256(key.reveal() + context.encode()).hexdigest()
        digests[id(self)] = f"{digest} {self.header[1:].hex()}"

    def sealing(self: Sealer, plaintext: Any, *, last: bool) -> bytes:
        # Not write(2): the crash matrix counts those, and these are not the product's.
        os.writev(descriptor, [f"{digests[id(self)]} {self._next}{' last' * last}\n".encode()])
        return seal(self, plaintext, last=last)

    put(Sealer, "__init__", beginning)
    put(Sealer, "seal", sealing)


def repeated(path: Path) -> list[str]:
    """The lines that are there more than once; to be empty."""
    return [line for line, count in Counter(path.read_text().splitlines()).items() if count > 1]
