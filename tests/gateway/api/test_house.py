"""What the house says of itself, and of nobody."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import create_async_engine

from keys.signing import Verifier
from tests.gateway.ground import SQLITE, until
from tests.house import API, House

pytestmark = SQLITE


async def test_a_living_process_says_so(house: House) -> None:
    assert await house.stranger.get("/healthz") == {"status": "ok", "parts": {}}
    assert await house.stranger.get("/readyz") == {
        "status": "ok",
        "parts": {"database": "ok", "keystore": "ok", "keys": "ok"},
    }


async def test_a_part_that_fails_is_named_and_nothing_else(house: House) -> None:
    missing = house.settings.data / "missing" / "keystore.db"
    whole = house.rooms.keystore.engine
    house.rooms.keystore.engine = create_async_engine(f"sqlite+aiosqlite:///{missing}")
    answer = await house.stranger.ask("GET", "/readyz")
    house.rooms.keystore.engine = whole

    assert answer.status == 503
    assert answer.json() == {
        "status": "failing",
        "parts": {"database": "ok", "keystore": "failing", "keys": "ok"},
    }


async def test_a_key_provider_that_fails_is_named(house: House) -> None:
    keyring = house.settings.keyring_path
    away = keyring.rename(keyring.with_name("away"))
    answer = await house.stranger.ask("GET", "/readyz")
    away.rename(keyring)

    assert answer.status == 503
    assert answer.json()["parts"] == {"database": "ok", "keystore": "ok", "keys": "failing"}


async def test_the_checkpoint_is_signed_by_the_published_key(house: House) -> None:
    await house.dentist.new_case()
    path = f"{API}/log/checkpoint"

    async def is_signed() -> bool:
        return (await house.stranger.ask("GET", path)).status == 200

    await until(is_signed)
    note = await house.stranger.ask("GET", path)

    verifier = Verifier.parse(house.settings.log_key_path.read_text().strip())
    text = verifier.open_note(note.text)
    assert str(text).startswith(house.settings.log_origin)
    assert note.headers["Content-Type"].startswith("text/plain")
