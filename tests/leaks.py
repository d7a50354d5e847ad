"""What no test may print or log: the secrets that tests plant.

As a plugin of pytest (`tests/conftest.py` takes its hooks over) this looks in everything that was
captured of a test, of its fixtures and of the processes that it started: standard output, standard
error, log records, and what a test hands to `heard` because nobody else would see it. A test that
said a secret fails. One whose subject it is says so: `@pytest.mark.says("name of the secret")`.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

import pytest

TOKEN = re.compile(r"[A-Za-z0-9_.-]{20,}")

_SAID = pytest.StashKey[frozenset[str]]()
_sentences: dict[str, str] = {}
_tokens: dict[str, str] = {}
_heard: list[str] = []


def planted(name: str, secret: str) -> str:
    """From here on nobody may say this secret; the secret itself.

    One without a space is looked for as a word of its own: there are thousands of them.
    """
    (_tokens if TOKEN.fullmatch(secret) else _sentences)[secret] = name
    return secret


def heard(said: str | bytes) -> None:
    """Something that the running test was told outside of what pytest captures."""
    _heard.append(said.decode("utf-8", "replace") if isinstance(said, bytes) else said)


def found_in(text: str) -> frozenset[str]:
    """Names of the secrets that stand in a text."""
    sentences = {name for secret, name in _sentences.items() if secret in text}
    return frozenset(sentences | {_tokens[word] for word in _words(text) if word in _tokens})


def _words(text: str) -> Iterator[str]:
    for word in TOKEN.findall(text):
        yield word
        yield word.strip(".")  # the end of a sentence


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "says(name): prints this secret; that is its subject")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    captured = [content for name, content in report.sections if name.startswith("Captured")]
    said = found_in("\n".join([*captured, *_heard]))
    if call.when == "teardown":
        _heard.clear()
    allowed = {name for mark in item.iter_markers("says") for name in mark.args}
    # What was said before it was torn down is captured still.
    before = item.stash.get(_SAID, frozenset())
    leaked = said - allowed - before
    item.stash[_SAID] = said
    if report.passed and leaked:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} said {', '.join(sorted(leaked))}"
    return report
