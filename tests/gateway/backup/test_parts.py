"""A sealed part: what was written comes out, in its place, signed, or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.backup.errors import BackupDamagedError, BackupForeignError
from gateway.backup.parts import PartWriter, hash_of, read_part
from keys.recovery import RecoveryKey
from keys.secret import SecretKey
from keys.signing import SigningKey, Verifiers

RECOVERY = RecoveryKey(SecretKey(b"r" * 32))
SIGNER = SigningKey("certificate", SecretKey(b"s" * 32))
SIGNERS = Verifiers.parse(SIGNER.verifier)
MiB = 1 << 20
LINES = st.lists(st.integers(0, 3 * MiB // 2).map(lambda size: b"x" * size + b"\n"), max_size=4)


async def written(path: Path, lines: list[bytes], part: str = "keystore") -> None:
    writer = PartWriter(path, part, RECOVERY.public, SIGNER.sign)
    try:
        for line in lines:
            await writer.write(line)
        said = await writer.end()
        await writer.publish()
    finally:
        writer.discard()
    assert said == hash_of(path)


async def read(path: Path, part: str = "keystore", signers: Verifiers = SIGNERS) -> list[bytes]:
    return [line async for line in read_part(path, part, RECOVERY, signers)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES)
def test_lines_of_any_length_come_out_as_they_went_in(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "part"
    asyncio.run(written(path, lines))

    assert asyncio.run(read(path)) == lines
    assert [each.name for each in tmp_path.iterdir()] == ["part"]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("size", [MiB - 500, MiB, 2 * MiB])
async def test_a_part_that_is_altered_or_cut_anywhere_does_not_open(
    tmp_path: Path, size: int
) -> None:
    path = tmp_path / "part"
    await written(path, [b"y" * size + b"\n"])
    whole = path.read_bytes()
    for at in (0, 20, 100, 140, MiB // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BackupDamagedError):
            await read(path)
        path.write_bytes(whole[:at])
        with pytest.raises(BackupDamagedError):
            await read(path)


async def test_a_part_opens_in_its_own_place_alone(tmp_path: Path) -> None:
    path = tmp_path / "part"
    await written(path, [b"line\n"], "data/1")

    assert await read(path, "data/1") == [b"line\n"]
    with pytest.raises(BackupDamagedError):
        await read(path, "data/2")


async def test_what_somebody_else_sealed_is_foreign(tmp_path: Path) -> None:
    path = tmp_path / "part"
    await written(path, [b"line\n"])
    others = Verifiers.parse(SigningKey("certificate", SecretKey.generate()).verifier)

    with pytest.raises(BackupForeignError):
        await read(path, signers=others)


async def test_nothing_has_the_name_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "part"
    writer = PartWriter(path, "keystore", RECOVERY.public, SIGNER.sign)
    await writer.write(b"z" * (3 * MiB) + b"\n")
    await writer.end()
    assert not path.exists()

    writer.discard()

    assert list(tmp_path.iterdir()) == []
