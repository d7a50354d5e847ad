"""The operator's commands, on a real data directory."""

from __future__ import annotations

import io
import json
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from gateway.cli.main import run
from keys.providers import local
from keys.providers.keyfile import ScryptCost
from keys.signing import Verifier
from tests.gateway.cli.conftest import Kluis

PASSPHRASE = "a passphrase for tests alone"


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as `kluis init` leaves it, to be copied."""
    directory = tmp_path_factory.mktemp("set-up") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)
        # It is opened thirty times here, and need not withstand anybody.
        patch.setattr(local, "ScryptCost", lambda: ScryptCost(n=2**10, r=8, p=1))
        assert run(["init", "--data", str(directory), "--json"]) == 0
    return directory


@pytest.fixture
def data(set_up: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)
    return Path(shutil.copytree(set_up, tmp_path / "data"))


def test_init_answers_with_the_key_that_signs_the_log(
    kluis: Kluis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)
    data = tmp_path / "data"

    ran = kluis("init", "--data", data, "--officer", "officer@lab.example", "--json")

    assert ran.code == 0
    assert ran.answer["data"] == str(data)
    assert Verifier.parse(ran.answer["log_public_key"]).name == "kluis.local/log"
    assert data.stat().st_mode & 0o777 == 0o700
    users = kluis("user", "list", "--data", data, "--json").answer
    assert [(user["email"], user["role"]) for user in users] == [
        ("officer@lab.example", "privacy_officer")
    ]


def test_init_never_touches_what_is_set_up_already(kluis: Kluis, data: Path) -> None:
    before = (data / "keyring.json").read_bytes()

    ran = kluis("init", "--data", data, "--json")

    assert ran.code == 1
    assert ran.failure["code"] == "keyring_exists"
    assert (data / "keyring.json").read_bytes() == before


def test_init_tells_a_person_what_comes_next(
    kluis: Kluis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)

    ran = kluis("init", "--data", tmp_path / "data")

    assert "privacy-officer@localhost" in ran.out
    assert f"kluis serve --data {tmp_path / 'data'}" in ran.out


def test_without_a_passphrase_nothing_opens(
    kluis: Kluis, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KLUIS_PASSPHRASE")
    monkeypatch.setattr(sys, "stdin", io.StringIO(PASSPHRASE))  # a pipe is no terminal

    ran = kluis("client", "list", "--data", data, "--json")

    assert ran.code == 2
    assert ran.failure["field"] == "passphrase"
    assert "KLUIS_PASSPHRASE_FILE" in ran.failure["message"]


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\nsecond line\n"])
def test_the_passphrase_may_lie_in_a_file(
    ending: str, kluis: Kluis, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KLUIS_PASSPHRASE")
    (tmp_path / "credential").write_bytes((PASSPHRASE + ending).encode())
    monkeypatch.setenv("KLUIS_PASSPHRASE_FILE", str(tmp_path / "credential"))

    assert kluis("client", "list", "--data", data, "--json").answer == []


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_passphrase_file_that_holds_none_is_named(
    content: bytes | None,
    kluis: Kluis,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KLUIS_PASSPHRASE")
    monkeypatch.setenv("KLUIS_PASSPHRASE_FILE", str(tmp_path / "credential"))
    if content is not None:
        (tmp_path / "credential").write_bytes(content)

    ran = kluis("client", "list", "--data", data, "--json")

    assert ran.code == 2
    assert ran.failure["field"] == "passphrase_file"


def test_a_wrong_passphrase_is_refused_without_a_word_of_it(
    kluis: Kluis, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLUIS_PASSPHRASE", "not the passphrase")

    ran = kluis("client", "list", "--data", data, "--json")

    assert ran.code == 1
    assert ran.failure["code"] == "passphrase_refused"
    assert "not the passphrase" not in ran.err


def test_a_directory_that_is_not_set_up_is_said_to_be_none(
    kluis: Kluis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)

    for arguments in (("client", "list"), ("log", "verify"), ("sweep",)):
        ran = kluis(*arguments, "--data", tmp_path, "--json")

        assert ran.code == 1
        assert ran.failure["code"] == "keyring_missing"
        assert "kluis init" in ran.failure["message"]
    assert list(tmp_path.iterdir()) == []


def test_clients_users_and_tokens_are_made_and_listed(
    kluis: Kluis, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    practice = kluis(
        "client", "add", "Practice Zuid", "--email", "info@zuid.example", "--data", data, "--json"
    ).answer["id"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("gravel hums under slow wheels\nnot this line\n"))
    dentist = kluis(
        *("user", "add", "Dentist@zuid.example", "--role", "dentist", "--client", practice),
        *("--password-stdin", "--data", data, "--json"),
    ).answer["id"]
    token = kluis("token", "create", "dentist@zuid.example", "--data", data, "--json").answer

    assert re.fullmatch(r"[\w-]{43}", token["token"])
    (client,) = kluis("client", "list", "--data", data, "--json").answer
    assert (client["id"], client["name"]) == (practice, "Practice Zuid")
    users = {user["id"]: user for user in kluis("user", "list", "--data", data, "--json").answer}
    assert users[dentist]["email"] == "dentist@zuid.example"
    assert users[dentist]["client"] == practice
    assert "password" not in json.dumps(users)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["client", "add", "Practice", "--email", "nowhere"], "email"),
        (["client", "add", " ", "--email", "a@b.example"], "name"),
        (["user", "add", "a@b.example", "--role", "king"], "role"),
        (["user", "add", "a@b.example", "--role", "dentist"], "client"),
        (["user", "add", "privacy-officer@localhost", "--role", "planner"], "email"),
        (["token", "create", "nobody@b.example"], "email"),
    ],
)
def test_what_cannot_be_right_is_named(
    arguments: list[str], field: str, kluis: Kluis, data: Path
) -> None:
    ran = kluis(*arguments, "--data", data, "--json")

    assert (ran.code, ran.out) == (2, "")
    assert ran.failure["code"] == "invalid_input"
    assert ran.failure["field"] == field


@pytest.mark.parametrize(("typed", "field"), [("", "password"), ("short\n", "password")])
def test_an_empty_or_weak_password_is_refused(
    typed: str, field: str, kluis: Kluis, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))

    ran = kluis(
        *("user", "password", "privacy-officer@localhost", "--password-stdin"),
        *("--data", data, "--json"),
    )

    assert ran.code == 2
    assert ran.failure["field"] == field


def test_the_officer_can_be_given_a_password(
    kluis: Kluis, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long enough one\n"))

    ran = kluis(
        *("user", "password", "privacy-officer@localhost", "--password-stdin"),
        *("--data", data, "--json"),
    )

    assert ran.answer == {"email": "privacy-officer@localhost"}
    assert "a long enough one" not in ran.out + ran.err


def test_a_sweep_says_what_it_removed(kluis: Kluis, data: Path) -> None:
    ran = kluis("sweep", "--data", data, "--json")

    assert ran.code == 0
    assert set(ran.answer) == {
        "expired_uploads",
        "orphan_blobs",
        "orphan_keys",
        "unfinished_blobs",
        "unfinished_files",
    }
    assert kluis("sweep", "--data", data).out.startswith("Removed: 0 expired uploads")


def test_settings_say_what_is_set_from_where_and_what_it_means(
    kluis: Kluis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("KLUIS_KEYSTORE_URL", "postgresql+asyncpg://u:word@h/d")
    (tmp_path / "kluis.toml").write_text("workers = 2\n")

    ran = kluis("settings", "--data", tmp_path, "--json")

    rows = {row["name"]: row for row in ran.answer}
    assert (rows["data"]["value"], rows["data"]["source"]) == (str(tmp_path), "command line")
    assert (rows["workers"]["value"], rows["workers"]["source"]) == (2, "kluis.toml")
    assert (rows["port"]["value"], rows["port"]["source"]) == (8460, "default")
    assert rows["passphrase"]["source"] == "environment"
    assert all(row["meaning"] for row in ran.answer)
    shown = ran.out + kluis("settings", "--data", tmp_path).out
    assert PASSPHRASE not in shown
    assert "u:word" not in shown


def test_an_unknown_key_in_the_file_is_an_error(kluis: Kluis, tmp_path: Path) -> None:
    (tmp_path / "kluis.toml").write_text("shoe_size = 2\n")

    ran = kluis("settings", "--data", tmp_path, "--json")

    assert ran.code == 2
    assert ran.failure["field"] == "shoe_size"


def start(data: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gateway", "serve", "--data", str(data), "--port", "0"]
    return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_in_one_line_where_it_listens_and_stops_when_told(
    number: signal.Signals, data: Path
) -> None:
    with start(data, "--json") as server:
        assert server.stdout is not None
        address = json.loads(server.stdout.readline())["listening"]
        with urlopen(f"{address}/healthz") as answer:  # noqa: S310 - an address of our own
            assert answer.status == 200
        os.kill(server.pid, number)
        rest, _ = server.communicate(timeout=30)

    assert (server.returncode, rest) == (0, "")


def test_the_log_is_verified_without_the_passphrase(
    kluis: Kluis, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_briefly(data)
    monkeypatch.delenv("KLUIS_PASSPHRASE")

    ran = kluis("log", "verify", "--data", data, "--json")

    assert ran.code == 0
    assert ran.answer["ok"] is True
    assert ran.answer["size"] > 0
    assert set(ran.answer) == {"size", "root", "ok", "pending"}
    assert "whole" in kluis("log", "verify", "--data", data).out


def test_a_log_that_was_altered_fails_and_names_the_first_wrong_index(
    kluis: Kluis, data: Path
) -> None:
    serve_briefly(data)
    with sqlite3.connect(data / "kluis.db") as database:
        database.execute("""UPDATE events SET record = replace(record, '"C"', '"R"')""")
    database.close()

    ran = kluis("log", "verify", "--data", data, "--json")

    assert ran.code == 1
    assert (ran.answer["ok"], ran.answer["wrong_index"]) == (False, 0)
    assert ran.answer["problem"]
    assert "NOT whole" in kluis("log", "verify", "--data", data).out


def serve_briefly(data: Path) -> None:
    """Let the sequencer give the events of `init` their place."""
    with start(data, "--json") as server:
        assert server.stdout is not None
        server.stdout.readline()
        server.terminate()
        server.communicate(timeout=30)
    assert server.returncode == 0


@pytest.mark.parametrize("tries", [[PASSPHRASE], [PASSPHRASE, "another one", PASSPHRASE]])
def test_a_new_passphrase_is_asked_for_twice_on_a_terminal(
    tries: list[str], tmp_path: Path
) -> None:
    master, terminal = os.openpty()
    command = [sys.executable, "-m", "gateway", "init", "--data", str(tmp_path / "data")]
    # A secret typed before it is asked for is dropped; the space of its question comes after that.
    dialogue = [(b"privacy-officer@localhost]:", "officer@lab.example")]
    questions = (b"Passphrase: ", b"Repeat for confirmation: ")
    dialogue += zip(questions * len(tries), [*tries, PASSPHRASE], strict=False)
    shown = b""
    with subprocess.Popen(
        command,
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # or it would ask on the terminal of whoever runs the tests
    ) as running:
        try:
            for question, line in dialogue:
                shown = _read_until(running, question, shown)
                os.write(master, f"{line}\n".encode())
            out, err = running.communicate(timeout=60)
        finally:
            running.kill()
            os.close(terminal)
            os.close(master)

    assert running.returncode == 0, err
    assert b"officer@lab.example" in out
    assert PASSPHRASE.encode() not in out + shown + err


def _read_until(running: subprocess.Popen[bytes], question: bytes, shown: bytes) -> bytes:
    assert running.stderr is not None
    begun = len(shown)
    while not shown[begun:].endswith(question):
        ready, _, _ = select.select([running.stderr], [], [], 60)
        byte = os.read(running.stderr.fileno(), 1) if ready else b""
        assert byte, f"asked: {shown.decode()}"
        shown += byte
    return shown


def test_who_is_invited_without_a_mail_server_is_there_and_the_operator_is_told(
    kluis: Kluis, data: Path
) -> None:
    client = kluis("client", "add", "Zuid", "--email", "m@zuid.example", "--data", data, "--json")
    person = ("--role", "practice_manager", "--client", client.answer["id"])

    ran = kluis("user", "add", "m@zuid.example", *person, "--invite", "--data", data, "--json")

    assert ran.code == 0
    assert ran.answer["mailed"] is False
    users = kluis("user", "list", "--data", data, "--json").answer
    assert ran.answer["id"] in {user["id"] for user in users}
    both = ("--invite", "--password-stdin")
    assert kluis("user", "add", "n@zuid.example", *person, *both, "--data", data).code == 2
