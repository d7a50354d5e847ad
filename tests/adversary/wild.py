"""Requests that the API's own description makes, right and wrong ones, sent by every identity.

schemathesis draws the cases and judges the answers: no fault of the server, no status, type or
body that is not described. Ids in addresses are real ones as often as not, so that requests get
past the door; text fields get strings that break software.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case as AnyCase
from schemathesis import GenerationMode
from schemathesis import checks as judged
from schemathesis.core.failures import Failure, FailureGroup

from gateway.api.openapi import TUS_MEDIA_TYPE, document
from gateway.api.server import OPERATIONS

Case = AnyCase[Any]
DOCUMENT = document(OPERATIONS, "1")
judged.load_all_checks()
CHECKS: list[Any] = judged.CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
SEED = 61
REAL = 0.7  # how often an id in an address is one that exists
SECONDS = 30


@schemathesis.serializer(TUS_MEDIA_TYPE)
def _bytes(_: object, value: object) -> bytes:
    return str(value).encode("utf-8", "replace")


@dataclass
class Wilderness:
    """What was sent, and what was wrong with the answers.

    `identities` are headers by the name of who sends them; `ids` are ids that exist by the name
    of their parameter.
    """

    url: str
    identities: Mapping[str, Mapping[str, str]]
    ids: Mapping[str, Sequence[str]]
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    client: requests.Session = field(default_factory=requests.Session)
    luck: random.Random = field(default_factory=lambda: random.Random(SEED))

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return self.statuses.total()

    def some(self, count: int) -> Sequence[str]:
        """The names of so many identities, others each time."""
        return self.luck.sample(list(self.identities), count)

    def send(self, case: Case, who: str) -> None:
        """One request by one identity, and what is wrong with its answer."""
        case.headers.pop("Authorization", None)  # drawn by the description's schemes
        case.cookies.clear()
        for name, real in self.ids.items():
            if name in case.path_parameters and self.luck.random() < REAL:
                case.path_parameters[name] = self.luck.choice(real)
        answer = case.call(
            base_url=self.url,
            session=self.client,
            headers=dict(self.identities[who]),
            timeout=SECONDS,
            allow_redirects=False,
        )
        self.client.cookies.clear()
        self.statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except (Failure, FailureGroup) as found:
            failures = found.exceptions if isinstance(found, FailureGroup) else [found]
            for failure in failures:
                name = case.operation.label
                self.wrong[f"{name} by {who}: {answer.status_code} {type(failure).__name__}"] += 1


def operations() -> Iterator[Any]:
    """Every operation of the description; what ends an identity comes last."""
    schema: Any = schemathesis.openapi.from_dict(DOCUMENT)
    found = [result.ok() for result in schema.get_all_operations()]
    return iter(sorted(found, key=lambda one: one.label in ENDS))


ENDS = frozenset({"DELETE /api/v1/account", "DELETE /api/v1/session"})


def drawn(operation: Any, count: int, mode: GenerationMode) -> Sequence[Case]:
    """`count` cases of an operation, the same ones each time."""
    cases: list[Case] = []

    @seed(SEED)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def keep(case: Case) -> None:
        cases.append(case)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hypothesis, of a narrow schema
        keep()
    return cases[:count]


def with_string(body: Any, place: tuple[str, ...], string: str) -> Any:
    """The body with another string at one place; `[]` is the only element of a list."""
    if not place:
        return string
    if place[0] == "[]":
        return [with_string(None, place[1:], string)]
    inner = body.get(place[0], {}) if isinstance(body, dict) else {}
    return {**body, place[0]: with_string(inner, place[1:], string)}


def text_fields(operation: Any) -> Iterator[tuple[str, ...]]:
    """Where the JSON body of an operation holds text, as paths of names."""
    content = operation.definition.raw.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        yield from _text_fields(content["application/json"]["schema"])


def _text_fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "string":
        yield ()
    for choice in schema.get("anyOf", ()):
        yield from _text_fields(choice)
    if "items" in schema:
        yield from (("[]", *rest) for rest in _text_fields(schema["items"]))
    for name, inner in schema.get("properties", {}).items():
        yield from ((name, *rest) for rest in _text_fields(inner))
