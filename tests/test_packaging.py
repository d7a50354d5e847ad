"""The packaging is what its linters accept; `make rehearse` takes the image's steps for real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ("hadolint", "docker/Dockerfile"),
        ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker/compose.yaml"),
        ("caddy", "adapt", "--config", "docker/Caddyfile"),
        ("caddy", "fmt", "--diff", "docker/Caddyfile"),
    ],
)
def test_the_packaging_is_well_formed(command: tuple[str, ...]) -> None:
    program, *arguments = command
    environment = os.environ | {"KLUIS_DOMAIN": "localhost"}
    ran = subprocess.run(
        [BIN / program, *arguments], cwd=ROOT, env=environment, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_image_copies_every_package_and_nothing_that_is_not_there() -> None:
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    copied = {
        name
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    assert {"gateway", "storage", "keys", "requirements.lock", "pyproject.toml"} <= copied
    assert {"package.json", "package-lock.json", ".npmrc", "gateway/web/modules"} <= copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
