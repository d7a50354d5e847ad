"""Every command: its help, its example, its errors and exit codes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from gateway.cli.main import app
from tests.gateway.cli.conftest import Kluis
from tests.gateway.cli.stand_in import CASE

# The forms that other programs call; they never change.
STABLE = [
    "init --data D --json",
    "client add NAME --email E --data D --json",
    "user add EMAIL --role R --client ID --password-stdin --data D --json",
    "user add EMAIL --role R --data D --json",
    "token create EMAIL --data D --json",
    "serve --data D --port 8460 --json",
    "case create --patient-name N --birth-date 1990-05-17 --patient-number P --notes T --json",
    "upload CASE a.stl b.stl --kind scan --json",
    "case assign CASE EMAIL --until 2026-12-31 --json",
    "case show CASE --json",
    "case list --json",
    "download CASE FILE --to DIR --json",
    "download CASE --to DIR --json",
    "erase CASE --reason T --confirm CASE --json",
    "erase CASE CASE --reason T --confirm 2 --json",
    "erase CASE --file FILE --reason T --confirm FILE --json",
    "case correct CASE --patient-name N --birth-date 1990-05-17 --patient-number P --json",
    "log show CASE --json",
    "log verify --data D --json",
    "audit --key K --witness W --witnesses 1 --max-age 24 --bundle B --json",
]


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        children = getattr(command, "commands", None)
        if children is None:
            yield path, command
            return
        for name, child in children.items():
            yield from walk(child, (*path, name))

    yield from walk(typer.main.get_command(app), ())


def parse(words: list[str]) -> Any:
    """Parse as the command would, without running anything; the leaf's context."""
    command: Any = typer.main.get_command(app)
    rest = [CASE if word in {"CASE", "REQUEST"} else word for word in words]
    while getattr(command, "commands", None):
        command = command.commands[rest.pop(0)]
    return command.make_context(command.name, rest)


ALL = sorted(commands(), key=lambda item: item[0])
IDS = [" ".join(path) for path, _ in ALL]


@pytest.mark.parametrize(("path", "command"), ALL, ids=IDS)
def test_every_command_has_a_help_that_ends_in_an_example_that_parses(
    path: tuple[str, ...], command: Any, kluis: Kluis
) -> None:
    ran = kluis(*path, "--help")

    assert ran.code == 0
    assert "Example: kluis" in ran.out
    words = shlex.split(command.epilog.removeprefix("Example: kluis "))
    assert tuple(words[: len(path)]) == path
    assert parse(words).command.name == path[-1]


@pytest.mark.parametrize(("path", "command"), ALL, ids=IDS)
def test_every_command_answers_in_json_when_asked(path: tuple[str, ...], command: Any) -> None:
    assert any("--json" in parameter.opts for parameter in command.params)
    assert path


@pytest.mark.parametrize(("path", "command"), ALL, ids=IDS)
def test_every_option_is_explained(path: tuple[str, ...], command: Any) -> None:
    unexplained = [
        parameter.name
        for parameter in command.params
        if parameter.param_type_name == "option" and not parameter.help
    ]

    assert unexplained == [], path


@pytest.mark.parametrize("form", STABLE)
def test_a_stable_form_parses(form: str) -> None:
    assert parse(shlex.split(form)).params["as_json"] is True


@pytest.mark.parametrize("name", ["passphrase", "password", "token"])
def test_no_secret_can_be_given_as_an_argument(name: str) -> None:
    for _, command in ALL:
        assert f"--{name}" not in [option for p in command.params for option in p.opts]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["case", "create"], "patient_name"),
        (["case", "show"], "case"),
        (["case", "list", "--bogus"], "bogus"),
        (["serve", "--port", "many"], "port"),
        (["case", "create", "--birth-date", "17-05-1990"], "birth_date"),
    ],
)
def test_wrong_usage_names_the_field_and_exits_with_2(
    arguments: list[str], field: str, kluis: Kluis
) -> None:
    ran = kluis(*arguments, "--json")

    assert (ran.code, ran.out) == (2, "")
    assert ran.failure["code"] == "usage"
    assert ran.failure["field"] == field
    assert ran.failure["message"]


def test_an_unknown_command_exits_with_2(kluis: Kluis) -> None:
    ran = kluis("case", "vanish")

    assert ran.code == 2
    assert "vanish" in ran.err


def test_a_group_called_alone_explains_itself(kluis: Kluis) -> None:
    ran = kluis("case")

    assert ran.code == 2
    assert "create" in ran.out
    assert ran.err == ""


def test_a_setting_that_cannot_be_right_is_named(
    kluis: Kluis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLUIS_PORT", "eighty")

    ran = kluis("settings", "--json")

    assert ran.code == 2
    assert ran.failure["code"] == "invalid_input"
    assert ran.failure["field"] == "port"


def test_without_a_token_a_person_is_told_where_to_get_one(kluis: Kluis) -> None:
    ran = kluis("case", "list", "--json")

    assert ran.code == 2
    assert ran.failure["field"] == "KLUIS_TOKEN"
    assert "kluis token create" in ran.failure["message"]


def test_errors_speak_dutch_to_who_reads_dutch(
    kluis: Kluis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "nl_NL.UTF-8")

    ran = kluis("case", "list")

    assert ran.err.startswith("Fout: Zet KLUIS_TOKEN")
    assert "Veld: KLUIS_TOKEN" in ran.err


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://kluis.example.org", "insecure_server"),
        ("http://127.0.0.1.example.org", "insecure_server"),
        ("ftp://127.0.0.1", "usage"),
        ("kluis.example.org", "usage"),
        ("http://[", "usage"),
    ],
)
def test_a_token_is_sent_to_no_address_that_is_not_safe(
    address: str, code: str, kluis: Kluis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLUIS_TOKEN", "t")

    ran = kluis("case", "list", "--server", address, "--json")

    assert ran.code == 2
    assert ran.failure["code"] == code
    assert ran.failure["field"] == "server"


def test_a_server_that_does_not_answer_is_an_error_with_a_remedy(
    kluis: Kluis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLUIS_TOKEN", "t")

    ran = kluis("case", "list", "--server", "http://127.0.0.1:9", "--json")

    assert ran.code == 1
    assert ran.failure["code"] == "unreachable"
    assert "http://127.0.0.1:9" in ran.failure["message"]
