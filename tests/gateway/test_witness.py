"""A witness's rules (c2sp.org/tlog-witness), against logs made from the RFC alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import InvalidInputError
from gateway.witness import RefusedError, Witnessing, open_witness, set_up
from keys.errors import SignatureError
from keys.secret import SecretKey
from keys.signing import Cosigner, CosigningKey, SigningKey, Verifier
from storage.accesslog.tree import HASH_SIZE, TILE_WIDTH, Tree, leaf_hash
from tests.storage.accesslog import rfc9162

ORIGIN = "log.example/practice"
NAME = "practice.example/witness"
LOG = SigningKey(ORIGIN, SecretKey(b"l" * 32))
OTHER_LOG = SigningKey(ORIGIN, SecretKey(b"o" * 32))
AT = 1_700_000_000


def history(size: int, word: str = "entry") -> list[bytes]:
    return [f"{word} {number}".encode() for number in range(size)]


HONEST = history(40)
FORK = [*HONEST[:20], *history(20, "another")]


def note(entries: list[bytes], key: SigningKey = LOG) -> str:
    root = base64.b64encode(rfc9162.tree_hash(entries)).decode()
    return key.sign_note(f"{ORIGIN}\n{len(entries)}\n{root}\n")


TEXT = note(HONEST).partition("\n\n")[0] + "\n"


def proof(old: int, entries: list[bytes]) -> list[bytes]:
    assert len(entries) <= TILE_WIDTH
    tile = b"".join(map(leaf_hash, entries))
    tree = Tree(lambda level, number: tile if (level, number) == (0, 0) else b"")
    return tree.consistency_proof(old, len(entries))


def asking(old: int, hashes: list[bytes], checkpoint: str) -> bytes:
    lines = [f"old {old}", *(base64.b64encode(found).decode() for found in hashes)]
    return "".join(f"{line}\n" for line in [*lines, ""]).encode() + checkpoint.encode()


def grown(old: int, entries: list[bytes]) -> bytes:
    return asking(old, proof(old, entries), note(entries))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    set_up(tmp_path / "witness", NAME, [LOG.verifier])
    return tmp_path / "witness"


@pytest.fixture
def witnessing(directory: Path) -> Iterator[Witnessing]:
    with open_witness(directory, lambda: AT) as opened:
        yield opened


def public(directory: Path) -> Cosigner:
    return Cosigner.parse((directory / "witness.pub").read_text().strip())


def status(witnessing: Witnessing, body: bytes) -> int:
    with pytest.raises(RefusedError) as refused:
        witnessing.add_checkpoint(body)
    return refused.value.status


def shown(witnessing: Witnessing) -> str | None:
    return witnessing.latest(hashlib.sha256(ORIGIN.encode()).hexdigest())


def test_a_log_that_grows_is_cosigned_at_every_step(witnessing: Witnessing) -> None:
    old = 0
    for size in (1, 2, 3, 7, 8, 31, 40):
        line = witnessing.add_checkpoint(grown(old, HONEST[:size]))
        found = public(witnessing.directory).cosignature(note(HONEST[:size]) + line)
        assert (found.line, found.timestamp) == (line, AT)
        old = size


def test_what_was_cosigned_last_is_shown_with_both_signatures(witnessing: Witnessing) -> None:
    assert shown(witnessing) is None
    witnessing.add_checkpoint(grown(0, HONEST[:5]))
    line = witnessing.add_checkpoint(grown(5, HONEST[:9]))
    assert shown(witnessing) == note(HONEST[:9]) + line
    assert witnessing.latest("0" * 64) is None


def test_the_same_checkpoint_is_cosigned_again(witnessing: Witnessing) -> None:
    line = witnessing.add_checkpoint(grown(0, HONEST[:5]))
    assert witnessing.add_checkpoint(grown(5, HONEST[:5])) == line


def test_a_rolled_back_log_is_refused_and_told_what_was_seen(witnessing: Witnessing) -> None:
    witnessing.add_checkpoint(grown(0, HONEST[:30]))
    for old in (0, 10, 20):
        with pytest.raises(RefusedError) as refused:
            witnessing.add_checkpoint(grown(old, HONEST[:20]))
        assert (refused.value.status, refused.value.reason) == (409, "30")
    assert status(witnessing, asking(30, [], note(HONEST[:20]))) == 400
    assert "\n30\n" in str(shown(witnessing))


def test_a_forked_log_is_refused_whatever_it_proves(witnessing: Witnessing) -> None:
    line = witnessing.add_checkpoint(grown(0, HONEST[:30]))
    for hashes in (proof(30, FORK), proof(30, HONEST), proof(20, FORK), []):
        assert status(witnessing, asking(30, hashes, note(FORK))) == 422
    assert status(witnessing, asking(30, [], note(FORK[:30]))) == 422  # another root of one size
    assert shown(witnessing) == note(HONEST[:30]) + line


def test_a_fork_is_kept_in_words_that_the_log_signed(
    witnessing: Witnessing, capsys: pytest.CaptureFixture[str]
) -> None:
    witnessing.add_checkpoint(grown(0, HONEST[:30]))
    assert status(witnessing, grown(30, FORK)) == 422
    said = capsys.readouterr().out.replace("\\n", "\n")
    assert note(FORK).splitlines()[-1] in said


def test_every_altered_hash_of_a_proof_is_refused(witnessing: Witnessing) -> None:
    witnessing.add_checkpoint(grown(0, HONEST[:21]))
    hashes = proof(21, HONEST)
    for place in range(len(hashes)):
        altered = [*hashes[:place], bytes(HASH_SIZE), *hashes[place + 1 :]]
        assert status(witnessing, asking(21, altered, note(HONEST))) == 422
        dropped = [*hashes[:place], *hashes[place + 1 :]]
        assert status(witnessing, asking(21, dropped, note(HONEST))) == 422
    assert status(witnessing, asking(21, [*hashes, bytes(HASH_SIZE)], note(HONEST))) == 422
    witnessing.add_checkpoint(grown(21, HONEST))


def test_a_proof_from_nothing_is_empty(witnessing: Witnessing) -> None:
    assert status(witnessing, asking(0, [bytes(HASH_SIZE)], note(HONEST[:5]))) == 422


def test_the_empty_tree_has_one_root(witnessing: Witnessing) -> None:
    assert witnessing.add_checkpoint(asking(0, [], note([])))
    zeros = LOG.sign_note(f"{ORIGIN}\n0\n{base64.b64encode(bytes(32)).decode()}\n")
    assert status(witnessing, asking(0, [], zeros)) == 422


def test_an_unknown_log_is_not_found(witnessing: Witnessing) -> None:
    stranger = SigningKey("log.example/other", SecretKey(b"l" * 32))
    body = stranger.sign_note(
        note(HONEST).partition("\n\n")[0].replace(ORIGIN, stranger.name) + "\n"
    )
    assert status(witnessing, asking(0, [], body)) == 404


@pytest.mark.parametrize(
    "checkpoint",
    [
        note(HONEST, OTHER_LOG),
        note(HONEST).replace("\n40\n", "\n41\n"),
        note(HONEST) + note(FORK).splitlines()[-1] + "\n",  # a known key, a wrong signature
        TEXT,
        f"{TEXT}\n{CosigningKey(ORIGIN, SecretKey(b'l' * 32)).cosign(TEXT, AT)}",
    ],
)
def test_what_the_log_did_not_sign_is_forbidden(witnessing: Witnessing, checkpoint: str) -> None:
    assert status(witnessing, asking(0, [], checkpoint)) == 403
    assert shown(witnessing) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0",
        b"old 0\n\n\xff",
        b"old -1\n\n" + note(HONEST).encode(),
        b"old 0\nAAAA\n\n" + note(HONEST).encode(),
        asking(0, [bytes(HASH_SIZE)] * 64, note(HONEST)),
        b"old 0\r\n\r\n" + note(HONEST).encode(),
        asking(0, [], LOG.sign_note(f"{ORIGIN}\nnot a size\n\n")),
        asking(0, [], LOG.sign_note(f"{ORIGIN}\n-1\n{base64.b64encode(bytes(32)).decode()}\n")),
        asking(0, [], LOG.sign_note(f"{ORIGIN}\n1\nAAAA\n")),
    ],
)
def test_what_is_no_request_is_bad(witnessing: Witnessing, body: bytes) -> None:
    assert status(witnessing, body) == 400


def test_junk_signatures_are_not_taken_along(witnessing: Witnessing) -> None:
    junk = "".join(f"\N{EM DASH} stranger{number} AAAAAAAA\n" for number in range(99))
    line = witnessing.add_checkpoint(asking(0, [], note(HONEST[:5]) + junk))
    assert shown(witnessing) == note(HONEST[:5]) + line
    witnessing.add_checkpoint(grown(5, HONEST))


def test_of_many_requests_at_once_none_rolls_another_back(witnessing: Witnessing) -> None:
    def ask(size: int) -> int:
        try:
            witnessing.add_checkpoint(grown(0, HONEST[:size]))
        except RefusedError as refused:
            return refused.status
        return 200

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(1, 41)))
    assert sorted(set(answers)) == [200, 409]
    assert answers.count(200) == 1
    assert f"\n{answers.index(200) + 1}\n" in str(shown(witnessing))


def test_what_was_seen_outlives_the_process(directory: Path) -> None:
    with open_witness(directory, lambda: AT) as first:
        first.add_checkpoint(grown(0, HONEST[:30]))
    with open_witness(directory, lambda: AT + 9) as second:
        assert status(second, grown(0, HONEST[:20])) == 409
        assert status(second, asking(30, proof(30, FORK), note(FORK))) == 422
        second.add_checkpoint(grown(30, HONEST))


def test_a_memory_that_somebody_wrote_is_not_believed(witnessing: Witnessing) -> None:
    witnessing.add_checkpoint(grown(0, HONEST[:30]))
    [remembered] = (witnessing.directory / "checkpoints").iterdir()
    remembered.write_text(note(HONEST[:10]))  # signed by the log, and never seen here
    with pytest.raises(SignatureError):
        witnessing.add_checkpoint(grown(10, HONEST[:20]))


def test_a_memory_that_cannot_be_written_cosigns_nothing(
    witnessing: Witnessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("gateway.witness.replace_file", full)
        with pytest.raises(OSError, match="No space"):
            witnessing.add_checkpoint(grown(0, HONEST[:30]))
    assert shown(witnessing) is None
    witnessing.add_checkpoint(grown(0, HONEST[:20]))


def test_two_processes_do_not_share_a_directory(witnessing: Witnessing) -> None:
    with (
        pytest.raises(InvalidInputError, match="runs there already"),
        open_witness(witnessing.directory, lambda: AT),
    ):
        pass


def test_files_of_a_witness_are_for_its_user_alone(witnessing: Witnessing) -> None:
    witnessing.add_checkpoint(grown(0, HONEST[:3]))
    for path in [witnessing.directory, *witnessing.directory.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_witness_is_set_up_once(directory: Path) -> None:
    before = (directory / "witness.key").read_bytes()
    with pytest.raises(InvalidInputError, match="already"):
        set_up(directory, NAME, [LOG.verifier])
    assert (directory / "witness.key").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "log", "field"),
    [
        ("two words", LOG.verifier, "name"),
        ("a+b", LOG.verifier, "name"),
        (NAME, "log.example", "log"),
        (NAME, CosigningKey(NAME, SecretKey(bytes(32))).verifier, "log"),
    ],
)
def test_what_cannot_be_a_witness_leaves_nothing(
    tmp_path: Path, name: str, log: str, field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        set_up(tmp_path / "witness", name, [log])
    assert refused.value.field == field
    assert not (tmp_path / "witness").exists()


@pytest.mark.parametrize("damaged", ["witness.key", "witness.pub", "logs"])
def test_a_damaged_directory_is_refused(directory: Path, damaged: str) -> None:
    other = CosigningKey(NAME, SecretKey(bytes(32)))
    content = {"witness.key": "AAAA\n", "witness.pub": other.verifier, "logs": "log.example\n"}
    (directory / damaged).write_text(content[damaged])
    with pytest.raises(InvalidInputError), open_witness(directory, lambda: AT):
        pass


def test_where_there_is_no_witness_none_opens(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no witness"), open_witness(tmp_path, lambda: AT):
        pass


def test_the_verifier_of_the_log_is_not_that_of_the_witness(directory: Path) -> None:
    with pytest.raises(SignatureError):
        Verifier.parse((directory / "witness.pub").read_text().strip())
