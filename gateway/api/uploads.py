"""Resumable uploads: tus 1.0.0 with creation, creation-with-upload, expiration, termination.

The offset is the number of durable bytes. The upload's address is its own capability, so HEAD,
PATCH and DELETE need no token; whoever began it is authorised anew at each request all the same.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from email.utils import format_datetime

from aiohttp import ClientPayloadError, web

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import FileView, file_view
from gateway.api.problems import STATUS, language
from gateway.api.routing import Operations
from gateway.errors import (
    CaseFrozenError,
    ForbiddenError,
    GatewayError,
    InvalidInputError,
    NotFoundError,
    OffsetMismatchError,
    TooLargeError,
    TooManyPartsError,
    TusVersionError,
    UploadGoneError,
    UploadMediaTypeError,
    UploadTakenOverError,
    WrongStateError,
)
from gateway.intake.uploads import Kind
from gateway.privacy.cases import FileSight
from storage.files import File

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,termination"
MEDIA_TYPE = "application/offset+octet-stream"
METADATA_LIMIT = 2048
METADATA = frozenset({"filename", "kind", "slot"})
DIGITS = 15  # of a size or offset: far beyond any limit, and short enough for any integer
RESUMED = (
    NotFoundError,
    ForbiddenError,
    CaseFrozenError,
    TusVersionError,
    UploadGoneError,
)

PATHS = frozenset({"/api/v1/cases/{case_id}/files", "/api/v1/uploads/{capability}"})

operations = Operations("/api/v1")


@operations.add("OPTIONS", "/cases/{case_id}/files", action=None, status=204)
@operations.add("OPTIONS", "/uploads/{capability}", action=None, status=204)
async def options(request: web.Request) -> web.Response:
    """Say which tus is spoken here."""
    return web.Response(
        status=204,
        headers={
            "Tus-Resumable": VERSION,
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(context.services(request).uploads.largest_bytes),
        },
    )


@operations.add(
    "POST",
    "/cases/{case_id}/files",
    action=Action.FILE_UPLOAD,
    answer=FileView,
    status=201,
    errors=(
        NotFoundError,
        ForbiddenError,
        WrongStateError,
        CaseFrozenError,
        TusVersionError,
        TooLargeError,
        InvalidInputError,
        UploadMediaTypeError,
    ),
    headers=("Tus-Resumable", "Upload-Length", "Upload-Metadata"),
)
async def create(request: web.Request) -> web.Response:
    """Begin an upload into a case; the body may bring its first bytes."""
    _check_version(request)
    metadata = _metadata(request)
    if metadata.get("kind") not in set(Kind):
        raise InvalidInputError(field="Upload-Metadata kind", reason="take scan, photo or plan")
    uploads, length = context.services(request).uploads, _number(request, "Upload-Length")
    if request.can_read_body:
        _check_media_type(request)
        if (request.content_length or 0) > length:
            raise TooLargeError(limit=length)
    begun = await uploads.begin(
        await context.actor(request),
        request.match_info["case_id"],
        Kind(metadata["kind"]),
        length,
        metadata.get("filename", ""),
        metadata.get("slot"),
    )
    file = begun.file
    if request.can_read_body:
        file, grant = await uploads.find(context.visitor(request), begun.capability)
        try:
            file = await uploads.append(grant, file, 0, _body(request))
        except GatewayError:
            # Its address was told to nobody: nothing of it may stay.
            await uploads.cancel(grant, file)
            raise
        _tell_inspector(request, file)
    response = web.Response(
        text=file_view(FileSight(file), language(request)).model_dump_json(),
        status=201,
        content_type="application/json",
        headers=_headers(file),
    )
    response.headers[context.EVENT_HEADER] = begun.event_id
    response.headers["Location"] = f"/api/v1/uploads/{begun.capability}"
    return response


@operations.add(
    "HEAD",
    "/uploads/{capability}",
    action=Action.FILE_UPLOAD,
    errors=RESUMED,
    headers=("Tus-Resumable",),
)
async def head(request: web.Request) -> web.Response:
    """Tell how many bytes are durable."""
    _check_version(request)
    file, _ = await context.services(request).uploads.find(
        context.visitor(request), request.match_info["capability"]
    )
    headers = _headers(file) | {"Upload-Length": str(file.length)}
    return web.Response(status=200, headers=headers)


@operations.add(
    "PATCH",
    "/uploads/{capability}",
    action=Action.FILE_UPLOAD,
    status=204,
    errors=(
        *RESUMED,
        OffsetMismatchError,
        TooLargeError,
        TooManyPartsError,
        UploadTakenOverError,
        UploadMediaTypeError,
    ),
    headers=("Tus-Resumable", "Upload-Offset"),
)
async def patch(request: web.Request) -> web.Response:
    """Append bytes; what was acknowledged is durable, and a break keeps what arrived."""
    _check_version(request)
    _check_media_type(request)
    offset = _number(request, "Upload-Offset")
    uploads = context.services(request).uploads
    file, grant = await uploads.find(context.visitor(request), request.match_info["capability"])
    left = file.length - offset
    if offset == file.received and (request.content_length or 0) > left:
        raise TooLargeError(limit=left)
    file = await uploads.append(grant, file, offset, _body(request))
    _tell_inspector(request, file)
    headers = _headers(file) | {context.EVENT_HEADER: grant.event_id}
    return web.Response(status=204, headers=headers)


@operations.add(
    "DELETE",
    "/uploads/{capability}",
    action=Action.FILE_UPLOAD,
    status=204,
    errors=RESUMED,
    headers=("Tus-Resumable",),
)
async def terminate(request: web.Request) -> web.Response:
    """End an upload and drop what arrived of it."""
    _check_version(request)
    uploads = context.services(request).uploads
    file, grant = await uploads.find(context.visitor(request), request.match_info["capability"])
    await uploads.cancel(grant, file)
    return web.Response(status=204, headers={"Tus-Resumable": VERSION})


async def name_version(request: web.Request, response: web.StreamResponse) -> None:
    """Put the version on every answer, refusals too (tus 1.0.0, Headers: Tus-Resumable)."""
    resource = request.match_info.route.resource
    if resource is not None and resource.canonical in PATHS:
        response.headers.setdefault("Tus-Resumable", VERSION)
        if response.status == STATUS[TusVersionError]:
            response.headers["Tus-Version"] = VERSION


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    """What arrives, until it ends, breaks or falls silent; a break is the end of what arrived."""
    idle = context.services(request).settings.upload_idle_seconds
    bodies = request.app[context.BODIES]
    while not bodies.ending:
        try:
            async with asyncio.timeout(idle) as limit:
                with bodies.waiting(limit):
                    chunk = await request.content.readany()
        except (TimeoutError, ClientPayloadError, ConnectionError, web.RequestPayloadError):
            if request.transport is not None and not bodies.ending:
                request.transport.close()
            return
        if not chunk:
            return
        yield chunk


def _tell_inspector(request: web.Request, file: File) -> None:
    if file.state == "received":
        context.services(request).inspector.arrived.set()


def _headers(file: File) -> dict[str, str]:
    headers = {
        "Tus-Resumable": VERSION,
        "Upload-Offset": str(file.received),
        "Kluis-File": file.id,
    }
    if file.expires_at is not None:
        headers["Upload-Expires"] = format_datetime(file.expires_at, usegmt=True)
    return headers


def _check_version(request: web.Request) -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise TusVersionError


def _check_media_type(request: web.Request) -> None:
    if request.content_type != MEDIA_TYPE:
        raise UploadMediaTypeError


def _number(request: web.Request, header: str) -> int:
    value = request.headers.get(header, "")
    if not (value.isascii() and value.isdigit() and len(value) <= DIGITS):
        raise InvalidInputError(field=header, reason="send a whole number of bytes")
    return int(value)


def _metadata(request: web.Request) -> dict[str, str]:
    """Upload-Metadata: pairs of key and base64 value; only what we know is taken."""
    raw = request.headers.get("Upload-Metadata", "")
    found: dict[str, str] = {}
    if len(raw) > METADATA_LIMIT:
        raise InvalidInputError(field="Upload-Metadata", reason=f"at most {METADATA_LIMIT} bytes")
    for pair in filter(None, raw.split(",")):
        key, _, value = pair.strip().partition(" ")
        if key not in METADATA or key in found:
            reason = "send filename, kind and slot, each once"
            raise InvalidInputError(field="Upload-Metadata", reason=reason)
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            reason = "encode values as base64 of UTF-8"
            raise InvalidInputError(field=f"Upload-Metadata {key}", reason=reason) from None
    return found
