"""How an error becomes words."""

from __future__ import annotations

from string import Formatter

import pytest

from gateway.cli import client, download, erase, errors, passphrase, sender, texts
from gateway.cli.errors import CommandError, RefusedError, explain
from gateway.cli.texts import Words
from gateway.errors import ForbiddenError, InvalidInputError
from keys.errors import KeysError, PassphraseError
from storage.errors import SchemaError


def all_words() -> list[Words]:
    found = list(texts.KEYS.values()) + list(passphrase._NO_TERMINAL.values())
    found += list(passphrase._QUESTION.values())
    for module in (texts, client, download, erase, passphrase, sender):
        found += [value for value in vars(module).values() if isinstance(value, Words)]
    return found + [error.words for error in CommandError.__subclasses__()]


@pytest.mark.parametrize("words", all_words())
def test_both_languages_fill_the_same_places(words: Words) -> None:
    english, dutch = (
        {name for _, name, _, _ in Formatter().parse(text) if name} for text in (words.en, words.nl)
    )

    # Dutch may say less, never ask for a value that English does not have.
    assert dutch <= english
    assert bool(words.en) == bool(words.nl)


def test_every_refusal_of_the_command_has_a_code_of_its_own() -> None:
    codes = [error.code for error in CommandError.__subclasses__() if error is not RefusedError]

    assert len(set(codes)) == len(codes)
    assert CommandError.code not in codes


def test_every_remedy_for_keys_belongs_to_a_refusal_that_exists() -> None:
    assert set(texts.KEYS) <= {error.code for error in KeysError.__subclasses__()}


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (InvalidInputError(field="email", reason="wrong"), "invalid_input", 2),
        (ForbiddenError(), "forbidden", 1),
        (RefusedError(422, "invalid_input", "The field notes is not right."), "invalid_input", 2),
        (RefusedError(404, "not_found", "Nothing."), "not_found", 1),
        (PassphraseError("wrong"), "passphrase_refused", 1),
        (SchemaError("older"), "schema", 1),
        (PermissionError(13, "Permission denied", "/nowhere"), "local_file", 1),
        (KeyboardInterrupt(), "stopped", 1),
    ],
)
def test_the_exit_code_tells_what_was_wrong_from_what_was_refused(
    error: BaseException, code: str, exit_code: int
) -> None:
    told = explain(error)

    assert (told.code, told.exit_code) == (code, exit_code)
    assert told.message


def test_a_defect_is_named_by_its_type_and_place_and_never_by_its_words() -> None:
    try:
        raise KeyError("Sam Voorbeeld")
    except KeyError as error:
        told = explain(error)

    assert (told.code, told.exit_code) == ("internal", 1)
    assert "KeyError at tests.gateway.cli.test_errors:" in told.message
    assert "Sam" not in told.message


@pytest.mark.parametrize(
    ("status", "code", "passes"),
    [
        (503, "unavailable", True),
        (429, "too_many", True),
        (409, "offset_mismatch", True),
        (409, "wrong_state", False),
        (404, "not_found", False),
        (413, "too_large", False),
    ],
)
def test_only_what_may_pass_is_tried_again(status: int, code: str, passes: bool) -> None:
    assert RefusedError(status, code, "").passes is passes


def test_no_module_of_errors_is_forgotten() -> None:
    assert errors.__doc__ is not None
    for error in CommandError.__subclasses__():
        if error.__module__ == errors.__name__:
            assert error.__name__ in errors.__doc__
