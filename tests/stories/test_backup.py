"""A house burns down and comes back, by the command `kluis` alone."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import load
from keys.recovery import RecoveryKey
from tests.house import API, PASSPHRASE, PASSWORD, SCAN, Person, serving

pytestmark = pytest.mark.slow

OFFICER = "officer@lab.invalid"
DENTIST = "dentist@north.invalid"
SECONDS = 120


@dataclass(frozen=True)
class Desk:
    """Where the operator types."""

    root: Path

    def run(self, *arguments: object, said: str = "", code: int = 0) -> Any:
        """The JSON answer of a command."""
        ran = subprocess.run(
            [sys.executable, "-m", "gateway", *map(str, arguments), "--json"],
            env={
                "PATH": os.environ["PATH"],
                "LANG": "C.UTF-8",
                "KLUIS_PASSPHRASE": PASSPHRASE,
                "KLUIS_BACKUP_DIRECTORIES": str(self.root / "place"),
                "KLUIS_KEY_BACKUP_DIRECTORIES": str(self.root / "keys"),
            },
            input=said,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ran.returncode == code, ran.stderr
        return json.loads(ran.stdout or ran.stderr)


async def test_a_house_burns_down_and_comes_back(tmp_path: Path) -> None:
    desk, data = Desk(tmp_path), tmp_path / "data"
    for name in ("place", "keys"):
        (tmp_path / name).mkdir(mode=0o700)
    made = desk.run("init", "--data", data, "--officer", OFFICER)
    words = made["recovery_words"]
    assert len(words.split()) == 24
    assert words not in "".join(path.read_text("latin1") for path in data.glob("*.*"))
    desk.run("user", "password", OFFICER, "--password-stdin", "--data", data, said=PASSWORD)
    client = desk.run("client", "add", "Practice", "--email", "p@north.invalid", "--data", data)
    person = ("--role", "dentist", "--client", client["id"])
    desk.run("user", "add", DENTIST, *person, "--data", data)

    settings = load(data=data, inspection_workers=1)
    async with serving(settings) as (rooms, url, session):
        dentist = Person(session, url, await rooms.accounts.create_token(email=DENTIST))
        case_id = await dentist.new_case()
        file = await dentist.upload(case_id, SCAN)
        content = await dentist.download(case_id, file["id"])
        # In a thread: a server that stands still in the middle of a write would hold it up.
        (written,) = await asyncio.to_thread(desk.run, "backup", "--data", data)

    assert written["copied"] == 1
    (listed,) = desk.run("backup", "list", "--data", data)
    assert (listed["generation"], listed["tested"]) == (written["id"], None)
    tried = desk.run("backup", "test", "--words-stdin", "--data", data, said=words)
    assert tried["ok"], tried["faults"]
    assert (tried["cases"], tried["files"]) == (1, 1)
    assert desk.run("backup", "list", "--data", data)[0]["tested"] is not None
    assert not list(data.glob("trial-*"))

    shutil.rmtree(data)
    new = tmp_path / "new"
    said = f"{words.upper()}\n{PASSWORD}\n"
    restored = desk.run(
        *("restore", "--from", tmp_path / "place", "--keys", tmp_path / "keys", "--data", new),
        *("--words-stdin", "--officer", OFFICER, "--password-stdin"),
        said=said,
    )

    assert (restored["cases"], restored["files"]) == (1, 1)
    assert restored["log"]["origin"].endswith("/restored-1")
    async with serving(load(data=new, inspection_workers=1)) as (rooms, url, session):
        dentist = Person(session, url, await rooms.accounts.create_token(email=DENTIST))
        assert (await dentist.get(f"{API}/cases/{case_id}"))["patient"]["name"]
        assert await dentist.download(case_id, file["id"]) == content


async def test_another_recovery_key_takes_another_person(tmp_path: Path) -> None:
    desk, data = Desk(tmp_path), tmp_path / "data"
    for name in ("place", "keys"):
        (tmp_path / name).mkdir(mode=0o700)
    before = desk.run("init", "--data", data, "--officer", OFFICER)["recovery_words"]
    desk.run("user", "password", OFFICER, "--password-stdin", "--data", data, said=PASSWORD)
    desk.run("backup", "--data", data)

    alone = desk.run(
        *("backup", "new-key", "--officer", OFFICER, "--password-stdin", "--data", data),
        said="not their password\n",
        code=1,
    )
    assert alone["code"] == "login_failed"
    after = desk.run(
        *("backup", "new-key", "--officer", OFFICER, "--password-stdin", "--data", data),
        said=PASSWORD,
    )["recovery_words"]

    assert after != before
    known = (data / "recovery.pub").read_text().strip()
    assert RecoveryKey.from_words(after).public.line == known
    old = desk.run("backup", "test", "--words-stdin", "--data", data, said=before, code=1)
    assert old["code"] == "backup_damaged"
    desk.run("backup", "--data", data)
    assert desk.run("backup", "test", "--words-stdin", "--data", data, said=after)["ok"]


def test_what_cannot_be_is_said_in_words(tmp_path: Path) -> None:
    desk, data = Desk(tmp_path), tmp_path / "data"
    desk.run("init", "--data", data)

    missing = desk.run("backup", "--data", data, code=1)
    assert missing["code"] == "backup_place_unusable"
    wrong = desk.run(
        *("restore", "--from", tmp_path, "--keys", tmp_path, "--data", tmp_path / "new"),
        *("--words-stdin", "--password-stdin"),
        said="not a word of it\n",
        code=1,
    )
    assert wrong["code"] == "recovery_words_refused"
    assert "not a word" not in wrong["message"]
