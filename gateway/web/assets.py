"""What pages load: style, modules, the mark.

A browser keeps them for a year; when anything changes, everything has another address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
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
        """Those of this program."""
        files = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir())}
        digest = hashlib.sha256()
        for name, content in files.items():
            digest.update(f"{name} {len(content)}\n".encode() + content)
        return cls(f"/assets/{digest.hexdigest()[:16]}", files)
