"""The whole API under requests of its own description: no fault, and nothing undescribed.

A slice of it runs with the suite. `make schemathesis` runs it whole: KLUIS_WILD requests of each
operation by each identity, at least 20 000 together.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping

import pytest
from schemathesis import GenerationMode

from gateway.access.scope import Limits
from gateway.ids import new_id, new_secret
from tests.adversary.wild import Wilderness, drawn, operations, text_fields, with_string
from tests.gateway.access.test_matrix import Ground, ground
from tests.gateway.api.test_naughty_strings import OWN
from tests.gateway.ground import SQLITE, Browser, change, signed_in
from tests.house import House, Person
from tests.leaks import planted

__all__ = ["ground"]

STARS = {
    "assignment_id": "/assignments/*",
    "emergency_id": "/emergencies/*",
    "alert_id": "/alerts/*",
    "request_id": "/erasures/*",
    "delivery_id": "/deliveries/*",
    "incident_id": "/incidents/*",
    "canary_id": "/canaries/*",
    "notice_id": "/breach-notices/*",
    "week": "/reviews/*",
}
WHOLE = int(os.environ.get("KLUIS_WILD", "0"))
AT_LEAST = 20_000
IN_A_SLICE = 5  # identities that send one case

pytestmark = [SQLITE, pytest.mark.slow]


def by_cookie(browser: Browser) -> Mapping[str, str]:
    return {"Cookie": browser.cookie, "X-CSRF-Token": browser.csrf}


def by_token(person: Person) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {person.token}"}


async def scoped(house: House, limits: Limits) -> Mapping[str, str]:
    """The dentist's token with these limits."""
    token = await house.rooms.accounts.create_token(
        email=house.dentist.email, name="limited", limits=limits
    )
    return {"Authorization": f"Bearer {planted('a token', token)}"}


async def identities(house: House, case_id: str) -> Mapping[str, Mapping[str, str]]:
    """Everybody there can be, by name: the headers that they send."""
    practice = house.practice.id
    disabled = await house.add_person("dentist", practice)
    expired = await house.add_person("dentist", practice)
    await change(house, "UPDATE accounts SET disabled_at = 1 WHERE id = :id", id=disabled.id)
    await change(house, "UPDATE tokens SET expires_at = 1 WHERE account_id = :id", id=expired.id)
    people = {
        "disabled": disabled,
        "expired": expired,
        "dentist": house.dentist,
        "foreign": (await house.add_practice())[1],
        "manager": await house.add_person("practice_manager", practice),
        "service": await house.add_person("service", practice),
        "planner": house.planner,
        "other": await house.add_person("planner"),
        "coordinator": house.coordinator,
        "officer": house.officer,
        "administrator": await house.add_person("administrator"),
    }
    return {
        "nobody": {},
        **{name: by_token(person) for name, person in people.items()},
        "of one case": await scoped(house, Limits(cases=[case_id])),
        "of one act": await scoped(house, Limits(actions=["case.list"])),
        "dentist in a browser": by_cookie(await signed_in(house)),
        "administrator in a browser": by_cookie(await signed_in(house, "administrator")),
    }


async def wilderness(ground: Ground) -> Wilderness:
    """A house with something of everything, and everybody in it."""
    house = ground.house
    planned, file = await house.planned_case()
    draft = await house.dentist.new_case()
    address, pending = await house.dentist.begin_upload(draft, 9)
    by = await identities(house, planned)
    foreign = await Person(
        house.session, house.url, by["foreign"]["Authorization"].partition(" ")[2]
    ).new_case()
    return Wilderness(
        house.url,
        by,
        {
            "case_id": [planned, draft, foreign, new_id()],
            "file_id": [file["id"], pending, new_id()],
            "capability": [address.rpartition("/")[2], new_secret()],
            "account_id": [house.dentist.id, house.planner.id, new_id()],
            **{name: [await ground.star(part), new_id()] for name, part in STARS.items()},
        },
    )


def roam(wild: Wilderness, count: int) -> None:
    """Every operation: `count` right and as many wrong requests, each by every identity."""
    for operation in operations():
        cases = drawn(operation, count, GenerationMode.POSITIVE)
        if operation.body:
            cases = [*cases, *drawn(operation, count, GenerationMode.NEGATIVE)]
        for case in cases:
            for who in wild.identities if WHOLE else wild.some(IN_A_SLICE):
                wild.send(case, who)


def say(wild: Wilderness, every: int) -> None:
    """Every text field of every body: every `every`th of the strings that break software."""
    for operation in operations():
        fields = list(text_fields(operation))
        for base in drawn(operation, 1, GenerationMode.POSITIVE) if fields else ():
            whole, senders = base.body, list(wild.identities)
            for number, place in enumerate(fields):
                for string in OWN[number % every :: every]:
                    base.body = with_string(whole, place, string)
                    wild.send(base, wild.luck.choice(senders))
                    wild.send(base, "dentist")


async def test_no_request_that_the_api_describes_is_a_fault(ground: Ground) -> None:
    wild = await wilderness(ground)
    await asyncio.to_thread(roam, wild, WHOLE or 1)
    sys.stdout.write(f"{wild.requests} requests: {sorted(wild.statuses.items())}\n")

    assert not wild.wrong, "\n".join(sorted(wild.wrong))
    assert {200, 204, 401, 403, 404, 422} <= set(wild.statuses)
    assert wild.requests >= (AT_LEAST if WHOLE else 500)


async def test_no_string_in_any_text_field_is_a_fault(ground: Ground) -> None:
    wild = await wilderness(ground)
    await asyncio.to_thread(say, wild, 1 if WHOLE else 10)
    sys.stdout.write(f"{wild.requests} requests: {sorted(wild.statuses.items())}\n")

    assert not wild.wrong, "\n".join(sorted(wild.wrong))
    assert wild.requests >= (2_000 if WHOLE else 300)
