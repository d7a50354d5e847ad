"""What a process says of itself in the log: that it starts and stops, and what was set anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from gateway.settings import Settings
from storage.database import Database
from storage.schema import events
from tests.gateway.ground import SQLITE
from tests.house import ServerProcess


async def of_the_house(settings: Settings) -> Sequence[tuple[str, Any]]:
    main = Database(settings.main_database, "main")
    async with main.reading() as connection:
        records = list(await connection.scalars(select(events.c.record).order_by(events.c.id)))
    await main.close()
    found = [json.loads(record)["event"] for record in records]
    codes = {"house.start", "house.stop", "settings.change"}
    return [(each["code"], each.get("detail", {})) for each in found if each["code"] in codes]


async def serve_once(settings: Settings) -> None:
    server = await ServerProcess.start(settings)
    assert await server.stop() == 0


@SQLITE
async def test_starts_stops_and_changed_settings_are_events(settings: Settings) -> None:
    await serve_once(settings)
    assert [code for code, _ in await of_the_house(settings)] == ["house.start", "house.stop"]

    (settings.data / "kluis.toml").write_text("sweep_minutes = 3.0\nlog_years = 7\n")
    await serve_once(settings)
    await serve_once(settings)

    seen = await of_the_house(settings)
    assert [code for code, _ in seen] == [
        *("house.start", "house.stop"),
        *("settings.change", "house.start", "house.stop"),
        *("house.start", "house.stop"),
    ]
    assert seen[2][1] == {"settings": ["log_years", "sweep_minutes"]}
    assert set(seen[0][1]) == {"version"}


@SQLITE
async def test_what_is_remembered_of_settings_holds_no_secret(settings: Settings) -> None:
    await serve_once(settings)

    seen = json.loads((settings.data / "settings-seen.json").read_text())
    assert set(Settings.model_fields) - set(seen) == {"passphrase", "database_url", "keystore_url"}
    assert (settings.data / "settings-seen.json").stat().st_mode & 0o777 == 0o600
