"""Two servers on one database: what is ended on one is over on the other's next request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.app import open_rooms
from gateway.settings import Settings
from tests.gateway.ground import refused
from tests.house import API, PASSPHRASE, PASSWORD, Answer, Person, ServerProcess
from tests.leaks import planted

EMAIL = "dentist@north.invalid"


@dataclass
class Nodes:
    """Two servers, and a dentist with a token who can also sign in."""

    one: Person
    other: Person

    async def sign_in(self) -> Mapping[str, str]:
        """Sign in on the first server; the headers that a page of it sends."""
        body = {"email": EMAIL, "password": PASSWORD}
        stranger = Person(self.one.session, self.one.url)
        answer = await stranger.ask("POST", f"{API}/session", json=body)
        assert answer.status == 200, answer.text
        morsel = next(iter(SimpleCookie(answer.headers["Set-Cookie"]).values()))
        csrf = answer.json()["csrf_token"]
        return {"Cookie": f"{morsel.key}={morsel.value}", "X-CSRF-Token": csrf}

    async def ask(
        self, node: Person, method: str, path: str, headers: Mapping[str, str], **more: Any
    ) -> Answer:
        """One request by cookie."""
        stranger = Person(node.session, node.url)
        return await stranger.ask(method, f"{API}{path}", headers=headers, **more)


@pytest.fixture
async def nodes(settings: Settings) -> AsyncIterator[Nodes]:
    async with open_rooms(settings, PASSPHRASE) as rooms:
        practice = await rooms.accounts.add_controller(name="North", email="mail@north.invalid")
        await rooms.accounts.add_account(
            email=EMAIL, role="dentist", controller_id=practice.id, password=PASSWORD
        )
        token = planted("a token", await rooms.accounts.create_token(email=EMAIL))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(ClientSession())
        urls = []
        for _ in range(2):
            server = await ServerProcess.start(settings)
            stack.push_async_callback(server.stop)
            urls.append(server.url)
        yield Nodes(*(Person(client, url, token) for url in urls))


async def test_what_ends_on_one_node_is_over_on_the_next_request_to_another(nodes: Nodes) -> None:
    here, there = await nodes.sign_in(), await nodes.sign_in()
    assert (await nodes.ask(nodes.other, "GET", "/cases", there)).status == 200

    entries = (await nodes.ask(nodes.one, "GET", "/account/sessions", here)).json()["sessions"]
    (ended,) = [entry["id"] for entry in entries if not entry["current"]]
    gone = await nodes.ask(nodes.one, "DELETE", f"/account/sessions/{ended}", here)
    assert gone.status == 204
    refused(await nodes.ask(nodes.other, "GET", "/cases", there), 401, "unauthenticated")

    third = await nodes.sign_in()
    assert (await nodes.ask(nodes.other, "GET", "/cases", third)).status == 200
    assert (await nodes.ask(nodes.one, "DELETE", "/account/sessions", here)).json() == {"ended": 1}
    refused(await nodes.ask(nodes.other, "GET", "/cases", third), 401, "unauthenticated")

    assert (await nodes.ask(nodes.other, "GET", "/cases", here)).status == 200
    assert (await nodes.ask(nodes.one, "DELETE", "/session", here)).status == 204
    refused(await nodes.ask(nodes.other, "GET", "/cases", here), 401, "unauthenticated")

    # A token, too: the first use of each node after its end is refused.
    await nodes.one.get(f"{API}/cases")
    await nodes.other.get(f"{API}/cases")
    by_page = await nodes.sign_in()
    body = {"name": "viewer", "expires_at": entries[0]["expires_at"]}
    made = await nodes.ask(nodes.one, "POST", "/account/tokens", by_page, json=body)
    assert made.status == 201, made.text
    program = Person(nodes.other.session, nodes.other.url, planted("a token", made.json()["token"]))
    await program.get(f"{API}/cases")
    path = f"/account/tokens/{made.json()['id']}"
    assert (await nodes.ask(nodes.one, "DELETE", path, by_page)).status == 204
    refused(await program.ask("GET", f"{API}/cases"), 401, "unauthenticated")
