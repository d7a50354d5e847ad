"""Bodies that are no honest client's, for every route that takes JSON: refused, never a fault.

What a text field does with strings of every kind is in test_wild_api.py; here it is the body as a
whole: not JSON, not of the right type, too deep, too large, ambiguous.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from gateway.api.routing import BODY_LIMIT, JSON, Operation
from gateway.api.server import OPERATIONS
from gateway.ids import new_id, new_secret
from tests.gateway.ground import SQLITE, Browser, refused, signed_in
from tests.house import Answer, House

AS_JSON = {"Content-Type": "application/json"}
DEEP = 50_000
BODIES: Mapping[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "a NUL": b"\x00",
    "no UTF-8": b'{"email": "\xff\xfe"}',
    "another encoding": '{"email": "x"}'.encode("utf-16"),
    "a list": b"[]",
    "a number": b"1e999",
    "not a number": b"NaN",
    "an integer of five thousand digits": b'{"minutes": ' + b"9" * 5_000 + b"}",
    "deeper than any stack": b"[" * DEEP + b"]" * DEEP,
    "an object deeper than any stack": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "a field that nobody knows": b'{"__proto__": {"role": "administrator"}}',
    "two of a name": b'{"role": "dentist", "role": "administrator"}',
    "larger than any": b'"' + b"a" * BODY_LIMIT + b'"',
}
TAKING = [entry for entry in OPERATIONS if entry.body is not None and entry.takes == JSON]


def address(entry: Operation) -> str:
    """The operation's path with ids that are not there."""
    path = entry.path.replace("{capability}", new_secret()).replace("{week}", "2026-W40")
    return re.sub("{[^}]*}", new_id(), path)


def of_every_field(entry: Operation, value: object) -> bytes:
    """A body whose every field has the same value."""
    assert entry.body is not None
    return json.dumps(dict.fromkeys(entry.body.model_fields, value)).encode()


async def sent(browser: Browser, entry: Operation, body: bytes) -> Answer:
    """One request as one of our pages would send it, but for its body."""
    return await browser.ask(entry.method, address(entry), headers=AS_JSON, data=body)


@SQLITE
async def test_no_body_is_a_fault_and_what_is_none_is_refused(house: House) -> None:
    browser, wrong = await signed_in(house, "practice_manager"), []
    for entry in TAKING:
        values: tuple[object, ...] = (
            "\ud800",
            "\x00",
            "a\r\nb: c",
            "",
            10**400,
            -1,
            {},
            [[]],
            None,
            True,
        )
        each = {repr(value)[:20]: of_every_field(entry, value) for value in values}
        for name, body in {**BODIES, **each}.items():
            answer = await sent(browser, entry, body)
            # What has the form of a body may be one; what has none is refused.
            if answer.status >= 500 or (name in BODIES and answer.status < 400):
                wrong.append(f"{entry.method} {entry.path}: {name}: {answer.status}")
            elif answer.status >= 400:
                refused(answer, answer.status, answer.json()["code"])

    assert not wrong, "\n".join(wrong)


@SQLITE
async def test_json_that_is_sent_as_something_else_is_not_read(house: House) -> None:
    browser = await signed_in(house, "practice_manager")
    for entry in TAKING:
        for media_type in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ):
            answer = await browser.ask(
                entry.method, address(entry), headers={"Content-Type": media_type}, data=b"{}"
            )
            assert 400 <= answer.status < 500, (entry.path, media_type, answer.status)
