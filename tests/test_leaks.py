"""A test that says a secret fails, whichever way it says it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
HEAD = """
import logging, os, subprocess, sys
import pytest
from tests.leaks import heard, planted

SENTENCE = planted("the phrase", "correct horse of this test")
TOKEN = planted("a token", "tok3n-0123456789-abcdefghij")

@pytest.fixture
def careless():
    yield
    print(SENTENCE)
"""
DEEDS = {
    "prints": "print('so', SENTENCE)",
    "prints_a_token": "print(f'Bearer {TOKEN}.')",
    "prints_json": "print('{\"token\": \"' + TOKEN + '\"}')",
    "writes_to_stderr": "sys.stderr.write(SENTENCE)",
    "writes_to_the_descriptor": "os.write(2, SENTENCE.encode())",
    "logs": "logging.getLogger('any').warning('it is %s', SENTENCE)",
    "has_a_process_that_prints": "subprocess.run([sys.executable, '-c', f'print({SENTENCE!r})'])",
    "was_told": "heard(b'from a pipe: ' + TOKEN.encode())",
}
QUIET = """
def test_says_nearly_one():
    print("a phrase", SENTENCE[1:], TOKEN[:-1])

def test_uses_a_careless_fixture(careless):
    pass

@pytest.mark.says("the phrase")
def test_is_about_it():
    print(SENTENCE)

@pytest.mark.says("the phrase")
def test_is_about_another():
    print(SENTENCE, TOKEN)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What became of each test of a file of its own, run apart."""
    path = tmp_path_factory.mktemp("leaks") / "test_it.py"
    loud = "".join(f"\ndef test_{name}(caplog):\n    {deed}\n" for name, deed in DEEDS.items())
    path.write_text(HEAD + loud + QUIET)
    options = ("-p", "tests.leaks", "-p", "no:cacheprovider", "-c", os.devnull, "--strict-markers")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-rA", "--rootdir", path.parent, path],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    # Each is there once, but the careless fixture's, whose test itself is right.
    summary = re.findall(r"^(PASSED|FAILED|ERROR) \S*::test_(\w+)", ran.stdout, re.MULTILINE)
    found = {name: outcome for outcome, name in summary}
    assert len(summary) == len(found) + 1, ran.stdout + ran.stderr
    return found


@pytest.mark.parametrize("name", DEEDS)
def test_a_test_that_says_a_secret_fails(outcomes: Mapping[str, str], name: str) -> None:
    assert outcomes[name] == "FAILED"


def test_a_fixture_that_says_a_secret_is_an_error(outcomes: Mapping[str, str]) -> None:
    assert outcomes["uses_a_careless_fixture"] == "ERROR"


def test_what_a_test_is_about_it_may_say_and_nothing_else(outcomes: Mapping[str, str]) -> None:
    assert outcomes["is_about_it"] == "PASSED"
    assert outcomes["is_about_another"] == "FAILED"


def test_a_test_that_says_none_passes_after_one_that_did(outcomes: Mapping[str, str]) -> None:
    assert outcomes["says_nearly_one"] == "PASSED"
