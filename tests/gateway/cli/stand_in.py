"""A server of the command's side of the API, small enough to misbehave on purpose.

It keeps one case. What breaks, and when, is told by its `faults`, which are used up one by one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from aiohttp import web

CASE = "0197e0d4-0000-7000-8000-000000000001"
TOKEN = "token-of-a-dentist"


@dataclass
class Held:
    """One file: what arrived, and what became of it."""

    id: str
    name: str
    kind: str
    length: int
    slot: str | None = None
    content: bytearray = field(default_factory=bytearray)
    state: str = "receiving"
    ended: bool = False  # its upload address no longer answers

    def view(self) -> dict[str, Any]:
        accepted = self.state == "accepted"
        return {
            "id": self.id,
            "kind": self.kind,
            "number": int(self.id.rsplit("-", 1)[1]),
            "slot": self.slot,
            "name": self.name,
            "state": self.state,
            "length": self.length,
            "received": len(self.content),
            "size": len(self.content) if accepted else None,
            "sha256": hashlib.sha256(self.content).hexdigest() if accepted else None,
            "media_type": "model/stl" if accepted else None,
            "report": SCAN_REPORT if accepted else None,
            "problem": None if accepted else PROBLEM,
        }


SCAN_REPORT = {
    "kind": "scan",
    "triangles": 12,
    "box_mm": {"min": [0, 0, 0], "max": [1, 2, 3], "size": [1.0, 2.0, 3.0]},
    "findings": [
        {
            "severity": "warning",
            "message_en": "There are 2 more openings.",
            "message_nl": "Nog 2 openingen.",
        }
    ],
}
PROBLEM = {"code": "not_a_scan", "message": "This is not a scan."}


@dataclass
class StandIn:
    """The server. Every request it saw is in `seen`, each body in `bodies`."""

    cuts: deque[int] = field(default_factory=deque)  # break a PATCH or GET after so many bytes
    answers_lost: int = 0  # take a whole PATCH and break before the answer
    forgets: int = 0  # answer 404 to so many HEADs
    expires: int = 0  # answer 410 to so many PATCHes
    refusals: deque[tuple[int, str]] = field(default_factory=deque)  # of creations
    busy: int = 0  # answer 503 to so many HEADs
    ignores_ranges: bool = False
    alters_content: bool = False
    location: str | None = None
    refused_names: set[str] = field(default_factory=set)
    erasure_steps: deque[str] = field(default_factory=lambda: deque(["requested", "done"]))
    pages: list[dict[str, Any]] = field(default_factory=list)
    missing: list[dict[str, str]] = field(default_factory=list)
    files: dict[str, Held] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._watch])
        case, files = f"/api/v1/cases/{CASE}", f"/api/v1/cases/{CASE}/files"
        app.add_routes(
            [
                web.post("/api/v1/cases", self.create_case),
                web.get("/api/v1/cases", self.list_cases),
                web.post("/api/v1/cases/search", self.list_cases),
                web.get(case, self.show_case),
                web.post(f"{case}/{{act:submission|completion|assignments}}", self.change_case),
                web.get(f"{case}/events", self.events),
                web.post(f"{case}/erasure", self.erase),
                web.get(f"{case}/erasure", self.erase),
                web.post(files, self.create),
                web.head("/uploads/{id}", self.offset),
                web.patch("/uploads/{id}", self.append),
                web.get(f"{files}/{{id}}", self.show),
                web.delete(f"{files}/{{id}}", self.remove),
                web.put(f"{files}/{{id}}/slot", self.place),
                web.get(f"{files}/{{id}}/content", self.content),
            ]
        )
        return app

    @web.middleware
    async def _watch(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.seen.append((request.method, request.path))
        self.headers.append(dict(request.headers))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return problem(401, "unauthenticated", "Sign in first.")
        if request.content_type == "application/json" and request.can_read_body:
            self.bodies.append(await request.json())
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPNotFound:
            return problem(404, "not_found", "There is nothing here that you may see.")
        return response

    def count(self, method: str) -> int:
        return sum(seen == method for seen, _ in self.seen)

    def hold(self, content: bytes, name: str = "upper.stl", state: str = "accepted") -> Held:
        number = len(self.files) + 1
        held = Held(f"file-{number}", name, "scan", len(content), None, bytearray(content), state)
        self.files[held.id] = held
        return held

    def view(self) -> dict[str, Any]:
        return {
            "id": CASE,
            "pseudonym": "K7-3F",
            "state": "draft",
            "treatment": "aligner",
            "frozen": False,
            "created_at": "2026-11-22T10:00:00Z",
            "submitted_at": None,
            "completed_at": None,
            "age_years": 17,
            "notes": "Crowding.",
            "patient": None,
            "files": [held.view() for held in self.files.values()],
            "missing": self.missing,
            "assignments": [{"email": "planner@lab.example", "ends_at": None}],
        }

    async def create_case(self, _: web.Request) -> web.Response:
        return web.json_response(self.view(), status=201)

    async def list_cases(self, request: web.Request) -> web.Response:
        return web.json_response(self.pages[int(request.query.get("before", "0"))])

    async def show_case(self, _: web.Request) -> web.Response:
        return web.json_response(self.view())

    async def change_case(self, request: web.Request) -> web.Response:
        assigning = request.match_info["act"] == "assignments"
        return web.json_response(
            self.view() | {"state": "submitted"}, status=201 if assigning else 200
        )

    async def events(self, _: web.Request) -> web.Response:
        actor = {"id": "a-1", "role": "planner", "email": "planner@lab.example"}
        event = {
            "index": 3,
            "number": 1,
            "at": "2026-11-22T10:00:00Z",
            "event": "case.view",
            "action": "R",
            "stage": "refused",
            "actor": actor,
            "ground": "none",
        }
        return web.json_response({"events": [event]})

    async def erase(self, request: web.Request) -> web.Response:
        step = self.erasure_steps[0]
        if request.method == "GET" and len(self.erasure_steps) > 1:
            step = self.erasure_steps.popleft()
        certificate = {"case_id": CASE, "erased": True} if step == "done" else None
        status = 202 if request.method == "POST" else 200
        view = {"id": "e-1", "case_id": CASE, "step": step, "certificate": certificate}
        return web.json_response(view, status=status)

    async def create(self, request: web.Request) -> web.Response:
        if self.refusals:
            status, code = self.refusals.popleft()
            return problem(status, code, "The file is not taken.")
        pairs = (pair.split(" ") for pair in request.headers["Upload-Metadata"].split(","))
        told = {key: base64.b64decode(value).decode() for key, value in pairs}
        number = len(self.files) + 1
        length = int(request.headers["Upload-Length"])
        held = Held(f"file-{number}", told["filename"], told["kind"], length, told.get("slot"))
        self.files[held.id] = held
        headers = {"Location": self.location or f"/uploads/{held.id}", "Kluis-File": held.id}
        return web.json_response(held.view(), status=201, headers=headers)

    async def offset(self, request: web.Request) -> web.Response:
        if self.busy:
            self.busy -= 1
            return web.Response(status=503)
        held = self.files[request.match_info["id"]]
        if self.forgets:
            self.forgets -= 1
            held.ended, held.state = True, "expired"
        if held.ended:
            return web.Response(status=404)
        return web.Response(headers={"Upload-Offset": str(len(held.content))})

    async def append(self, request: web.Request) -> web.Response:
        held = self.files[request.match_info["id"]]
        if self.expires:
            self.expires -= 1
            held.ended, held.state = True, "expired"
            return problem(410, "upload_gone", "This upload has ended.")
        if int(request.headers["Upload-Offset"]) != len(held.content):
            return problem(409, "offset_mismatch", "The upload is elsewhere.")
        cut = self.cuts.popleft() if self.cuts else None
        taken = 0
        async for piece in request.content.iter_any():
            kept = piece if cut is None else piece[: cut - taken]
            held.content += kept
            taken += len(kept)
            if taken == cut:
                self._break(request)
        if len(held.content) == held.length:
            refused = held.name in self.refused_names
            held.state = "refused" if refused else "accepted"
        if self.answers_lost:
            self.answers_lost -= 1
            held.ended = True
            self._break(request)
        return web.Response(status=204, headers={"Upload-Offset": str(len(held.content))})

    def _break(self, request: web.Request) -> NoReturn:
        assert request.transport is not None
        request.transport.abort()
        raise web.HTTPInternalServerError  # reaches nobody

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(self.files[request.match_info["id"]].view())

    async def remove(self, request: web.Request) -> web.Response:
        self.files[request.match_info["id"]].state = "removed"
        return web.Response(status=204)

    async def place(self, request: web.Request) -> web.Response:
        held = self.files[request.match_info["id"]]
        held.slot = (await request.json())["slot"]
        return web.Response(status=204)

    async def content(self, request: web.Request) -> web.StreamResponse:
        held = self.files[request.match_info["id"]]
        tag = f'"{held.view()["sha256"]}"'
        start = 0
        if request.headers.get("If-Range") == tag and not self.ignores_ranges:
            start = request.http_range.start or 0
        body = bytes(held.content[start:])
        if self.alters_content:
            body = body[:-1] + bytes([body[-1] ^ 1])
        response = web.StreamResponse(status=206 if start else 200, headers={"ETag": tag})
        response.content_length = len(body)
        await response.prepare(request)
        cut = self.cuts.popleft() if self.cuts else None
        await response.write(body[:cut])
        if cut is not None:
            await asyncio.sleep(0.05)  # let what was written leave before the break
            self._break(request)
        return response


def problem(status: int, code: str, detail: str) -> web.Response:
    body = {"type": "about:blank", "status": status, "detail": detail, "code": code}
    return web.json_response(body, status=status, content_type="application/problem+json")


@contextmanager
def listening(app: web.Application) -> Iterator[str]:
    """Serve from a thread of its own, for commands that bring their own event loop."""
    ready = threading.Event()
    address: list[str] = []
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    async def serve() -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        ready.set()
        await end.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield address[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(10)
        loop.close()
