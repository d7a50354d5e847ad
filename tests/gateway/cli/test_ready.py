"""`kluis ready`: the health check of containers and scripts."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from gateway.settings import Settings
from tests.gateway.cli.conftest import Kluis
from tests.gateway.cli.stand_in import listening
from tests.gateway.ground import SQLITE, until
from tests.house import open_house


@SQLITE
async def test_a_server_that_serves_is_ready_and_one_whose_keyring_is_gone_names_it(
    settings: Settings, kluis: Kluis
) -> None:
    async with open_house(settings) as house:
        server = ("--server", house.url)
        fine = await asyncio.to_thread(kluis, "ready", *server, "--json")
        settings.keyring_path.rename(settings.data / "elsewhere")
        broken = fine

        async def is_broken() -> bool:  # what the keys answered may be told again for a second
            nonlocal broken
            broken = await asyncio.to_thread(kluis, "ready", *server)
            return broken.code != 0

        await until(is_broken)
        (settings.data / "elsewhere").rename(settings.keyring_path)

    assert (fine.code, fine.answer["ready"]) == (0, True)
    assert set(fine.answer["parts"]) == {"database", "keystore", "keys"}
    assert broken.code == 1
    assert "keys failing" in broken.err


def test_where_nobody_answers_nobody_is_ready(kluis: Kluis) -> None:
    ran = kluis("ready", "--server", "http://127.0.0.1:9")
    assert ran.code == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"<html>", b'{"parts": 7}'])
def test_what_is_not_kluis_is_not_ready(kluis: Kluis, body: bytes) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body)

    app = web.Application()
    app.router.add_get("/readyz", answer)
    with listening(app) as address:
        assert kluis("ready", "--server", address).code == 1


def test_the_open_network_is_not_asked(kluis: Kluis) -> None:
    assert kluis("ready", "--server", "http://kluis.example.org").code == 2
