"""A real provider of OpenID Connect to sign on with, and the browser that goes there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.cookiejar import CookieJar
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

import pytest
from joserfc.jwk import RSAKey

from tests.leaks import planted

PUBLIC_URL = "https://kluis.example.invalid"
REDIRECT = f"{PUBLIC_URL}/sign-on"
CLIENT_ID = "kluis"
CLIENT_SECRET = planted("a client's secret", "a secret between two servers + %")
PASSWORD = planted("a provider's password", "a password that Kluis never sees")
STEPS = 8


@dataclass(frozen=True)
class Directory:
    """One of the provider's people."""

    email: str
    groups: list[str]
    password: str = field(default=PASSWORD, repr=False)


PEOPLE = {
    "pat": Directory("pat@house.invalid", ["planners"]),
    "chris": Directory("chris@house.invalid", ["coordinators", "planners"]),
    "robin": Directory("robin@house.invalid", []),
    "sam": Directory("sam@house.invalid", ["planners"]),
    "noor": Directory("noor@practice.invalid", ["north"]),
}
UNVERIFIED = ["sam"]


@dataclass(frozen=True)
class Wanted:
    """What the process is told."""

    key: dict[str, Any]
    secret: str = planted(
        "a provider's cookie secret", "a secret of the provider alone, 32 letters"
    )
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    redirect: str = REDIRECT
    people: dict[str, Directory] = field(default_factory=lambda: dict(PEOPLE))
    unverified: list[str] = field(default_factory=lambda: list(UNVERIFIED))


@dataclass
class Canaille:
    """The provider; `key` is its own, so a test can sign what it would sign."""

    issuer: str
    key: RSAKey

    def visit(self, address: str, name: str, password: str = PASSWORD) -> dict[str, str]:
        """What the browser of somebody brings back to the page that it was sent from."""
        opener = build_opener(HTTPCookieProcessor(CookieJar()), _Stay())
        typed = {"login": name, "password": password}
        request = Request(address)  # noqa: S310 - the fixture's own address
        for _ in range(STEPS):
            location, page = _load(opener, request)
            if location.startswith(REDIRECT):
                return dict(parse_qsl(urlsplit(location).query))
            if location:
                request = Request(urljoin(request.full_url, location))  # noqa: S310
            else:
                filled = urlencode({**_fields(page), **_known(typed, page)}).encode()
                request = Request(request.full_url, filled)  # noqa: S310
        raise AssertionError(page)

    def settings(self, directory: Path, **more: Any) -> dict[str, Any]:
        """The settings of a Kluis that signs on here."""
        secret_file = directory / "oidc-secret"
        secret_file.write_text(f"{CLIENT_SECRET}\n")
        return {
            "public_url": PUBLIC_URL,
            "oidc_issuer": self.issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret_file": secret_file,
            "oidc_scopes": "openid email groups",
            **more,
        }


@contextmanager
def running_canaille(redirect: str = REDIRECT) -> Iterator[Canaille]:
    """A provider with PEOPLE, who are sent back to `redirect`."""
    key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
    script = Path(__file__).with_name("signon_process.py")
    if find_spec("canaille") is None:
        pytest.fail("no provider: make develop, or pip install canaille[oidc,front]")
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        wanted = asdict(Wanted({**key.as_dict(private=True)}, redirect=redirect))
        process.stdin.write(json.dumps(wanted).encode() + b"\n")
        process.stdin.flush()
        port = process.stdout.readline().decode().strip()
        assert port, f"the provider ended with {process.wait()}"
        yield Canaille(f"http://127.0.0.1:{port}/", key)
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()


@pytest.fixture(scope="session")
def canaille() -> Iterator[Canaille]:
    """A provider for tests that leave it as it is."""
    with running_canaille() as provider:
        yield provider


class _Stay(HTTPRedirectHandler):
    """A browser that says where it is sent, rather than going there."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _load(opener: Any, request: Request) -> tuple[str, str]:
    try:
        with opener.open(request) as response:
            return "", response.read().decode()
    except HTTPError as error:
        with error:
            return error.headers.get("Location", ""), error.read().decode()


def _fields(page: str) -> Mapping[str, str]:
    found = {}
    for tag in re.findall(r"<input[^>]*>", page):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            found[name[1]] = value[1] if value else ""
    return found


def _known(typed: Mapping[str, str], page: str) -> Mapping[str, str]:
    return {name: value for name, value in typed.items() if name in _fields(page)}
