"""tlog-proof and the request to a witness: one text each, and nothing else is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.accesslog.proof import LogProof, Submission
from storage.errors import LogInconsistentError

NOTE = (
    "log.example\n3\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\N{EM DASH} log.example AA\n"
)
HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple)
INDEX = st.integers(0, 2**62)


def test_a_proof_is_written_as_the_specification_shows() -> None:
    proof = LogProof(73894, (bytes(32), b"\xff" * 32), NOTE, b"age")
    assert proof.text() == (
        "c2sp.org/tlog-proof@v1\n"
        "extra YWdl\n"
        "index 73894\n"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
        "//////////////////////////////////////////8=\n"
        "\n" + NOTE
    )


def test_a_request_is_written_as_the_specification_shows() -> None:
    # The example of c2sp.org/tlog-witness, without its second signature.
    text = (
        "old 20852014\n"
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
        "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
        "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
        "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
        "\n"
        "example.com/behind-the-sofa\n"
        "20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
        "\n"
        "\N{EM DASH} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4U"
        "RYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    request = Submission.parse(text)
    assert (request.old_size, len(request.hashes)) == (20852014, 4)
    assert request.note.startswith("example.com/behind-the-sofa\n20852163\n")
    assert request.text() == text


@given(INDEX, HASHES, st.none() | st.binary())
def test_every_proof_comes_back(index: int, hashes: tuple[bytes, ...], extra: bytes | None) -> None:
    proof = LogProof(index, hashes, NOTE, extra)
    assert LogProof.parse(proof.text()) == proof


@given(INDEX, HASHES)
def test_every_request_comes_back(old_size: int, hashes: tuple[bytes, ...]) -> None:
    request = Submission(old_size, hashes, NOTE)
    assert Submission.parse(request.text()) == request


@given(st.text() | st.text("oldinexr 0123456789AB=\n", max_size=200))
def test_whatever_is_read_is_written_the_same_way(text: str) -> None:
    for kind in (LogProof, Submission):
        try:
            found = kind.parse(text)
        except LogInconsistentError:
            continue
        assert found.text() == text


HASH = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["old"],
        ["old "],
        ["old -1"],
        ["old +1"],
        ["old 01"],
        ["old 1_0"],
        ["old \N{ARABIC-INDIC DIGIT THREE}"],
        ["old 1 "],
        ["old 1\r"],
        ["new 1"],
        ["old " + "9" * 5000],
        ["old 1", "AAAA"],
        ["old 1", HASH + " "],
        ["old 1", HASH[:-2] + "B="],  # the same 32 bytes in another way
        ["old 1", *[HASH] * 64],
    ],
)
def test_what_is_no_request_is_refused(lines: list[str]) -> None:
    with pytest.raises(LogInconsistentError):
        Submission.parse("\n".join([*lines, "", NOTE]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        NOTE,
        "c2sp.org/tlog-proof@v1\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nextra AA==\n\n" + NOTE,
        "c2sp.org/tlog-proof@v2\nindex 1\n\n" + NOTE,
        f"c2sp.org/tlog-proof@v1\nindex 1\nextra AA==\n{HASH}\n\n{NOTE}",
        "c2sp.org/tlog-proof@v1\nindex -1\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 01\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\n1\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nextra AB==\nindex 1\n\n" + NOTE,
        "c2sp.org/tlog-proof@v1\nindex 1\n" + NOTE.replace("\n\n", "\n"),
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(LogInconsistentError):
        LogProof.parse(text)
