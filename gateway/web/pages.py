"""Every page and what it loads, as operations: read, rendered and put in both languages at start.

A text that a template lacks, or a value that it misses, is found then, and not by a reader.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.api.problems import language
from gateway.api.routing import Operations
from gateway.privacy.completeness import EXPECTED, SAID, SLOTS
from gateway.web.assets import FOR_EVER, MEDIA_TYPES, Assets
from gateway.web.catalogue import parse

TEMPLATES = Path(__file__).parent / "templates"
LOCALE = Path(__file__).parent / "locale"
LANGUAGES: Mapping[str, str] = {"en": "English", "nl": "Nederlands"}
"""What the pages speak: each language by its own name."""
LANGUAGE_COOKIE = "language"
POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",  # data: is the QR code of an authenticator app
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
SHOWING = (  # on pages that show scans and photos, besides
    *(each for each in POLICY if not each.startswith(("img-src", "trusted-types"))),
    "img-src 'self' data: blob:",  # blob: is a photo in memory
    "worker-src 'self'",
    "trusted-types worker",  # the one address of the worker (modules/viewer)
)
HEADERS: Mapping[str, str] = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Vary": "Accept-Language, Cookie",
}
"""On every page, besides what is on every answer."""

Answer = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page: where it is, its template, and the module that brings it to life.

    Attributes:
        shows: Whether it shows scans and photos.
    """

    path: str
    name: str
    shows: bool = False


PAGES = (
    Page("/", "home"),
    Page("/sign-in", "signin"),
    Page("/sign-on", "signon"),
    Page("/welcome", "welcome"),
    Page("/forgotten", "forgotten"),
    Page("/reset", "reset"),
    Page("/account", "account"),
    Page("/people", "people"),
    Page("/notices", "notices"),
    Page("/api-docs", "apidocs"),
    Page("/work", "work"),
    Page("/planning", "planning"),
    Page("/alerts", "alerts"),
    Page("/cases", "caselist"),
    Page("/cases/new", "newcase", shows=True),
    Page("/cases/{case_id}", "case", shows=True),
)


@cache
def pages() -> Operations:
    """The pages and their assets, declared. They say nothing of anybody, so they are no events."""
    operations, assets = Operations(), Assets.read()
    for page in PAGES:
        operations.add("GET", page.path, action=None, media_type="text/html")(_shown(page, assets))
    for name, content in assets.files.items():
        media_type = MEDIA_TYPES[Path(name).suffix]
        declare = operations.add("GET", f"{assets.prefix}/{name}", action=None)
        declare(_kept(content, media_type))
    return operations


def render(page: Page, tongue: str, assets: Assets) -> str:
    """A page in a language."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    source = LOCALE / f"{tongue}.po"
    texts = parse(source.read_text("utf-8")) if tongue != "en" else {}
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        lambda text: texts.get(text, text), lambda one, many, n: one if n == 1 else many
    )
    template = environment.get_template(f"{page.name}.html")
    return template.render(
        assets=assets.prefix,
        language=tongue,
        languages=LANGUAGES,
        name=page.name,
        path=page.path,
        expected=EXPECTED,
        slots=SLOTS,
        said=SAID,
    )


def chosen(request: web.Request) -> str:
    """The reader's language: as they chose on a page, else as their browser prefers."""
    picked = request.cookies.get(LANGUAGE_COOKIE, "")
    return picked if picked in LANGUAGES else language(request)


def _shown(page: Page, assets: Assets) -> Answer:
    rendered = {tongue: render(page, tongue, assets) for tongue in LANGUAGES}
    policy = "; ".join(SHOWING if page.shows else POLICY)

    async def show(request: web.Request) -> web.Response:
        """Show a page."""
        tongue = chosen(request)
        headers = {**HEADERS, "Content-Security-Policy": policy, "Content-Language": tongue}
        return web.Response(text=rendered[tongue], content_type="text/html", headers=headers)

    return show


def _kept(content: bytes, media_type: str) -> Answer:
    async def give(request: web.Request) -> web.Response:  # noqa: ARG001 - the same for everybody
        """Give what pages load."""
        return web.Response(
            body=content,
            content_type=media_type,
            charset="utf-8",
            headers={"Cache-Control": FOR_EVER},
        )

    return give
