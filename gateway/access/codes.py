"""One-time codes (RFC 6238) and recovery codes: checked, and each taken once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time

import pyotp
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.accountkeys import AccountKeys
from gateway.access.actors import system
from gateway.access.grants import Access
from gateway.access.policy import Action
from gateway.access.proofs import Proof
from gateway.errors import IntegrityFailedError
from gateway.ids import now
from gateway.settings import Settings
from keys.errors import UnsealError
from storage import accounts, factors
from storage.accounts import Account
from storage.database import Database
from storage.factors import Factor

STEP_SECONDS = 30
DIGITS = 6
SECRET_BYTES = 20  # as long as the hash of HMAC-SHA-1 (RFC 4226 section 4 R6)

RECOVERY_CODES = 10
RECOVERY_BYTES = 15  # 120 bits: a plain hash is enough to store it
GROUP = 6


def new_recovery_code() -> str:
    """120 random bits to write down: four groups of six letters and digits."""
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower()
    return "-".join(text[start : start + GROUP] for start in range(0, len(text), GROUP))


def hash_recovery_code(code: str) -> bytes:
    """How a recovery code is stored; however it is typed, in capitals or with spaces."""
    return hashlib.sha256(_plain(code).encode()).digest()


def new_secret() -> bytes:
    """A secret for one-time codes."""
    return secrets.token_bytes(SECRET_BYTES)


def key_uri(secret: bytes, email: str, issuer: str) -> str:
    """What a phone scans (otpauth://, the Key Uri Format)."""
    return _hotp(secret).provisioning_uri(name=email, issuer_name=issuer)


def step_of(secret: bytes, code: str, drift: int) -> int | None:
    """The step whose code this is, or None.

    Args:
        secret: Of the factor.
        code: As typed.
        drift: Steps beside the present one that count as well (RFC 6238 section 5.2). With none a
            code lives for its 30 seconds (ASVS 6.5.5).
    """
    present = int(time.time()) // STEP_SECONDS
    codes = _hotp(secret)
    found = None
    for step in range(present - drift, present + drift + 1):
        if hmac.compare_digest(codes.generate_otp(step).encode(), code.encode()):
            found = step
    return found


async def must_have_factor(connection: AsyncConnection, account: Account) -> bool:
    """Whether the account must have a second factor: our own people, and where a client asks."""
    if account.controller_id is None:
        return True
    controller = await accounts.get_controller(connection, account.controller_id)
    return controller is None or controller.second_factor_required


class Codes:
    """Checks codes. Every code counts once, on whatever node it arrives."""

    def __init__(
        self, main: Database, access: Access, keys: AccountKeys, settings: Settings
    ) -> None:
        """Factors live in `main`; their secrets are sealed under the accounts' keys."""
        self._main = main
        self._access = access
        self._keys = keys
        self._drift = settings.code_clock_steps

    async def use(self, account: Account, code: str) -> Proof | None:
        """Take a code; what it proves, or None: wrong, used before, or too old.

        Raises:
            IntegrityFailedError: A stored secret is not what was sealed; logged.
        """
        given = _plain(code)
        if len(given) == DIGITS and given.isascii() and given.isdigit():
            return Proof.TOTP if await self._use_step(account, given) else None
        async with self._main.transaction() as tx:
            used = await factors.take_recovery_code(
                tx, account.id, hash_recovery_code(given), now()
            )
        return Proof.RECOVERY_CODE if used else None

    async def step(self, account: Account, factor: Factor, code: str) -> int | None:
        """The step near the present whose code this is, or None; nothing is taken by it.

        Raises:
            IntegrityFailedError: The stored secret is not what was sealed; logged.
        """
        if factor.sealed_secret is None:
            return None
        try:
            secret = await self._keys.unseal(account, factor.id, factor.sealed_secret)
        except UnsealError as error:
            await self._access.note(
                system("integrity"), Action.INTEGRITY_ALARM, refused=True, factor=factor.id
            )
            raise IntegrityFailedError(id=factor.id) from error
        return step_of(secret, _plain(code), self._drift)

    async def _use_step(self, account: Account, code: str) -> bool:
        async with self._main.reading() as connection:
            enrolled = await factors.active(connection, account.id)
        for factor in enrolled:
            step = await self.step(account, factor, code)
            if step is not None:
                async with self._main.transaction() as tx:
                    return await factors.take_step(tx, factor.id, step, now())
        return False


def _plain(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()


def _hotp(secret: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(base64.b32encode(secret).decode(), digits=DIGITS, interval=STEP_SECONDS)
