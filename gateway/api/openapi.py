"""The OpenAPI 3.1 document, assembled from the handlers' declarations and pydantic's schemas."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.api.models import Problem
from gateway.api.problems import STATUS
from gateway.api.routing import PARAMETERS, Operation
from gateway.errors import (
    CrossSiteError,
    ForbiddenError,
    GatewayError,
    InvalidInputError,
    OutOfScopeError,
    RequestTimeoutError,
    SecondFactorRequiredError,
    SessionLockedError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)

COMMON = (InvalidInputError, UnauthenticatedError, UnavailableError)
# Of every act: what a role may not, a token does not reach, a session lacks, another site asks.
OF_SIGNED_IN = (
    *(ForbiddenError, SessionLockedError, OutOfScopeError, SecondFactorRequiredError),
    CrossSiteError,
)
OF_A_BODY = (TooLargeError, RequestTimeoutError)
REFERENCE = "#/components/schemas/{model}"
BYTES = "application/octet-stream"
TUS_MEDIA_TYPE = "application/offset+octet-stream"


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """The whole document."""
    entries = list(operations)
    models: set[type[BaseModel]] = {Problem}
    for entry in entries:
        answers = (entry.answer, *entry.also.values())
        models |= {model for model in (entry.body, *answers) if model is not None}
    inputs = {entry.body for entry in entries}
    _, schemas = models_json_schema(
        [
            (model, "validation" if model in inputs else "serialization")
            for model in sorted(models, key=lambda model: model.__name__)
        ],
        ref_template=REFERENCE,
    )
    paths: dict[str, dict[str, Any]] = {}
    for entry in entries:
        paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kluis",
            "version": version,
            "description": "Secure intake of dental scans and photos. Errors are RFC 9457.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-kluis"},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def _operation(entry: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": f"{entry.method.lower()}_{_identifier(entry.path)}",
        "summary": entry.summary,
        "parameters": [*_path_parameters(entry), *_query_parameters(entry), *_headers(entry)],
        "responses": {
            **{str(status): _answered(entry, model) for status, model in entry.also.items()},
            str(entry.status): _answer(entry),
            **_refusals(entry),
        },
    }
    if entry.action is None:
        described["security"] = []
    else:
        described["x-kluis-action"] = entry.action.value
    if entry.body is not None:
        schema = {"$ref": REFERENCE.format(model=entry.body.__name__)}
        described["requestBody"] = {
            "required": True,
            "content": {entry.takes: {"schema": schema}},
        }
    if "Upload-Offset" in entry.headers or "Upload-Length" in entry.headers:
        described["requestBody"] = {"content": {TUS_MEDIA_TYPE: {}}}
    if "Kluis-Name" in entry.headers:
        described["requestBody"] = {"required": True, "content": {BYTES: {}}}
    return described


def _answer(entry: Operation) -> dict[str, Any]:
    if entry.answer is not None:
        return _answered(entry, entry.answer)
    if entry.media_type != "application/json":
        return {"description": entry.summary, "content": {entry.media_type: {}}}
    return {"description": entry.summary}


def _answered(entry: Operation, model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {"description": entry.summary}
    schema = {"$ref": REFERENCE.format(model=model.__name__)}
    return {"description": entry.summary, "content": {entry.media_type: {"schema": schema}}}


def _refusals(entry: Operation) -> dict[str, Any]:
    by_status: dict[int, list[type[GatewayError]]] = {}
    signed_in = OF_SIGNED_IN if entry.action is not None else ()
    sent = OF_A_BODY if entry.body is not None else ()
    refusals: tuple[type[GatewayError], ...] = (*COMMON, *signed_in, *sent, *entry.errors)
    for error in refusals:
        if error not in by_status.setdefault(STATUS[error], []):
            by_status[STATUS[error]].append(error)
    schema = {"$ref": REFERENCE.format(model=Problem.__name__)}
    return {
        str(status): {
            "description": "; ".join(error.code for error in refused),
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status, refused in sorted(by_status.items())
    }


def _path_parameters(entry: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{PARAMETERS[name]}$"},
        }
        for name in re.findall(r"{(\w+)}", entry.path)
    ]


def _query_parameters(entry: Operation) -> list[dict[str, Any]]:
    if entry.query is None:
        return []
    properties = entry.query.model_json_schema()["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
    ]


def _headers(entry: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
        for name in entry.headers
    ]


def _identifier(path: str) -> str:
    return re.sub(r"\W+", "_", path.removeprefix("/api/v1")).strip("_")
