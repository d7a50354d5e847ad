"""A provider that refuses every key of a practice: no erasure may destroy what it left behind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.privacy import puncture
from keys.context import Context
from keys.errors import UnsealError
from tests.gateway.ground import SQLITE, until
from tests.house import API, House


@SQLITE
async def test_a_provider_that_refuses_every_key_stops_the_erasure_and_loses_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(puncture, "FEW", 1)
    cases = [await house.dentist.new_case(notes="kept") for _ in range(3)]
    refused = 0

    async def refuse(_old: int, _new: int, _items: Sequence[tuple[bytes, Context]]) -> list[bytes]:
        nonlocal refused
        refused += 1
        raise UnsealError

    monkeypatch.setattr(house.rooms.keyring, "rewrap", refuse)
    versions = await house.rooms.keyring.versions(house.practice.id)
    body = {"reason": "asked by the patient", "confirm": cases[0]}
    await house.dentist.post(f"{API}/cases/{cases[0]}/erasure", body, 202)

    async def has_tried() -> bool:
        return refused > 20

    await until(has_tried)

    assert versions <= await house.rooms.keyring.versions(house.practice.id)
    for case_id in cases[1:]:
        assert (await house.dentist.get(f"{API}/cases/{case_id}"))["notes"] == "kept"
