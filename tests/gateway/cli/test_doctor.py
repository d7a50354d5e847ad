"""The doctor finds what is wrong, and says what to do."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import http_parser

from gateway.cli import doctor
from gateway.cli.doctor import GiB
from gateway.inspection.report import Confinement
from gateway.inspection.workers.pool import WorkerPool
from gateway.inventory.tally import MOST
from gateway.settings import load
from keys.providers.keyfile import ScryptCost
from keys.providers.local import LocalKeyring
from storage.database import Database
from tests.adversary.matrix_house import set_up
from tests.gateway.cli.conftest import Kluis

PASSPHRASE = "a passphrase for tests alone"


@pytest.fixture
async def data(data_directory: Path, migrated_sqlite: Path) -> Path:
    """What the doctor looks at: keyring and databases, no server."""
    LocalKeyring.init(data_directory / "keyring.json", PASSPHRASE, ScryptCost(n=2**10, r=8, p=1))
    for room, name in (("main", "kluis.db"), ("keystore", "keystore.db")):
        shutil.copyfile(migrated_sqlite / f"{room}.db", data_directory / name)
        (data_directory / name).chmod(0o600)
    return data_directory


def states(checks: list[doctor.Check]) -> dict[str, str]:
    return {check.name: check.state for check in checks}


async def test_a_healthy_house_fails_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)

    found = await doctor.examine(load(data=data))

    assert [check for check in found if check.state == "failed"] == []
    expected = {"set-up", "permissions", "disk", "keyring", "main database", "keystore", "clock"}
    assert expected | {"HTTP parser", "inspection", "memory"} <= set(states(found))
    assert states(found)["keyring"] == "ok"


async def test_every_check_that_is_not_ok_says_what_to_do(data: Path) -> None:
    data.chmod(0o755)

    found = await doctor.examine(load(data=data, host="0.0.0.0"))  # noqa: S104 - that is the point

    assert all(check.remedy for check in found if check.state != "ok")
    assert states(found)["permissions"] == "failed"
    assert states(found)["listening"] == "failed"
    assert states(found)["keyring"] == "warning"


def test_the_command_fails_when_a_check_failed(kluis: Kluis, tmp_path: Path) -> None:
    ran = kluis("doctor", "--data", tmp_path, "--json")

    assert ran.code == 1
    assert ran.answer["ok"] is False
    assert ran.answer["checks"][0]["name"] == "set-up"
    assert "kluis init" in ran.answer["checks"][0]["remedy"]
    assert list(tmp_path.iterdir()) == []  # it looks, it makes nothing


def test_a_file_that_others_can_read_is_named(data: Path) -> None:
    (data / "keyring.json").chmod(0o640)

    (found,) = doctor.permissions(load(data=data))

    assert (found.state, found.found) == ("failed", f"{data / 'keyring.json'} is open to others")


def test_a_file_of_somebody_else_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    found = doctor.permissions(load(data=data))

    assert {check.name for check in found} == {"owner"}


def test_a_passphrase_that_others_can_read_is_a_warning(data: Path, tmp_path: Path) -> None:
    (tmp_path / "credential").touch()
    (tmp_path / "credential").chmod(0o644)

    found = doctor.permissions(load(data=data, passphrase_file=tmp_path / "credential"))

    assert [(check.name, check.state) for check in found] == [("passphrase file", "warning")]


@pytest.mark.parametrize(("free", "state"), [(GiB // 2, "failed"), (5 * GiB, "warning")])
def test_a_disk_that_fills_up_is_seen_in_time(
    free: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    assert doctor.disk(tmp_path).state == state


async def test_a_passphrase_that_does_not_open_fails(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLUIS_PASSPHRASE", "another one")

    found = await doctor.keyring(load(data=data))

    assert (found.state, found.found) == ("failed", "passphrase_refused")


async def test_a_database_of_another_version_fails(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
    await Database(url, "main").close()

    found = await doctor.schema("main database", url, "main")

    assert found.state == "failed"
    assert "kluis serve" in found.remedy


async def test_a_database_that_does_not_answer_fails(tmp_path: Path) -> None:
    found = await doctor.schema("keystore", "postgresql+asyncpg://u:p@127.0.0.1:9/d", "keystore")

    assert found.state == "failed"
    assert "p@" not in found.found + found.remedy


def test_a_clock_before_the_last_checkpoint_fails(tmp_path: Path) -> None:
    head = tmp_path / "log-head.json"
    assert doctor.clock(head, 1000.0).state == "ok"

    head.touch()
    os.utime(head, (2000.0, 2000.0))

    assert doctor.clock(head, 1000.0).state == "failed"
    assert doctor.clock(head, 1999.5).state == "ok"
    assert doctor.clock(head, 3000.0).state == "ok"


def test_the_parser_in_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.parser().state == "ok"

    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)

    assert doctor.parser().state == "failed"


def test_memory_that_may_be_swapped_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (65536, 65536))
    monkeypatch.setattr(Path, "read_text", lambda *_: "Filename\n/dev/sda2 partition\n")

    assert doctor.memory().state == "warning"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_plain_http_on_this_machine_is_fine(host: str, tmp_path: Path) -> None:
    assert list(doctor.network(load(data=tmp_path, host=host))) == []


def test_a_proxy_in_front_is_reminded_of_what_it_writes_to_disk(tmp_path: Path) -> None:
    settings = load(data=tmp_path, host="10.0.0.5", trusted_proxies=("10.0.0.1",))

    listening, proxy = doctor.network(settings)

    assert (listening.state, proxy.state) == ("warning", "warning")
    assert "proxy_request_buffering off" in proxy.remedy


@pytest.mark.parametrize("lacking", ["network", "files", "memory", "calls"])
async def test_confinement_that_is_not_reached_is_named_with_its_remedy(
    data: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    full = Confinement(network=True, files=True, memory=True, calls=True)

    async def start(_: WorkerPool) -> Confinement:
        return replace(full, **{lacking: False})

    monkeypatch.setattr(WorkerPool, "start", start)

    found = await doctor.confinement(load(data=data))

    name, remedy = doctor.CONFINEMENT[lacking]
    assert (found.state, found.remedy) == ("warning", remedy)
    assert found.found.startswith(f"without {name}; with ")


async def test_confinement_in_full_needs_nothing_done(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(_: WorkerPool) -> Confinement:
        return Confinement(network=True, files=True, memory=True, calls=True)

    monkeypatch.setattr(WorkerPool, "start", start)

    found = await doctor.confinement(load(data=data))

    assert (found.state, found.remedy) == ("ok", "")


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that is set up in full."""
    asyncio.run(set_up(tmp_path / "run"))
    monkeypatch.setenv("KLUIS_PASSPHRASE", PASSPHRASE)
    return tmp_path / "run" / "data"


def test_a_deep_look_says_what_was_looked_at(kluis: Kluis, whole: Path) -> None:
    ran = kluis("doctor", "--deep", "--data", whole, "--json")

    found = {check["name"]: check for check in ran.answer["checks"]}
    assert found["access log"]["state"] == "ok", ran.out
    assert found["access log"]["found"].startswith("0 looked at, ")
    assert found["cases"]["found"] == "0 looked at"
    assert {"practices", "wrapped keys", "blobs in vault", "blobs in quarantine"} <= set(found)


def test_a_deep_look_names_each_fault_and_fails(kluis: Kluis, whole: Path) -> None:
    blobs = whole / "blobs" / "vault" / "aa"
    blobs.mkdir(parents=True)
    for number in range(MOST + 1):
        (blobs / f"stray {number}").touch()

    ran = kluis("doctor", "--deep", "--data", whole, "--json")

    assert ran.code == 1
    faults = [check for check in ran.answer["checks"] if check["name"] == "blobs in vault"]
    assert faults[0]["found"].startswith("vault: stray ")
    assert "move this file" in faults[0]["remedy"]
    assert (len(faults), faults[-1]["found"]) == (MOST + 1, "1 more")


def test_a_deep_look_waits_until_there_is_something_to_look_at(
    kluis: Kluis, tmp_path: Path
) -> None:
    ran = kluis("doctor", "--deep", "--data", tmp_path, "--json")

    assert ran.code == 1
    assert ran.answer["checks"][-1]["found"] == "not taken"
