"""Every refusal of this room.

KeysError
├── UnsealError                wrong key, wrong context or altered bytes
├── UnknownKeyVersionError     never existed, destroyed, or forgotten by this process
├── UnknownSigningKeyError
├── SignatureError
├── PassphraseError
├── KeyringExistsError
├── KeyringMissingError
├── KeyringFormatError
├── RecoveryWordsError
├── RecoveryKeyFormatError
└── ProviderUnavailableError   the provider cannot serve now; nothing happened
    └── ProviderRefusedError   nor will it, until its operator puts something right

Codes are public and never change. No message holds a key, a passphrase or plaintext.
A caller's slip (an id with a newline in it, a segment of the wrong size) is a ValueError.
"""

from pathlib import Path
from typing import ClassVar


class KeysError(Exception):
    """Root of the tree; never raised itself."""

    code: ClassVar[str]


class UnsealError(KeysError):
    """The bytes do not open; which of the three reasons it was cannot be told, nor should it be."""

    code = "unseal_failed"

    def __init__(self) -> None:
        super().__init__("wrong key, wrong context or altered bytes")


class UnknownKeyVersionError(KeysError):
    """This process has no such version of the controller's key, and will not get it."""

    code = "unknown_key_version"

    def __init__(self, controller_id: str, version: int) -> None:
        super().__init__(f"controller {controller_id} has no key version {version}")


class UnknownSigningKeyError(KeysError):
    """No signing key of that name was made when the keyring was."""

    code = "unknown_signing_key"

    def __init__(self, name: str) -> None:
        super().__init__(f"no signing key named {name!r}")


class SignatureError(KeysError):
    """A signature, a signed note or a verifier key is not what it should be."""

    code = "signature_invalid"


class PassphraseError(KeysError):
    """The passphrase does not open the keyring, or cannot serve as one."""

    code = "passphrase_refused"


class KeyringExistsError(KeysError):
    """A keyring is there already; making another would orphan everything under the first."""

    code = "keyring_exists"

    def __init__(self, place: Path | str) -> None:
        super().__init__(f"{place}: a keyring is there already")


class KeyringMissingError(KeysError):
    """There is no keyring at this place."""

    code = "keyring_missing"

    def __init__(self, place: Path | str) -> None:
        super().__init__(f"{place}: no keyring here; make one first")


class KeyringFormatError(KeysError):
    """The keyring file is damaged, of another format, or older than what was read before."""

    code = "keyring_format"

    def __init__(self, reason: str) -> None:
        super().__init__(f"keyring: {reason}")


class RecoveryWordsError(KeysError):
    """What was typed are not the words of a recovery key."""

    code = "recovery_words_refused"

    def __init__(self) -> None:
        super().__init__("these are not 24 words of a recovery key in their order")


class RecoveryKeyFormatError(KeysError):
    """The file of the recovery key's public half holds something else."""

    code = "recovery_key_format"

    def __init__(self) -> None:
        super().__init__("not the public half of a recovery key")


class ProviderUnavailableError(KeysError):
    """The provider cannot serve now: sealed, unreachable, silent, or at fault itself.

    Whether what was asked has happened is not known; every method may be called again.

    Attributes:
        reason: One word or a few, such as "sealed"; fit for anyone's eyes.
    """

    code = "provider_unavailable"

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"key provider: {reason}; {remedy}")
        self.reason = reason


class ProviderRefusedError(ProviderUnavailableError):
    """The provider does not let this process in, or not do this: a credential, a permission."""

    code = "provider_refused"
