"""docs/asvs.md is complete, and everything that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.app import initialise, open_rooms
from gateway.settings import load
from tests.house import PASSPHRASE

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (V\d+\.\d+\.\d+) \| ([123]) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
HONEST = ("**not met**", "not applicable:", "**partly**")
# Rows of ASVS 5.0 by section and level: number of the row, then its level.
ROWS = {
    "V6.1": "11 22 32",
    "V6.2": "11 21 31 41 51 61 71 81 92 102 112 122",
    "V6.3": "11 21 32 42 53 63 73 83",
    "V6.4": "11 21 32 42 53 63",
    "V6.5": "12 22 32 42 52 63 73 83",
    "V6.6": "12 22 32 43",
    "V6.7": "13 23",
    "V6.8": "12 22 32 42",
    "V7.1": "12 22 32",
    "V7.2": "11 21 31 41",
    "V7.3": "12 22",
    "V7.4": "11 21 32 42 52",
    "V7.5": "12 22 33",
    "V7.6": "12 22",
    "V8.1": "11 22 33 43",
    "V8.2": "11 21 32 43",
    "V8.3": "11 23 33",
    "V8.4": "12 23",
    "V9.1": "11 21 31",
    "V9.2": "11 22 32",
    "V10.1": "12 22",
    "V10.2": "12 22 33",
    "V10.5": "12 22 32 42 52",
}


def found() -> list[tuple[str, str, str, str]]:
    return ROW.findall((ROOT / "docs" / "asvs.md").read_text("utf-8"))


def test_every_row_is_in_the_table_once_with_its_level() -> None:
    wanted = [
        (f"{section}.{row[:-1]}", row[-1]) for section, rows in ROWS.items() for row in rows.split()
    ]

    assert [(row, level) for row, level, _, _ in found()] == wanted
    assert len(wanted) == 95


@pytest.mark.parametrize("row", found(), ids=lambda row: row[0])
def test_every_answer_names_a_test_or_a_document_or_says_what_is_missing(
    row: tuple[str, str, str, str],
) -> None:
    answer = row[3]
    tests, links = TEST.findall(answer), re.findall(r"\]\(([\w.-]+)", answer)

    assert tests or links or any(word in answer for word in HONEST)
    assert answer.count("::") == len(tests)
    for file, name in tests:
        source = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^\s*(?:async )?def {name}\(", source, re.MULTILINE), (file, name)


def test_whatever_is_missing_is_told_below_the_table() -> None:
    text = (ROOT / "docs" / "asvs.md").read_text("utf-8")
    told = text.partition("## What is not met")[2]
    missing = [row for row, _, _, answer in found() if "**" in answer]

    assert missing
    assert [row for row in missing if row not in told] == []


async def test_the_account_that_set_up_makes_has_no_password(tmp_path: Path) -> None:
    settings = load(data=tmp_path / "data")
    await initialise(settings, PASSPHRASE, "officer@people.invalid")
    async with open_rooms(settings, PASSPHRASE) as rooms:
        accounts = await rooms.accounts.list_accounts()

    assert [(account.role, account.password_hash) for account in accounts] == [
        ("privacy_officer", None)
    ]
