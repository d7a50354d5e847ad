"""Key material that does not leak by accident."""

import hmac
import os
from typing import NoReturn, Self, SupportsIndex, final

KEY_SIZE = 32


@final
class SecretKey:
    """Exactly 32 secret bytes: silent when printed, never copied or pickled.

    Python cannot promise to wipe memory; keeping core dumps and swap away is the
    process's business (docs/threat-model.md).
    """

    __slots__ = ("_material",)

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY_SIZE:
            raise ValueError(f"a key is {KEY_SIZE} bytes")
        self._material = material

    @classmethod
    def generate(cls) -> Self:
        """Return a fresh key from the system's random source."""
        return cls(os.urandom(KEY_SIZE))

    def reveal(self) -> bytes:
        """Return the raw bytes, for a primitive that is about to use them."""
        return self._material

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretKey):
            return NotImplemented
        return hmac.compare_digest(self._material, other._material)

    # A hash that agrees with == would be a fingerprint of the key.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "SecretKey(...)"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a key is neither copied nor pickled")
