"""Files of a case: their state and verdict, download whole, in ranges or as one zip, removal."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable

from aiohttp import web

from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import FileView, Placement, file_view
from gateway.api.problems import language
from gateway.api.routing import Operations
from gateway.errors import (
    CaseFrozenError,
    ForbiddenError,
    GatewayError,
    IntegrityFailedError,
    NotFoundError,
    RangeNotSatisfiableError,
    WrongStateError,
)
from gateway.release.archive import archive
from gateway.release.content import Content

operations = Operations("/api/v1")
MOST_WAIT_SECONDS = 10
OF_FILE = (NotFoundError, ForbiddenError, WrongStateError, CaseFrozenError)
WAIT = re.compile(r"(?:^|[,\s])wait=([0-9]{1,4})(?:$|[,;\s])")
ONE_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


@operations.add(
    "GET",
    "/cases/{case_id}/files/{file_id}",
    action=Action.FILE_VIEW,
    answer=FileView,
    errors=OF_FILE,
)
async def view(request: web.Request) -> FileView:
    """See a file's state, and its verdict once there is one; `Prefer: wait=10` waits for it."""
    sight = await context.services(request).cases.file(
        await context.actor(request),
        request.match_info["case_id"],
        request.match_info["file_id"],
        wait_seconds=_preferred_wait(request),
    )
    return file_view(sight, language(request))


def _preferred_wait(request: web.Request) -> int:
    """How long the client would wait (RFC 7240, section 4.3), and not too long."""
    asked = WAIT.search(request.headers.get("Prefer", ""))
    return min(int(asked[1]), MOST_WAIT_SECONDS) if asked else 0


@operations.add(
    "DELETE",
    "/cases/{case_id}/files/{file_id}",
    action=Action.FILE_REMOVE,
    status=204,
    errors=OF_FILE,
)
async def remove(request: web.Request) -> None:
    """Take a file out of a draft."""
    await context.services(request).uploads.remove(
        await context.actor(request), request.match_info["case_id"], request.match_info["file_id"]
    )


@operations.add(
    "PUT",
    "/cases/{case_id}/files/{file_id}/slot",
    action=Action.FILE_PLACE,
    body=Placement,
    status=204,
    errors=OF_FILE,
)
async def place(request: web.Request, body: Placement) -> None:
    """Say which place a file of a draft fills."""
    await context.services(request).uploads.place(
        await context.actor(request),
        request.match_info["case_id"],
        request.match_info["file_id"],
        body.slot,
    )


@operations.add(
    "GET",
    "/cases/{case_id}/files/{file_id}/thumbnail",
    action=Action.FILE_THUMBNAIL,
    media_type="image/jpeg",
    errors=(*OF_FILE, IntegrityFailedError),
)
async def thumbnail(request: web.Request) -> web.Response:
    """See a small picture of a file."""
    grant, picture = await context.services(request).release.thumbnail(
        await context.actor(request), request.match_info["case_id"], request.match_info["file_id"]
    )
    headers = {context.EVENT_HEADER: grant.event_id}
    return web.Response(body=picture, content_type="image/jpeg", headers=headers)


@operations.add(
    "GET",
    "/cases/{case_id}/files/{file_id}/content",
    action=Action.FILE_DOWNLOAD,
    media_type="*/*",  # that of the file
    errors=(*OF_FILE, RangeNotSatisfiableError, IntegrityFailedError),
    headers=("Range", "If-Range", "If-None-Match"),
    also={206: None, 304: None},
)
async def download(request: web.Request) -> web.StreamResponse:
    """Download a file, or a range of it."""
    release = context.services(request).release
    content = await release.open_file(
        await context.actor(request), request.match_info["case_id"], request.match_info["file_id"]
    )
    etag = f'"{content.sha256}"'
    if _has_already(request, etag):
        await release.ended(content.grant, 0, whole=True)
        headers = {"ETag": etag, context.EVENT_HEADER: content.grant.event_id}
        return web.Response(status=304, headers=headers)
    try:
        span = _range(request, content, etag)
    except RangeNotSatisfiableError:
        await release.ended(content.grant, 0, whole=False)
        raise
    start, stop = span or (0, content.size)
    await release.check(content, start, stop)
    response = web.StreamResponse(status=200 if span is None else 206, headers=_headers(content))
    response.headers["ETag"] = etag
    response.headers["Accept-Ranges"] = "bytes"
    response.content_length = stop - start
    if span is not None:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size}"
    return await _send(request, response, content, release.read(content, start, stop))


@operations.add(
    "GET",
    "/cases/{case_id}/archive",
    action=Action.FILE_DOWNLOAD,
    media_type="application/zip",
    errors=(*OF_FILE, IntegrityFailedError),
)
async def download_case(request: web.Request) -> web.StreamResponse:
    """Download all files of a case as one zip."""
    release = context.services(request).release
    grant, contents = await release.open_case(
        await context.actor(request), request.match_info["case_id"]
    )
    await release.check(contents[0], 0, contents[0].size)
    response = web.StreamResponse(headers=_attachment(f"case-{grant.case.id}.zip"))
    response.content_type = "application/zip"
    begun: list[str] = []
    pieces = archive(release, contents, begun)
    return await _send(request, response, contents[0], pieces, begun)


async def _send(
    request: web.Request,
    response: web.StreamResponse,
    content: Content,
    pieces: AsyncIterable[bytes],
    begun: list[str] | None = None,
) -> web.StreamResponse:
    """Send, and log what really went out, also when it broke."""
    release = context.services(request).release
    sent, whole = 0, False
    response.headers[context.EVENT_HEADER] = content.grant.event_id
    try:
        await response.prepare(request)
        async for piece in pieces:
            await response.write(piece)
            sent += len(piece)
        await response.write_eof()
        whole = True
    except GatewayError:
        # The head is out: cut the connection, so that nobody takes the rest for the whole.
        if request.transport is not None:
            request.transport.abort()
    finally:
        await release.ended(content.grant, sent, whole=whole, files=begun)
    return response


def _has_already(request: web.Request, etag: str) -> bool:
    """Whether If-None-Match names this version (RFC 9110 section 13.1.2: a list, weak, or `*`)."""
    listed = request.headers.get("If-None-Match", "").split(",")
    return any(tag.strip().removeprefix("W/") in {etag, "*"} for tag in listed)


def _range(request: web.Request, content: Content, etag: str) -> tuple[int, int] | None:
    """The one range asked for, as [start, stop); None: the whole (RFC 9110 section 14).

    Several ranges, another unit, or an If-Range of another version: the whole is the answer that
    the RFC allows.

    Raises:
        RangeNotSatisfiableError: It lies behind the end.
    """
    if request.headers.get("If-Range", etag) != etag:
        return None
    match = ONE_RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(content.size - int(last), 0), content.size
    else:
        start = int(first)
        stop = min(int(last) + 1, content.size) if last else content.size
        if last and int(last) < start:
            return None
    if start >= stop:
        raise RangeNotSatisfiableError(size=content.size)
    return start, stop


def _headers(content: Content) -> dict[str, str]:
    return {"Content-Type": content.media_type, **_attachment(content.name)}


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
