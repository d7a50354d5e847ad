"""docs/audit.md, as a practice would follow it: its commands, run against a real server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from gateway.audit.findings import Lie
from tests.gateway.ground import SQLITE, change
from tests.house import House

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


async def follow(house: House, directory: Path, *blocks: str) -> tuple[int, str]:
    """Run blocks of the page in one shell; its exit code and output."""
    assert house.dentist.token is not None
    text = "\n".join(blocks).replace("https://kluis.example.org", house.url)
    commands = directory / "bin"
    commands.mkdir(exist_ok=True)
    kluis = commands / "kluis"
    kluis.write_text(f'#!/bin/sh\nexec {sys.executable} -m gateway "$@"\n')
    kluis.chmod(0o700)
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-e", "-c", text.replace("=TOKEN", f"={house.dentist.token}")),
        cwd=directory,
        env={
            "PATH": f"{commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(PAGE.parents[1]),
            "LANG": "C.UTF-8",
            "XDG_STATE_HOME": str(directory / "state"),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await shell.communicate()
    assert shell.returncode is not None
    return shell.returncode, out.decode()


@SQLITE
@pytest.mark.slow
async def test_the_page_works_as_it_stands_and_finds_a_lie(house: House, tmp_path: Path) -> None:
    case_id, _ = await house.submitted_case()
    certificate = await house.dentist.erase(case_id)
    (tmp_path / "erasure.json").write_text(json.dumps(certificate))
    for key in (house.settings.log_key_path, house.settings.certificate_key_path):
        shutil.copyfile(key, tmp_path / key.name)

    code, said = await follow(house, tmp_path, *BLOCKS)

    assert code == 0, said
    assert said.count("The log is right: ") == 2
    assert '"ok": true' in said
    assert "The certificate is right: " in said
    assert (tmp_path / "log.bundle").exists()

    statement = "UPDATE events SET record = record || ' ' WHERE controller_id = :id AND number = 1"
    await change(house, statement, id=house.practice.id)
    code, said = await follow(house, tmp_path, *BLOCKS[:2])

    assert code == 1
    assert "altered  Your event 1 was altered" in said


def test_the_page_explains_every_finding_and_no_other() -> None:
    explained = re.findall(r"^\| `(\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)

    assert explained == [lie.value for lie in Lie]
