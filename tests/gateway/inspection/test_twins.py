from __future__ import annotations

import numpy as np
import pytest

from gateway.inspection.report import Limits, ScanReport
from gateway.inspection.scans.canonical import canonical
from gateway.inspection.scans.measure import measure
from gateway.inspection.scans.read import read
from tests.scans import Triangles, ascii_stl, binary_stl, corpus, cube

LIMITS = Limits()
BODY = cube(20.0)


def numbers(of: ScanReport) -> dict[str, float]:
    return {finding.code: finding.number for finding in of.findings}


ADMESH = {path.stem.removeprefix("test_"): path for path in corpus("stl/admesh")}
# What the names of real twins promise: the second file is the first one after a repair.
NAMED = {
    "fill-holes": "hole",
    "remove-unconnected": "floating_pieces",
    "normal-directions": "flipped_triangles",
}


def twins() -> list[tuple[str, bytes, bytes]]:
    crumb = np.concatenate((BODY, cube(2, at=(30, 0, 0))))
    turned = np.concatenate((BODY[:11], BODY[11:, ::-1]))
    pairs = [
        ("hole", binary_stl(BODY[1:]), binary_stl(BODY)),
        ("floating_pieces", binary_stl(crumb), binary_stl(BODY)),
        ("flipped_triangles", binary_stl(turned), binary_stl(BODY)),
    ]
    for body in ("block", "conveyor", "hourglass"):
        for name, code in NAMED.items():
            bad, good = (ADMESH.get(f"{body}_{name}-{which}") for which in ("bad", "good"))
            # Of normal directions the two larger pairs say wrong normals alone, see below.
            if bad and good and (body == "block" or name != "normal-directions"):
                pairs.append((code, bad.read_bytes(), good.read_bytes()))
    return pairs


@pytest.mark.parametrize(("code", "bad", "good"), twins())
def test_a_defect_is_told_before_its_repair_and_not_after(
    code: str, bad: bytes, good: bytes
) -> None:
    before, after = (numbers(measure(read(content, LIMITS))) for content in (bad, good))
    assert code in before
    assert code not in after


def stored(normals: Triangles) -> bytes:
    """The cube with normals of its own."""
    content = bytearray(binary_stl(BODY))
    for at, normal in enumerate(normals.astype("<f4")):
        content[84 + 50 * at : 96 + 50 * at] = normal.tobytes()
    return bytes(content)


def wrong_normals() -> list[tuple[bytes, int]]:
    normals = np.cross(BODY[:, 1] - BODY[:, 0], BODY[:, 2] - BODY[:, 0])
    normals[3] *= -1
    files = [(stored(normals), 1)]
    hourglass = ADMESH.get("hourglass_normal-directions-bad")
    return [*files, *([(hourglass.read_bytes(), 1)] if hourglass else [])]


@pytest.mark.parametrize(("content", "wrong"), wrong_normals())
def test_wrong_stored_normals_alone_are_repaired_with_a_note(content: bytes, wrong: int) -> None:
    mesh = read(content, LIMITS)
    found = measure(mesh)
    assert numbers(found)["wrong_normals"] == wrong
    assert found.winding_consistent
    assert found.flipped_triangles == 0
    again = measure(read(canonical(mesh), LIMITS))
    assert again.wrong_normals == 0
    assert again.same_scan == found.same_scan


def same_mesh() -> list[tuple[bytes, bytes]]:
    """Twins that were written with more digits, not repaired: their defect is in both."""
    torn = BODY.copy()
    torn[0, 0] += np.float32(0.1)
    names = ("block_exact", "block_nearby", "conveyor_nearby", "hourglass_nearby")
    paths = [(ADMESH.get(f"{name}-bad"), ADMESH.get(f"{name}-good")) for name in names]
    real = [(bad.read_bytes(), good.read_bytes()) for bad, good in paths if bad and good]
    return [(binary_stl(torn), ascii_stl(torn)), *real]


@pytest.mark.parametrize(("bad", "good"), same_mesh())
def test_a_file_written_with_more_digits_is_the_same_scan_with_the_same_defect(
    bad: bytes, good: bytes
) -> None:
    one, other = measure(read(bad, LIMITS)), measure(read(good, LIMITS))
    assert one.same_scan == other.same_scan
    assert one.openings == other.openings
    assert {"crack", "hole"} & set(numbers(one))
