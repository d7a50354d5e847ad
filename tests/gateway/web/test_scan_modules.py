"""What a browser makes of a scan agrees with the gateway's report of it; garbage is refused."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.cli.sample import scan
from gateway.inspection.inspect import inspect
from gateway.inspection.report import Limits, ScanReport
from gateway.inspection.scans.pose import pose
from gateway.web.assets import MODULES
from tests.scans import arch, binary_stl, cube

SCRIPT = """
import { readFileSync } from "node:fs";
const names = ["read", "merge", "borders", "pose"];
const parts = names.map((name) => import(`${process.argv[1]}/${name}.js`));
const [{ read, Unreadable }, { merge }, { borders }, { pose }] = await Promise.all(parts);
const made = process.argv.slice(2).map((path) => {
  const { buffer, byteOffset, length } = readFileSync(path);
  try {
    const { corners, colours } = read(buffer.slice(byteOffset, byteOffset + length));
    const { index, places } = merge(corners);
    const { border, centres } = borders(index, places);
    const counts = { corners: index.length, vertices: places.length / 3, edges: border.length };
    return { ...counts, centres: [...centres], pose: pose(corners), colours: colours?.length ?? 0 };
  } catch (error) {
    return { refused: error instanceof Unreadable, error: String(error) };
  }
});
console.log(JSON.stringify(made));
"""
COLOURED = """ply
format ascii 1.0
element vertex 4
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
element face 4
property list uchar int vertex_indices
end_header
0 0 0 255 0 0
9 0 0 0 255 0
0 9 0 0 0 255
0 0 9 9 9 9
3 0 2 1
3 0 1 3
3 0 3 2
3 1 2 3
"""


def made(contents: Sequence[bytes], folder: Path) -> list[dict[str, Any]]:
    """What the modules make of each, in one process."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("no node: apt-get install nodejs npm")
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / str(number))
        paths[-1].write_bytes(content)
    ran = subprocess.run(
        [node, "--input-type=module", "--eval", SCRIPT, (MODULES / "scan").as_uri(), *paths],
        capture_output=True,
        check=True,
    )
    answer: list[dict[str, Any]] = json.loads(ran.stdout)
    return answer


def test_vertices_borders_and_pose_are_those_of_the_report(tmp_path: Path) -> None:
    sent = [
        scan(9_000, 1, missed_mm=2.0),
        scan(9_000, 2, upper=False),
        binary_stl(cube(4.0)),
        COLOURED.encode(),
    ]
    kept = [inspect("scan", content, Limits()) for content in sent]

    for result, seen in zip(kept, made([each.clean for each in kept], tmp_path), strict=True):
        report = result.report
        assert isinstance(report, ScanReport)
        assert seen["corners"] == 3 * report.triangles
        assert seen["vertices"] == report.vertices
        assert seen["edges"] == report.boundary_edges
        centres = np.array(seen["centres"]).reshape(-1, 3)
        places = np.array([each.place for each in report.openings]).reshape(-1, 3)
        assert len(centres) == report.boundary_loops == len(places)
        for place in places:
            assert np.linalg.norm(centres - place, axis=1).min() < 0.001
        assert (seen["colours"] > 0) == (result.media_type == "application/ply")
        if report.boundary_loops:
            record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("rest", "<u2")])
            corners = np.frombuffer(result.clean, record, offset=84)["corners"].transpose(2, 1, 0)
            _, front, up = pose(np.ascontiguousarray(corners)).axes
            assert np.dot(seen["pose"]["up"], up) > 0.99
            assert np.dot(seen["pose"]["front"], front) > 0.99


def test_garbage_is_refused_or_read_and_never_anything_else(tmp_path: Path) -> None:
    seed = random.Random(8)
    good = [
        inspect("scan", each, Limits()).clean
        for each in (binary_stl(arch(60, 1)), COLOURED.encode())
    ]
    hostile = [
        b"",
        b"ply\n",
        b"\xff" * 84,
        b"\0" * 80 + b"\xff\xff\xff\xff",
        b"ply\nelement face 9999999\n",
    ]
    for content in good:
        hostile += [content[: seed.randrange(len(content))] for _ in range(20)]
        for _ in range(60):
            changed = bytearray(content)
            for _ in range(seed.randrange(1, 9)):
                changed[seed.randrange(len(changed))] = seed.randrange(256)
            hostile.append(bytes(changed))

    seen = made([*good, *hostile], tmp_path)

    assert all("corners" in each for each in seen[: len(good)])
    assert [each for each in seen if "corners" not in each and not each["refused"]] == []
    assert sum("refused" in each for each in seen) > 40
