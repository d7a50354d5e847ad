"""How a handler is declared: its path, what it takes and gives, and the act it is in the policy.

Routes, request checks and the OpenAPI document all come from this one declaration. A path is
exact: ids have the shape of a UUID, so nothing with a dot or a slash ever reaches a handler; but
for tiles of the log, whose addresses are numbers in groups of three digits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import BaseModel, ValidationError

from gateway.access.policy import Action
from gateway.api.context import services
from gateway.errors import GatewayError, InvalidInputError, RequestTimeoutError, TooLargeError
from gateway.ids import ID_PATTERN, SECRET_PATTERN, WEEK_PATTERN

BODY_LIMIT = 256 * 1024
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
PARAMETERS = {
    "case_id": ID_PATTERN,
    "file_id": ID_PATTERN,
    "assignment_id": ID_PATTERN,
    "emergency_id": ID_PATTERN,
    "alert_id": ID_PATTERN,
    "incident_id": ID_PATTERN,
    "evidence_id": ID_PATTERN,
    "canary_id": ID_PATTERN,
    "week": WEEK_PATTERN,
    "delivery_id": ID_PATTERN,
    "notice_id": ID_PATTERN,
    "recovery_id": ID_PATTERN,
    "request_id": ID_PATTERN,
    "token_id": ID_PATTERN,
    "session_id": ID_PATTERN,
    "factor_id": ID_PATTERN,
    "account_id": ID_PATTERN,
    "capability": SECRET_PATTERN,
    "index": "0|[1-9][0-9]{0,17}",
    "level": "[0-9]|[1-5][0-9]|6[0-3]",
    "tile": "(?:x[0-9]{3}/){0,5}[0-9]{3}(?:\\.p/[1-9][0-9]{0,2})?",
}

Model = TypeVar("Model", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One handler as declared."""

    method: str
    path: str
    handler: Handler
    action: Action | None
    summary: str
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answer: type[BaseModel] | None
    status: int
    media_type: str
    errors: tuple[type[GatewayError], ...]
    headers: tuple[str, ...]
    takes: str
    also: Mapping[int, type[BaseModel] | None]


@dataclass(slots=True)
class Operations:
    """A table of handlers."""

    prefix: str = ""
    entries: list[Operation] = field(default_factory=list)

    def add(
        self,
        method: str,
        path: str,
        *,
        action: Action | None,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        answer: type[BaseModel] | None = None,
        status: int = 200,
        media_type: str = "application/json",
        errors: tuple[type[GatewayError], ...] = (),
        headers: tuple[str, ...] = (),
        takes: str = JSON,
        also: Mapping[int, type[BaseModel] | None] = MappingProxyType({}),
    ) -> Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]:
        """Declare a handler.

        It gets the request, then the checked body or query if it has one. It returns a model,
        which becomes JSON, or a response; None is an empty answer.

        Args:
            method: HTTP method.
            path: Below the prefix; `{name}` stands for a parameter of PARAMETERS.
            action: The act in the policy that it authorises; None: open to all, and says nothing
                of anybody.
            body: Model of the JSON body.
            query: Model of the query string.
            answer: Model of the answer.
            status: Of the answer.
            media_type: Of the answer, where it is not JSON.
            errors: What it refuses with, besides what every handler may.
            headers: Request headers that it reads.
            takes: Media type of the body.
            also: Models of other answers, by their status; None: one that has no model.
        """

        def declare(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            @wraps(function)
            async def handler(request: web.Request) -> web.StreamResponse:
                given = []
                if body is not None:
                    given.append(checked(body, await _sent(request, takes)))
                if query is not None:
                    given.append(checked(query, dict(request.query)))
                return _rendered(await function(request, *given), status)

            summary = (function.__doc__ or "").strip().splitlines()[0].rstrip(".")
            operation = Operation(
                method,
                self.prefix + path,
                handler,
                action,
                summary,
                body,
                query,
                answer,
                status,
                media_type,
                errors,
                headers,
                takes,
                also,
            )
            self.entries.append(operation)
            return function

        return declare

    def register(self, app: web.Application) -> None:
        """Add every handler to the application's router."""
        for entry in self.entries:
            path = entry.path
            for name, pattern in PARAMETERS.items():
                path = path.replace(f"{{{name}}}", f"{{{name}:{pattern}}}")
            app.router.add_route(entry.method, path, entry.handler)


def checked(model: type[Model], given: object) -> Model:
    """`given` as the model.

    Raises:
        InvalidInputError: Names the first field that is wrong, never its value.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
        # The name of an unknown field is a word of the sender's: only its place is told.
        path = ".".join(str(part) for part in place) or "body"
        raise InvalidInputError(field=path, reason=first["msg"]) from None


async def _sent(request: web.Request, media_type: str) -> object:
    if request.content_type != media_type:
        raise InvalidInputError(field="Content-Type", reason=f"send {media_type}")
    raw = bytearray()
    try:
        async with asyncio.timeout(services(request).settings.request_seconds):
            async for chunk in request.content.iter_any():
                raw += chunk
                if len(raw) > BODY_LIMIT:
                    raise TooLargeError(limit=BODY_LIMIT)
    except TimeoutError:
        raise RequestTimeoutError from None
    try:
        text = raw.decode()  # UTF-8 and nothing else (RFC 8259 section 8.1): json would guess
        return json.loads(text) if media_type == JSON else dict(parse_qsl(text))
    except (ValueError, RecursionError):
        raise InvalidInputError(field="body", reason=f"it is not {media_type}") from None


def _rendered(answer: object, status: int) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    if isinstance(answer, BaseModel):
        text = answer.model_dump_json()
        return web.Response(text=text, status=status, content_type="application/json")
    return web.Response(status=204)
