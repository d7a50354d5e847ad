"""The operator's commands where an OpenBao keeps the keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.app import initialise, open_rooms
from gateway.cli import doctor
from gateway.settings import Settings, load
from keys.errors import ProviderUnavailableError
from tests.gateway.cli.conftest import Kluis
from tests.openbao import BaoMount, running_bao

OFFICER = "officer@lab.example"


def test_the_command_asks_for_no_passphrase_and_says_what_the_server_refuses(
    kluis: Kluis, mount: BaoMount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in mount.chosen().items():
        monkeypatch.setenv(f"KLUIS_{name.upper()}", value)
    monkeypatch.delenv("KLUIS_PASSPHRASE", raising=False)
    data = tmp_path / "data"
    mount.server.admin("PUT", f"sys/policies/acl/{mount.name}", {"policy": "# nothing yet"})

    refused = kluis("init", "--data", data, "--json")
    mount.grant()
    made = kluis("init", "--data", data, "--json")

    assert (refused.code, refused.failure["code"]) == (1, "provider_refused")
    assert "policy" in refused.failure["message"]
    assert made.code == 0
    assert kluis("client", "list", "--data", data, "--json").answer == []
    shown = json.dumps(kluis("settings", "--data", data, "--json").answer)
    assert mount.secret_id_file.read_text().strip() not in shown


async def test_the_doctor_says_whether_the_server_lets_us_in(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    data = tmp_path / "data"
    with running_bao(tmp_path / "server") as server:
        mount = server.mount(tmp_path)
        mount.secret_id_file.chmod(0o644)
        remote = load(data=data, **mount.chosen())
        await initialise(remote, "", OFFICER)

        well = await states(remote)
        server.seal()
        sealed = await states(remote)
        with pytest.raises(ProviderUnavailableError):
            async with open_rooms(remote, ""):
                pass

    assert (well["keyring"].state, well["keyring"].found) == ("ok", "openbao")
    assert well["openbao secret id file"].state == "warning"
    assert (sealed["keyring"].state, sealed["keyring"].found) == ("failed", "provider_unavailable")
    assert "unseal" in sealed["keyring"].remedy


async def states(settings: Settings) -> dict[str, doctor.Check]:
    return {check.name: check for check in await doctor.examine(settings)}
