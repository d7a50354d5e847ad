"""The description of the API: valid, and about every route that there is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.api.openapi import document
from gateway.api.problems import STATUS
from gateway.api.server import OPERATIONS, make_application
from tests.gateway.ground import SQLITE
from tests.house import API, PATIENT, House

DOCUMENT = document(OPERATIONS, "1.2.3")


def operations() -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }


def test_the_document_is_valid_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


@SQLITE
async def test_every_route_of_the_router_is_described_and_no_other(house: House) -> None:
    app: web.Application = make_application(house.rooms.services)
    routed = {
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.resource is not None
    }

    assert routed == set(operations())


@SQLITE
async def test_the_server_gives_this_document(house: House) -> None:
    served = await house.stranger.get(f"{API}/openapi.json")

    assert served["paths"] == DOCUMENT["paths"]
    assert served["info"]["title"] == "Kluis"


@pytest.mark.parametrize("name", sorted(operations()))
def test_every_operation_says_what_it_takes_gives_and_refuses(name: str) -> None:
    operation = operations()[name]

    assert operation["summary"]
    assert {p["name"] for p in operation["parameters"] if p["in"] == "path"} == set(
        re.findall(r"{(\w+)}", name)
    )
    declared = {int(status) for status in operation["responses"]}
    successes = sorted(status for status in declared if status < 400)
    # A sign-in may ask for more; of a file there may be a part, or nothing new.
    assert len(successes) == 1 or successes in ([200, 202], [200, 206, 304])
    assert declared <= {200, 201, 202, 204, 206, 304} | set(STATUS.values())
    assert ("security" in operation) == ("x-kluis-action" not in operation)


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in operations().values()]

    assert len(set(ids)) == len(ids)


@SQLITE
async def test_a_case_looks_as_it_is_described(house: House) -> None:
    case = await house.dentist.post(f"{API}/cases", {"patient": PATIENT}, 201)
    described = DOCUMENT["components"]["schemas"]["CaseView"]

    assert set(case) == set(described["properties"])
    assert set(described["required"]) == set(case)
