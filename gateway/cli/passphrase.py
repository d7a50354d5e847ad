"""Secrets of the operator: from the environment, a file or a terminal, never from an argument."""

from __future__ import annotations

import sys
from typing import Literal

import typer

from gateway.cli.errors import UsageError
from gateway.cli.texts import Words
from gateway.settings import Settings

_QUESTION = {
    "passphrase": Words("Passphrase", "Wachtzin"),
    "password": Words("Password", "Wachtwoord"),
}
_NO_TERMINAL = {
    "passphrase": Words(
        "No passphrase: set KLUIS_PASSPHRASE, or KLUIS_PASSPHRASE_FILE to a file that holds it.",
        "Geen wachtzin: zet KLUIS_PASSPHRASE, of KLUIS_PASSPHRASE_FILE naar een bestand ermee.",
    ),
    "password": Words(
        "No terminal to ask for the password: give --password-stdin.",
        "Geen terminal om het wachtwoord te vragen: geef --password-stdin.",
    ),
}
_UNREADABLE = Words(
    "The file of KLUIS_PASSPHRASE_FILE cannot be read, or its first line is empty.",
    "Het bestand van KLUIS_PASSPHRASE_FILE is niet te lezen, of de eerste regel is leeg.",
)


def at_hand(settings: Settings) -> str | None:
    """The passphrase where it needs no asking, or None.

    Raises:
        UsageError: The file that should hold it does not.
    """
    if settings.passphrase is not None:
        return settings.passphrase.get_secret_value()
    if settings.passphrase_file is None:
        return None
    try:
        with settings.passphrase_file.open(encoding="utf-8") as file:
            line = file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        line = ""
    if not line:
        raise UsageError("passphrase_file", _UNREADABLE)
    return line


def passphrase(settings: Settings, *, new: bool = False) -> str:
    """The passphrase of the keyring; a new one is asked for twice. Empty where no keyring is local.

    Raises:
        UsageError: Nowhere given, and there is no terminal to ask on.
    """
    if "local" not in {settings.key_provider, settings.key_provider_before}:
        return ""
    found = at_hand(settings)
    return ask_secret("passphrase", new=new) if found is None else found


def ask_secret(field: Literal["passphrase", "password"], *, new: bool) -> str:
    """Ask for it on the terminal without showing it, a new one twice.

    Raises:
        UsageError: There is no terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(field, _NO_TERMINAL[field])
    return str(
        typer.prompt(_QUESTION[field].say(), hide_input=True, confirmation_prompt=new, err=True)
    )
