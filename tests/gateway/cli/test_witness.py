"""`kluis witness`, as whoever runs one meets it."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import sys
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path

from keys.secret import SecretKey
from keys.signing import Cosigner, SigningKey
from tests.gateway.cli.conftest import Kluis

LOG = SigningKey("log.example", SecretKey(b"l" * 32))
NAME = "practice.example/witness"


def init(kluis: Kluis, directory: Path) -> Cosigner:
    command = ("--name", NAME, "--log", LOG.verifier, "--dir", directory, "--json")
    ran = kluis("witness", "init", *command)
    assert ran.code == 0, ran.err
    return Cosigner.parse(ran.answer["key"])


def test_init_tells_the_key_to_give_away(kluis: Kluis, tmp_path: Path) -> None:
    assert init(kluis, tmp_path / "witness").name == NAME
    ran = kluis("witness", "init", "--name", NAME, "--log", LOG.verifier, "--dir", tmp_path / "two")
    assert ran.code == 0
    assert (tmp_path / "two" / "witness.pub").read_text().strip() in ran.out


def test_init_a_second_time_changes_nothing(kluis: Kluis, tmp_path: Path) -> None:
    init(kluis, tmp_path)
    command = ("--name", NAME, "--log", LOG.verifier, "--dir", tmp_path, "--json")
    ran = kluis("witness", "init", *command)
    assert (ran.code, ran.failure["code"], ran.failure["field"]) == (2, "invalid_input", "dir")


def test_serve_where_nothing_is_set_up_says_so(kluis: Kluis, tmp_path: Path) -> None:
    ran = kluis("witness", "serve", "--dir", tmp_path, "--json")
    assert (ran.code, ran.failure["field"]) == (2, "dir")


def test_serve_on_a_port_that_is_taken_says_so(kluis: Kluis, tmp_path: Path) -> None:
    init(kluis, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = (sys.executable, "-m", "gateway", "witness", "serve", "--dir", str(tmp_path))
        port = str(taken.getsockname()[1])
        ran = subprocess.run(
            [*command, "--port", port, "--json"], capture_output=True, text=True, check=False
        )
    assert (ran.returncode, json.loads(ran.stderr)["field"]) == (2, "port")


def ask(address: str, method: str, path: str, body: str = "") -> tuple[int, str, str]:
    connection = HTTPConnection(address.removeprefix("http://"), timeout=30)
    try:
        connection.request(method, path, body.encode())
        answer = connection.getresponse()
        kind = answer.headers["Content-Type"].partition(";")[0]
        return answer.status, kind, answer.read().decode()
    finally:
        connection.close()


def note(size: int) -> str:
    root = base64.b64encode(sha256(bytes([size])).digest()).decode()
    return LOG.sign_note(f"{LOG.name}\n{size}\n{root}\n")


def test_serve_answers_in_the_words_of_the_specification(kluis: Kluis, tmp_path: Path) -> None:
    cosigner = init(kluis, tmp_path)
    shown_at = f"/{sha256(LOG.name.encode()).hexdigest()}/checkpoint"
    command = (sys.executable, "-m", "gateway", "witness", "serve", "--dir", str(tmp_path))
    with subprocess.Popen(
        [*command, "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())["listening"]
            assert ask(address, "GET", shown_at)[0] == 404

            status, kind, line = ask(address, "POST", "/add-checkpoint", f"old 0\n\n{note(9)}")
            assert (status, kind) == (200, "text/plain")
            assert cosigner.cosignature(note(9) + line).line == line
            assert ask(address, "GET", shown_at) == (200, "text/plain", note(9) + line)

            rolled_back = ask(address, "POST", "/add-checkpoint", f"old 0\n\n{note(3)}")
            assert rolled_back == (409, "text/x.tlog.size", "9\n")
            assert ask(address, "POST", "/add-checkpoint", f"old 9\n\n{note(12)}")[0] == 422
            assert ask(address, "POST", "/add-checkpoint", "what?")[0] == 400
            assert ask(address, "POST", "/add-checkpoint", "x" * 200_000)[0] == 413
            assert ask(address, "GET", "/add-checkpoint")[0] == 405
            assert ask(address, "GET", "/../witness.key")[0] == 404

            [remembered] = (tmp_path / "checkpoints").iterdir()
            remembered.write_text("damaged")
            assert ask(address, "POST", "/add-checkpoint", f"old 9\n\n{note(9)}")[0] == 503
        finally:
            process.send_signal(signal.SIGTERM)
        _, said = process.communicate()
    assert process.returncode == 0
    lines = [json.loads(each)["event"] for each in said.splitlines()]
    assert set(lines) == {"cosigned", "refused", "inconsistent", "not_cosigned"}
    assert (tmp_path / "witness.key").read_text().strip() not in said
