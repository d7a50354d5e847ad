"""What pages load: style, modules, the mark, and the licences of what is in them.

A browser keeps them for a year; when anything changes, everything has another address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import InvalidInputError

FOLDER = Path(__file__).parent / "static"
MODULES = Path(__file__).parent / "modules"
BUILT = Path(__file__).parent / "built"
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Assets:
    """All of them.

    Attributes:
        prefix: The folder of their addresses. It names the content of all, so modules find one
            another by plain names and never meet those of another version.
        files: Content by name.
    """

    prefix: str
    files: Mapping[str, bytes]

    @classmethod
    def read(cls) -> Assets:
        """Those of this program: as they stand in `static`, and as they were built of `modules`.

        Raises:
            InvalidInputError: They were not built.
        """
        built = sorted(BUILT.iterdir()) if BUILT.is_dir() else []
        # Beside the source each must be there; an installed program has `built` alone.
        missing = {path.name for path in MODULES.glob("*.js")} - {path.name for path in built}
        if missing or not built:
            reason = "modules of the pages are missing there; run `make install` to build them"
            raise InvalidInputError(field=str(BUILT), reason=reason)
        files = {path.name: path.read_bytes() for path in [*sorted(FOLDER.iterdir()), *built]}
        digest = hashlib.sha256()
        for name, content in files.items():
            digest.update(f"{name} {len(content)}\n".encode() + content)
        return cls(f"/assets/{digest.hexdigest()[:16]}", files)
