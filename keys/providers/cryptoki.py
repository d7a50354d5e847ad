"""A login to a PKCS#11 token, and the one thread of this process that uses it.

python-pkcs11 calls C_Initialize(NULL), by which an application promises not to enter the module
from several threads (PKCS#11 2.40 base, 5.4). So every call goes through one thread of its own;
a token that hangs holds that thread, and no other part of the process.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import (
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    UserAlreadyLoggedIn,
    UserNotLoggedIn,
    UserPinNotInitialized,
)

from keys.context import Context, Purpose
from keys.errors import (
    KeyringMissingError,
    ProviderRefusedError,
    ProviderUnavailableError,
    UnsealError,
)
from keys.secret import KEY_SIZE, SecretKey

PATIENCE_SECONDS = 10.0
"""How long a call may take, with those that wait before it."""

_Result = TypeVar("_Result")

_THREAD = ThreadPoolExecutor(1, "pkcs11")
_ROOT = "kluis/root"
_NONCE_SIZE = 12
WRAPPED_SIZE = _NONCE_SIZE + KEY_SIZE + 16
_PROBE = Context(Purpose.KEYRING, "", "", "probe")
_PIN_REFUSED = (
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    UserPinNotInitialized,
)


class Login:
    """A session in which the user is logged in. For the one thread alone.

    A token that has logged its user out, or is gone, does not say so: a search finds nothing.
    The root key is private, so who sees it is logged in; only then does "nothing" count.
    """

    def __init__(self, session: pkcs11.Session, *, make_root: bool) -> None:
        self._session = session
        self.known: dict[tuple[str, int], Sequence[pkcs11.SecretKey]] = {}
        """Handles of controller keys that opened something before; worthless in other sessions."""
        found = session.get_objects({Attribute.LABEL: _ROOT})
        self.roots = [key for key in found if isinstance(key, pkcs11.SecretKey)]
        if not self.roots and make_root:
            self.roots = [self.generate(_ROOT, b"")]

    def prove(self) -> None:
        """Return while logged in; else a PKCS11Error."""
        if self.roots[0][Attribute.LABEL] != _ROOT:
            raise UserNotLoggedIn

    def find(self, label: str) -> list[pkcs11.Object]:
        """Return every object of that label, which may be none."""
        self.prove()
        found = list(self._session.get_objects({Attribute.LABEL: label}))
        self.prove()
        return found

    def generate(self, label: str, number: bytes) -> pkcs11.SecretKey:
        """Return a new key that never leaves the token."""
        return self._session.generate_key(
            KeyType.AES,
            KEY_SIZE * 8,
            id=number,
            label=label,
            store=True,
            capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
            template={
                Attribute.PRIVATE: True,
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.MODIFIABLE: False,
                # A copy under another label would outlive the destruction of this one.
                Attribute.COPYABLE: False,
            },
        )

    def keep(self, label: str, content: bytes) -> pkcs11.Object:
        """Return a new data object that only a logged-in user reads."""
        return self._session.create_object(
            {
                Attribute.CLASS: ObjectClass.DATA,
                Attribute.TOKEN: True,
                Attribute.PRIVATE: True,
                Attribute.MODIFIABLE: False,
                Attribute.APPLICATION: "kluis",
                Attribute.LABEL: label,
                Attribute.VALUE: content,
            }
        )

    def wrap(self, key: pkcs11.SecretKey, secret: SecretKey, context: Context) -> bytes:
        """Return nonce, ciphertext and tag: 60 bytes (AES-256-GCM, SP 800-38D)."""
        nonce = os.urandom(_NONCE_SIZE)
        # A key has its verbs at run time only, by its attributes.
        sealed: bytes = cast(Any, key).encrypt(
            secret.reveal(),
            mechanism=Mechanism.AES_GCM,
            mechanism_param=GCMParams(nonce, context.encode()),
        )
        return nonce + sealed

    def unwrap(
        self, keys: Sequence[pkcs11.SecretKey], wrapped: bytes, context: Context
    ) -> SecretKey:
        """Return what was wrapped under one of the keys.

        Raises:
            UnsealError: Under none of them, or in another context, or altered.
        """
        if len(wrapped) != WRAPPED_SIZE:
            raise UnsealError
        for key in keys:
            with suppress(UnsealError):
                return self._open(key, wrapped, context)
        raise UnsealError

    def _open(self, key: pkcs11.SecretKey, wrapped: bytes, context: Context) -> SecretKey:
        try:
            return self._decrypt(key, wrapped, context)
        except PKCS11Error:
            # Tokens call a wrong tag by many names, CKR_GENERAL_ERROR among them. Whether it was
            # the bytes or the token, bytes of our own tell; if those fail as well, that is raised.
            secret = SecretKey.generate()
            self._decrypt(key, self.wrap(key, secret, _PROBE), _PROBE)
        try:
            return self._decrypt(key, wrapped, context)  # it may have been one bad moment
        except PKCS11Error:
            raise UnsealError from None

    def _decrypt(self, key: pkcs11.SecretKey, wrapped: bytes, context: Context) -> SecretKey:
        params = GCMParams(wrapped[:_NONCE_SIZE], context.encode())
        sealed = wrapped[_NONCE_SIZE:]
        return SecretKey(
            cast(Any, key).decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=params)
        )

    def end(self) -> None:
        """Log out and close."""
        self._session.close()


class Token:
    """Runs jobs in a login, logging in again where the last one is worth nothing any more.

    A PIN that was refused is not tried a second time by this process: tokens lock themselves
    after a few.
    """

    def __init__(self, module: Path, label: str, pin_file: Path) -> None:
        self._module = module
        self._label = label
        self._pin_file = pin_file
        self._login: Login | None = None
        self._refused = ""

    @property
    def place(self) -> str:
        """What to call it in a message."""
        return f"HSM token {self._label}"

    async def run(self, job: Callable[[Login], _Result], *, make_root: bool = False) -> _Result:
        """Return what the job returns. It may be run twice, so it is idempotent.

        Raises:
            KeyringMissingError: The token has no root key, and none was to be made.
            ProviderRefusedError: The module or the PIN.
            ProviderUnavailableError: No such token at this moment, an error of it, or silence.
        """
        call = asyncio.get_running_loop().run_in_executor(_THREAD, self._run, job, make_root)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await call
        except TimeoutError:
            raise self._unavailable("the token does not answer") from None

    async def close(self) -> None:
        """Log out; the next job would log in again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.get_running_loop().run_in_executor(_THREAD, self._leave)

    def _run(self, job: Callable[[Login], _Result], make_root: bool) -> _Result:
        try:
            return job(self._logged_in(make_root))
        except PKCS11Error:
            # A lost connection, a logout, a handle of what another process destroyed: in a fresh
            # login the job finds what there is now.
            self._leave()
        try:
            return job(self._logged_in(make_root))
        except PKCS11Error as error:
            self._leave()
            raise self._unavailable(f"PKCS#11 answers {type(error).__name__}") from None

    def _logged_in(self, make_root: bool) -> Login:
        if self._login is None:
            login = Login(self._session(), make_root=make_root)
            if not login.roots:
                login.end()
                raise KeyringMissingError(self.place)
            self._login = login
        return self._login

    def _leave(self) -> None:
        login, self._login = self._login, None
        if login is not None:
            with suppress(PKCS11Error):
                login.end()

    def _session(self) -> pkcs11.Session:
        token, pin = self._token(), self._pin()
        try:
            return token.open(rw=True, user_pin=pin)
        except UserAlreadyLoggedIn:
            # The sessions of one process share one login.
            return token.open(rw=True)
        except _PIN_REFUSED as error:
            self._refused = f"the PIN is refused, {type(error).__name__}"
            raise self._locked_out() from None

    def _token(self) -> pkcs11.Token:
        try:
            module = pkcs11.lib(str(self._module))
        except PKCS11Error:
            remedy = f"{self._module} does not load: set pkcs11_module"
            raise ProviderRefusedError("no PKCS#11 module", remedy) from None
        try:
            return module.get_token(token_label=self._label)
        except PKCS11Error:
            # Modules look for tokens when they are initialised, and some never again.
            module.reinitialize()
            return module.get_token(token_label=self._label)

    def _pin(self) -> str:
        if self._refused:
            raise self._locked_out()
        try:
            pin = self._pin_file.read_text("utf-8").partition("\n")[0].removesuffix("\r")
        except (OSError, UnicodeDecodeError):
            pin = ""
        if not pin:
            remedy = f"put it into {self._pin_file}, or set pkcs11_pin_file"
            raise ProviderRefusedError("no PIN", remedy)
        return pin

    def _locked_out(self) -> ProviderRefusedError:
        return ProviderRefusedError(self._refused, "put the PIN file right, then start Kluis again")

    def _unavailable(self, reason: str) -> ProviderUnavailableError:
        remedy = f"see that {self.place} is there and that its module reaches it"
        return ProviderUnavailableError(reason, remedy)
