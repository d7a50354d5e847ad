"""Passwords: Argon2id, in threads, a bounded number at a time.

Memory and passes are those of RFC 9106's second recommendation (64 MiB, 3 passes).
"""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.errors import InvalidInputError

MINIMUM_LENGTH = 12
MAXIMUM_LENGTH = 1024
AT_A_TIME = 2  # 64 MiB each: what a burst of logins may take


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self) -> None:
        """Make the stand-in hash against which unknown accounts are checked."""
        self._hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=2)
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """The PHC string of a new password.

        Raises:
            InvalidInputError: Too short or too long.
        """
        if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
            reason = f"take {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters"
            raise InvalidInputError(field="password", reason=reason)
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right. Takes as long for an account that does not exist."""
        if len(password) > MAXIMUM_LENGTH:
            return False
        async with self._turns:
            right = await asyncio.to_thread(self._check, password_hash or self._nobody, password)
        return right and password_hash is not None

    def _check(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
