"""`kluis keys`, on a data directory that nobody serves."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from gateway.cli.doctor import key_changes
from gateway.cli.main import run
from gateway.settings import load
from keys.providers import local
from keys.providers.keyfile import ScryptCost
from keys.providers.local import LocalKeyring
from tests.gateway.cli.conftest import Kluis

PASSPHRASE = "a passphrase for tests alone"


@pytest.fixture(autouse=True)
def _log_of_the_process() -> Iterator[None]:
    """A command that works along says in the log's own form what fails."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with two practices."""
    monkeypatch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)
    monkeypatch.setattr(local, "ScryptCost", lambda: ScryptCost(n=2**10, r=8, p=1))
    directory = tmp_path / "data"
    assert run(["init", "--data", str(directory), "--json"]) == 0
    for name in ("Practice South", "Practice North"):
        add = ["client", "add", name, "--email", "mail@practice.example"]
        assert run([*add, "--data", str(directory), "--json"]) == 0
    return directory


def versions(kluis: Kluis, data: Path) -> list[tuple[str, int, str, int]]:
    listed = kluis("keys", "list", "--data", data, "--json").answer
    return [(each["name"], each["version"], each["state"], each["keys"]) for each in listed]


def test_every_practice_gets_a_new_key_and_is_told_how_far_it_is(kluis: Kluis, data: Path) -> None:
    assert versions(kluis, data) == [
        ("Practice North", 1, "current", 1),
        ("Practice South", 1, "current", 1),
    ]

    ran = kluis("keys", "rotate", "--data", data, "--json")

    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 0
    assert lines[-1] == {"practices": 2, "practices_done": 2, "keys": 2, "keys_moved": 2}
    assert versions(kluis, data) == [
        ("Practice North", 1, "destroyed", 0),
        ("Practice North", 2, "current", 1),
        ("Practice South", 1, "destroyed", 0),
        ("Practice South", 2, "current", 1),
    ]


def test_one_practice_alone_gets_a_new_key(kluis: Kluis, data: Path) -> None:
    [north, _] = kluis("keys", "list", "--data", data, "--json").answer

    ran = kluis("keys", "rotate", "--client", north["client"], "--data", data)

    assert (ran.code, ran.err) == (0, "")
    assert "1" in ran.out
    assert versions(kluis, data)[0] == ("Practice North", 1, "destroyed", 0)
    assert versions(kluis, data)[-1] == ("Practice South", 1, "current", 1)


def test_a_practice_that_is_not_there_is_named_as_the_mistake(kluis: Kluis, data: Path) -> None:
    ran = kluis("keys", "rotate", "--client", "nobody", "--data", data, "--json")

    assert ran.code == 2
    assert ran.failure["field"] == "client"


def test_the_root_key_is_replaced_and_the_passphrase_stays(kluis: Kluis, data: Path) -> None:
    before = json.loads((data / "keyring.json").read_bytes())

    ran = kluis("keys", "rotate-root", "--data", data, "--json")

    after = json.loads((data / "keyring.json").read_bytes())
    assert ran.answer == {"root": "replaced", "passphrase_changed": False}
    assert before["root"] != after["root"]
    assert "succession" not in after
    assert len(versions(kluis, data)) == 2


def test_the_passphrase_is_replaced_by_what_stdin_says(
    kluis: Kluis, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("another passphrase for tests\n"))

    ran = kluis("keys", "rotate-root", "--new-passphrase", "--data", data, "--json")

    assert ran.answer["passphrase_changed"] is True
    assert kluis("keys", "list", "--data", data, "--json").failure["code"] == "passphrase_refused"
    monkeypatch.setenv("KLUIS_PASSPHRASE", "another passphrase for tests")
    assert len(versions(kluis, data)) == 2


def test_an_empty_new_passphrase_changes_nothing(
    kluis: Kluis, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))

    ran = kluis("keys", "rotate-root", "--new-passphrase", "--data", data, "--json")

    assert (ran.code, ran.failure["field"]) == (2, "new_passphrase")
    assert len(versions(kluis, data)) == 2


@pytest.mark.parametrize(("provider", "remedy"), [("openbao", "bao operator"), ("pkcs11", "token")])
def test_the_root_key_of_another_provider_is_its_own(
    kluis: Kluis, data: Path, monkeypatch: pytest.MonkeyPatch, provider: str, remedy: str
) -> None:
    monkeypatch.setenv("KLUIS_KEY_PROVIDER", provider)

    ran = kluis("keys", "rotate-root", "--data", data, "--json")

    assert (ran.code, ran.failure["field"]) == (2, "key_provider")
    assert remedy in ran.failure["message"]


def test_keys_that_sign_are_replaced_and_listed_newest_first(kluis: Kluis, data: Path) -> None:
    old = (data / "certificate.pub").read_text().split()

    ran = kluis("keys", "rotate-signing", "certificate", "--data", data, "--json").answer

    assert ran["earlier"] == old
    assert (data / "certificate.pub").read_text().split() == [ran["key"], *old]
    told = kluis("keys", "rotate-signing", "certificate", "--data", data)
    assert str(data / "certificate.pub") in told.out
    begun = kluis("keys", "rotate-signing", "log", "--data", data, "--json")
    again = kluis("keys", "rotate-signing", "log", "--data", data, "--json")
    ended = kluis("keys", "rotate-signing", "log", "--end", "--data", data, "--json")
    assert (begun.code, again.code, ended.code) == (0, 2, 0)
    assert ended.answer == begun.answer
    assert kluis("log", "verify", "--data", data, "--json").answer["ok"]


def test_a_key_that_is_none_of_the_two_is_refused(kluis: Kluis, data: Path) -> None:
    for words in (["root"], ["certificate", "--end"]):
        ran = kluis("keys", "rotate-signing", *words, "--data", data, "--json")
        assert (ran.code, ran.failure["field"]) == (2, "key")


def test_keys_move_nowhere_without_a_setting(kluis: Kluis, data: Path) -> None:
    ran = kluis("keys", "migrate", "--data", data, "--json")

    assert (ran.code, ran.failure["field"]) == (2, "key_provider_before")


async def test_doctor_names_what_was_begun_with_the_keys_and_not_ended(tmp_path: Path) -> None:
    settings = load(data=tmp_path)
    assert list(key_changes(settings)) == []
    keyring = LocalKeyring.init(settings.keyring_path, PASSPHRASE, ScryptCost(n=2))
    assert list(key_changes(settings)) == []

    await keyring.renew_root(PASSPHRASE)
    moving = settings.model_copy(update={"key_provider_before": "openbao"})

    checks = list(key_changes(moving))
    assert [(check.name, check.state) for check in checks] == [
        ("key provider", "warning"),
        ("root key", "warning"),
    ]
    assert all("kluis keys" in check.remedy for check in checks)
