"""The documents say what the program does: every name of it is in them, every word resolves."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.access.policy import Action, Role
from gateway.api.problems import STATUS
from gateway.api.server import OPERATIONS
from gateway.cli.errors import CommandError
from gateway.cli.main import app
from gateway.inspection.errors import PROBLEMS
from gateway.inspection.findings import FINDINGS
from gateway.inspection.report import PhotoReport, Removed, ScanReport
from gateway.settings import Settings
from keys.context import Purpose
from keys.errors import KeysError
from storage.errors import StorageError

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *ROOT.glob("docker/*.md"),
]
TRACKED = [
    *DOCUMENTS,
    *(ROOT / name for name in ("Makefile", ".ci/run", "NOTICE", "pyproject.toml")),
]
ID = "01a203ae-919b-70c9-a651-9d43dc82776f"
IDS = frozenset({"CASE", "INCIDENT", "ALERT", "ACCOUNT", "EVIDENCE"})
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PLACES = re.compile(r"pypi\.org|pythonhosted|npmjs|crates\.io|(?<![\w.])/(?:work|root|home|tmp)/")


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def quoted(name: str) -> set[str]:
    """Everything between single backticks outside of fences."""
    return set(re.findall(r"`([^`\n]+)`", FENCE.sub("", text_of(name))))


def subclasses(root: type[Exception]) -> Iterator[type[Exception]]:
    for kind in root.__subclasses__():
        yield kind
        yield from subclasses(kind)


def codes(root: type[Exception]) -> set[str]:
    """The codes of a tree of errors; a class that only groups others has none of its own."""
    return {kind.__dict__["code"] for kind in subclasses(root) if "code" in kind.__dict__}


def command_lines() -> Iterator[tuple[str, str, bool]]:
    """Every `kluis ...` with its document, and whether it is a whole line of a shell."""
    for path in DOCUMENTS:
        content, name = path.read_text("utf-8"), str(path.relative_to(ROOT))
        for kind, body in FENCE.findall(content):
            for line in body.replace("\\\n", "").splitlines() if kind == "sh" else ():
                bare = re.sub(r"^(?:\w+=\S* )+", "", line.strip())
                if bare.startswith("kluis "):
                    yield name, bare, True
        for line in re.findall(r"`(kluis [^`\n]+)`", FENCE.sub("", content)):
            yield name, line, False


def parse(line: str, *, whole: bool = True) -> None:
    """Parse as the command would; what only names a command needs no arguments."""
    command: Any = typer.main.get_command(app)
    words = [ID if word in IDS else word for word in shlex.split(line, comments=True)[1:]]
    # A group that does something by itself takes options, before any name of a command.
    while getattr(command, "commands", None) and words and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
    if whole or words:
        command.make_context(command.name, words)


def commands() -> Iterator[str]:
    def walk(command: Any, path: tuple[str, ...]) -> Iterator[str]:
        children = getattr(command, "commands", None)
        if children is None:
            yield " ".join(path)
            return
        for name, child in children.items():
            yield from walk(child, (*path, name))

    yield from walk(typer.main.get_command(app), ("kluis",))


@pytest.mark.parametrize(("document", "line", "whole"), sorted(set(command_lines())))
def test_every_command_line_in_a_document_parses(document: str, line: str, whole: bool) -> None:
    assert (ROOT / document).exists()
    parse(line, whole=whole)


def test_a_command_line_that_does_not_parse_would_be_seen() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse("kluis upload CASE scan.stl --fast")
    with pytest.raises(Exception, match="Missing parameter"):
        parse("kluis case submit")
    with pytest.raises(KeyError):
        parse("kluis explode CASE")


def test_the_readme_names_every_command() -> None:
    assert set(commands()) <= quoted("README.md")


def test_every_setting_is_explained_with_its_default() -> None:
    rows = dict(
        re.findall(r"^\| `(\w+)` \| ([^|]*?) ?\|", text_of("docs/operations.md"), re.MULTILINE)
    )

    assert set(Settings.model_fields) <= set(rows)
    for name, field in Settings.model_fields.items():
        if type(field.default) in {int, float}:
            assert rows[name] == f"{field.default:g}" or rows[name] == str(field.default), name


def test_every_refusal_of_the_server_has_its_row_and_status() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", text_of("docs/api.md"), re.MULTILINE))

    assert rows == {error.code: str(status) for error, status in STATUS.items()}


def test_every_refusal_of_the_command_keys_and_storage_is_explained() -> None:
    grouping = {"storage", "command", "usage"}
    known = codes(CommandError) | codes(KeysError) | codes(StorageError)

    assert known - grouping <= quoted("docs/operations.md")


def test_every_reason_to_refuse_a_file_is_explained() -> None:
    words = quoted("docs/definitions.md")

    assert set(PROBLEMS) <= words
    for problem in PROBLEMS.values():
        if problem.code != "inspection_unavailable":
            assert set(problem.reasons) <= words, problem.code


def test_every_number_of_a_report_is_defined() -> None:
    words = quoted("docs/definitions.md")
    fields = {*ScanReport.__dataclass_fields__, *PhotoReport.__dataclass_fields__}

    assert fields | set(FINDINGS) | set(get_args(Removed)) <= words


def test_every_event_is_named() -> None:
    assert {action.value for action in Action} <= quoted("docs/api.md")


def test_every_operation_of_the_api_is_named() -> None:
    content = text_of("docs/api.md")
    for entry in OPERATIONS:
        path = entry.path.removeprefix("/api/v1")
        plain = re.sub(r"{\w+_id}", "ID", path).replace("{capability}", "...")
        assert plain in content, f"{entry.method} {entry.path}"


def test_every_role_of_a_person_is_in_the_glossary() -> None:
    glossary = text_of("docs/glossary.md")
    for role in Role:
        if role not in {Role.SYSTEM, Role.NOBODY}:
            assert f"| {role.replace('_', ' ')} |" in glossary


def test_every_purpose_of_a_context_is_specified() -> None:
    assert {purpose.value for purpose in Purpose} <= quoted("docs/formats.md")


def test_every_line_of_the_process_log_is_explained() -> None:
    calls = re.compile(r"\blog\.(?:error|warning|critical|info)\(\s*\"(\w+)\"")
    sources = [
        path for room in ("gateway", "storage", "keys") for path in (ROOT / room).rglob("*.py")
    ]
    lines = {line for path in sources for line in calls.findall(path.read_text("utf-8"))}

    assert lines <= quoted("docs/operations.md")
    assert lines


def test_every_test_that_a_document_cites_exists() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    there = {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}
    cited = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"`(test_\w+)`", FENCE.sub("", document.read_text("utf-8")))
    }

    assert cited - {"test_docs"} <= there
    assert cited


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_project_resolves(path: Path) -> None:
    for target in LINK.findall(FENCE.sub("", path.read_text("utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, target


@pytest.mark.parametrize("path", TRACKED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_names_an_index_of_packages_or_a_place_on_a_machine(path: Path) -> None:
    assert PLACES.search(path.read_text("utf-8")) is None


def test_every_file_that_a_document_names_exists() -> None:
    named = {
        word
        for document in DOCUMENTS
        for word in re.findall(
            r"`((?:gateway|storage|keys|tests|docs)/[\w/.-]+)`", document.read_text("utf-8")
        )
    }

    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    found = sorted((ROOT / "docs" / "adr").glob("*.md"))

    assert [int(path.name[:4]) for path in found] == list(range(1, len(found) + 1))
    for path in found:
        assert path.read_text("utf-8").startswith(f"# {int(path.name[:4])}. ")


def test_the_worked_stream_opens_with_nothing_but_the_standard() -> None:
    example = values("docs/formats.md")

    header, sealed = example["header"], example["segment"]
    derived = HKDF(SHA256(), 32, header[1:33], example["context"]).derive(example["key"])
    assert derived == example["segment-key"]
    assert header[33:] + bytes(4) + b"\1" == example["nonce"]
    assert AESGCM(derived).decrypt(example["nonce"], sealed, None) == example["plaintext"]
    assert example["context"] == b"kluis/1\nfile\npractice-1\ncase-2\nfile-1"


def test_the_worked_wrap_opens_with_nothing_but_the_standard() -> None:
    example = values("docs/formats.md")

    wrapped, context = example["wrapped"], example["wrapping-context"]
    derived = HKDF(SHA256(), 32, wrapped[1:33], context).derive(example["wrapping-key"])
    nonce = wrapped[33:40] + bytes(4) + b"\1"
    assert AESGCM(derived).decrypt(nonce, wrapped[40:], None) == example["secret"]
    info = b"record-key\nkluis/1\nrecord\npractice-1\ncase-2\n"
    assert HKDF(SHA256(), 32, None, info).derive(example["key"]) == example["record-key"]


def test_the_worked_examples_are_the_frozen_vectors() -> None:
    vectors = json.loads(text_of("tests/vectors/keys-1.json"))
    formats = text_of("docs/formats.md")

    assert vectors["verifier"] in formats
    assert sum(digest in formats for digest in vectors["blind_index"].values()) == 3


def values(name: str) -> dict[str, bytes]:
    """The lines `name hex` of the fences marked as text."""
    bodies = [body for kind, body in FENCE.findall(text_of(name)) if kind == "text"]
    pairs = [line.split() for body in bodies for line in body.splitlines()]
    return {key: bytes.fromhex(value) for key, value in pairs if re.fullmatch("[0-9a-f]+", value)}


def slug(heading: str) -> str:
    """The anchor that a heading gets: lower case, no punctuation, dashes for spaces."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
