"""What a handler finds on the application and the request: the services, and who asks."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from gateway.access.actors import Actor, nobody
from gateway.access.confidentiality import Confidentiality
from gateway.access.factors import Factors
from gateway.access.grants import Access
from gateway.access.links import Links
from gateway.access.ownpassword import OwnPassword
from gateway.access.passkeys import Passkeys
from gateway.access.people import People
from gateway.access.profile import Profile
from gateway.access.proofs import Place, device
from gateway.access.recoveries import Recoveries
from gateway.access.service_accounts import ServiceAccounts
from gateway.access.sessionlist import SessionList
from gateway.access.sessions import Sessions, csrf_token
from gateway.access.signin import SignIn
from gateway.access.signon import SignOn
from gateway.access.tokens import Tokens
from gateway.delivery.letters import Letters
from gateway.errors import CrossSiteError
from gateway.ids import SECRET_PATTERN, hash_secret, new_id
from gateway.incidents.evidence import EvidenceRoom
from gateway.incidents.incidents import Incidents
from gateway.incidents.measures import Measures
from gateway.incidents.notices import BreachNotices
from gateway.incidents.register import Register
from gateway.intake.inspector import Inspector
from gateway.intake.uploads import Uploads
from gateway.privacy.assignments import Assignments
from gateway.privacy.cases import Cases
from gateway.privacy.corrections import Corrections
from gateway.privacy.emergencies import Emergencies
from gateway.privacy.instructions import Instructions
from gateway.privacy.restriction import Restriction
from gateway.release.content import Release
from gateway.settings import Settings
from gateway.watch.canaries import Canaries
from gateway.watch.review import Reviews
from gateway.watch.triage import Triage
from keys.keyring import Keyring
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers delegate to."""

    settings: Settings
    databases: Mapping[str, Database]
    keyring: Keyring
    access: Access
    sessions: Sessions
    session_list: SessionList
    signin: SignIn
    factors: Factors
    passkeys: Passkeys
    sign_on: SignOn
    password: OwnPassword
    confidentiality: Confidentiality
    people: People
    profile: Profile
    recoveries: Recoveries
    links: Links
    tokens: Tokens
    service_accounts: ServiceAccounts
    cases: Cases
    assignments: Assignments
    emergencies: Emergencies
    restriction: Restriction
    uploads: Uploads
    inspector: Inspector
    release: Release
    instructions: Instructions
    corrections: Corrections
    triage: Triage
    incidents: Incidents
    measures: Measures
    evidence: EvidenceRoom
    register: Register
    reviews: Reviews
    canaries: Canaries
    letters: Letters
    breach_notices: BreachNotices

    @property
    def main(self) -> Database:
        """The main database."""
        return self.databases["database"]


class Bodies:
    """The bodies that arrive just now. When the server ends they end early, and are answered.

    aiohttp takes nothing more from a connection once it shuts down: a body that goes on would
    hold the server for its whole grace, and its sender would get no answer.
    """

    def __init__(self) -> None:
        """None arrive yet."""
        self.ending = False
        self._waits: set[asyncio.Timeout] = set()

    @contextmanager
    def waiting(self, limit: asyncio.Timeout) -> Iterator[None]:
        """Around waiting for a chunk, under this limit."""
        self._waits.add(limit)
        try:
            yield
        finally:
            self._waits.discard(limit)

    def end(self) -> None:
        """Wait for no chunk any longer."""
        self.ending = True
        for limit in self._waits:
            limit.reschedule(asyncio.get_running_loop().time())


BODIES: web.AppKey[Bodies] = web.AppKey("bodies", Bodies)
SERVICES: web.AppKey[Services] = web.AppKey("services", Services)
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)

SECURE_COOKIE = "__Host-kluis"
PLAIN_COOKIE = "kluis"  # a browser takes __Host- names over TLS alone; plain HTTP is loopback
IS_SECRET = re.compile(SECRET_PATTERN).fullmatch
EVENT_HEADER = "Kluis-Event"
"""Names the event that allowed what is answered: the client's receipt (`kluis audit`)."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def services(request: web.Request) -> Services:
    """The services of this application."""
    return request.app[SERVICES]


def answer(model: BaseModel, event_id: str) -> web.Response:
    """A model as JSON, together with its receipt."""
    return web.Response(
        text=model.model_dump_json(),
        content_type="application/json",
        headers={EVENT_HEADER: event_id},
    )


def visitor(request: web.Request) -> Actor:
    """Whoever sends this, before anything is known of them."""
    said = device(request.headers.get("User-Agent", ""))
    return nobody(address(request), request.get(REQUEST_ID) or new_id(), said)


def place(request: web.Request) -> Place:
    """Where whoever sends this signs in."""
    secret = request.cookies.get(device_cookie_name(request), "")
    known = hash_secret(secret) if IS_SECRET(secret) else None
    return Place(address(request), device(request.headers.get("User-Agent", "")), known)


async def actor(request: web.Request) -> Actor:
    """Who asks: by bearer token, else by session cookie.

    Raises:
        UnauthenticatedError: Neither is valid.
        CrossSiteError: A change by cookie that our own pages did not ask for.
    """
    sessions, who = services(request).sessions, visitor(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and IS_SECRET(token.strip()):
        return await sessions.by_token(who, token.strip())
    secret = request.cookies.get(cookie_name(request))
    if secret is None or not IS_SECRET(secret):
        raise await sessions.refused(who)
    if request.method not in SAFE_METHODS and not _is_from_our_page(request, secret):
        raise await sessions.refused(who, CrossSiteError())
    found, _ = await sessions.by_cookie(who, secret)
    return found


def is_same_site(request: web.Request) -> bool:
    """Whether nothing in the request says that another site made it."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return False
    scheme = "https" if is_secure(request) else "http"
    own = f"{scheme}://{request.host}"
    return request.headers.get("Origin", own) == own


def _is_from_our_page(request: web.Request, secret: str) -> bool:
    sent = request.headers.get("X-CSRF-Token", "")
    proven = hmac.compare_digest(sent.encode("utf-8", "replace"), csrf_token(secret).encode())
    return proven and is_same_site(request)


def cookie_name(request: web.Request) -> str:
    """The session cookie's name on this connection."""
    return SECURE_COOKIE if is_secure(request) else PLAIN_COOKIE


def device_cookie_name(request: web.Request) -> str:
    """The name of the cookie by which a browser is known again."""
    return f"{cookie_name(request)}-device"


def is_secure(request: web.Request) -> bool:
    """Whether the browser speaks TLS, to us or to a proxy that we trust."""
    if _is_trusted(request):
        return (_last(request, "X-Forwarded-Proto") or request.scheme) == "https"
    return request.scheme == "https"


def address(request: web.Request) -> str | None:
    """The network address of who asks; a proxy's word counts only if the proxy is trusted."""
    if _is_trusted(request):
        try:
            return str(ipaddress.ip_address(_last(request, "X-Forwarded-For")))
        except ValueError:
            return request.remote
    return request.remote


def _last(request: web.Request, name: str) -> str:
    """The last entry of a header, empty if there is none.

    A proxy may write behind what it was sent, on that line or on one of its own (RFC 9110, 5.3);
    what stands before is whatever the sender made up.
    """
    return ",".join(request.headers.getall(name, ())).rpartition(",")[2].strip()


def _is_trusted(request: web.Request) -> bool:
    return request.remote in services(request).settings.trusted_proxies
