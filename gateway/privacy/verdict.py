"""What is sealed beside an accepted file: the hash of its plaintext, and its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """SHA-256 of the kept file in hex, and the inspection's report with the gateway's remarks."""

    sha256: str
    report: Mapping[str, Any] = field(repr=False)

    def to_bytes(self) -> bytes:
        """As JSON, for sealing."""
        return json.dumps([self.sha256, self.report]).encode()

    @classmethod
    def from_bytes(cls, unsealed: bytes) -> Verdict:
        """What `to_bytes` wrote."""
        return cls(*json.loads(unsealed))
