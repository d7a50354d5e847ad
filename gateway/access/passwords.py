"""Passwords: Argon2id, in threads, a bounded number at a time.

The parameters were measured (bench/passwords.py, docs/benchmarks.md). A hash of other parameters
is replaced when its owner signs in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.access.strength import MAXIMUM_LENGTH, check_strength

PASSES = 3
MEMORY_KIB = 64 * 1024
LANES = 2
AT_A_TIME = 2  # 64 MiB each: what a burst of logins may take


class Passwords:
    """Hashes and checks passwords."""

    def __init__(self) -> None:
        """Make the stand-in hash against which unknown accounts are checked."""
        self._hasher = PasswordHasher(PASSES, MEMORY_KIB, LANES)
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str, words: Iterable[str] = ()) -> str:
        """The PHC string of a new password.

        Args:
            password: As it was typed.
            words: What is known of the person, such as their e-mail address and name.

        Raises:
            WeakPasswordError: Too short, too long, or too easily guessed.
        """
        async with self._turns:
            await asyncio.to_thread(check_strength, password, tuple(words))
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right. Takes as long for an account that does not exist."""
        if len(password) > MAXIMUM_LENGTH:
            return False
        async with self._turns:
            right = await asyncio.to_thread(self._check, password_hash or self._nobody, password)
        return right and password_hash is not None

    async def renewed(self, password_hash: str, password: str) -> str | None:
        """A hash of today's parameters for a right password; None if its hash has them."""
        if not self._hasher.check_needs_rehash(password_hash):
            return None
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    def _check(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
