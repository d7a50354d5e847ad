"""`make bench-pages`: opens the same plain files with both viewers in turn, and prints a table.

Both get the file from one server on loopback. Time runs from the call that opens it until the
second frame after the viewer says that it is drawn; the longest task is what a reader would have
waited for an answer to a key. Weights are what a page loads, before compression and after.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import re
import shutil
import statistics
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser, async_playwright

from gateway.cli.sample import scan
from gateway.inspection.inspect import inspect
from gateway.inspection.report import Limits
from gateway.web.assets import MEDIA_TYPES, Assets
from gateway.web.pages import PAGES, SHOWING, render

PEER = Path(__file__).parent / "node_modules/online-3d-viewer/build/engine/o3dv.min.js"
FLAGS = (
    *("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--disable-background-networking", "--no-first-run"),
)
TRIANGLES = (100_000, 400_000, 800_000)
PATIENCE_MS = 180_000
WATCH = """globalThis.longest = 0;
new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => {
  globalThis.longest = Math.max(globalThis.longest, duration);
})).observe({ type: "longtask" });
globalThis.frames = () => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))));
"""
OURS = """async ({ assets, path, report }) => {
  const { Viewer } = await import(`${assets}/viewer.js`);
  document.getElementById("content").hidden = false;
  const section = document.getElementById("viewer");
  section.hidden = false;
  const viewer = new Viewer(section);
  const load = async () => (await fetch(path, { cache: "no-store" })).arrayBuffer();
  viewer.add({ id: "1", name: "Scan", jaw: null, report, load });
  await frames();
  longest = 0;
  const began = performance.now();
  await viewer.show("1");
  const done = await frames();
  await new Promise((wait) => setTimeout(wait, 100));
  return [done - began, longest];
}"""
THEIRS = """async ({ path }) => {
  const element = document.getElementById("viewer");
  await frames();
  longest = 0;
  const began = performance.now();
  await new Promise((drawn) => {
    const viewer = new OV.EmbeddedViewer(element, { onModelLoaded: drawn });
    viewer.LoadModelFromUrlList([new URL(path, location.href).href]);
  });
  const done = await frames();
  await new Promise((wait) => setTimeout(wait, 100));
  return [done - began, longest];
}"""
THEIR_PAGE = """<!doctype html><title>peer</title><script src="/peer.js"></script>
<div id="viewer" style="width: 900px; height: 500px"></div>"""


@dataclass(frozen=True, slots=True)
class Served:
    """What the server has: addresses, and the reports of scans by address."""

    url: str
    assets: str
    reports: Mapping[str, object]


@asynccontextmanager
async def served(sizes: tuple[int, ...]) -> AsyncIterator[Served]:
    """A server of both pages and of the scans, as the vault keeps them."""
    kept = {f"/scan/{size}.stl": inspect("scan", scan(size, 1), Limits()) for size in sizes}
    assets = Assets.read()
    page = next(page for page in PAGES if page.name == "case")
    app = web.Application()

    def give(path: str, body: bytes, media_type: str, policy: str = "") -> None:
        async def answer(request: web.Request) -> web.Response:  # noqa: ARG001 - all get the same
            headers = {"Content-Security-Policy": policy} if policy else {}
            return web.Response(body=body, content_type=media_type, headers=headers)

        app.router.add_get(path, answer)

    shell = re.sub('<script type="module"[^>]*></script>', "", render(page, "en", assets))
    give("/ours", shell.encode(), "text/html", "; ".join(SHOWING))
    give("/theirs", THEIR_PAGE.encode(), "text/html")
    give("/peer.js", PEER.read_bytes(), "text/javascript")
    for name, content in assets.files.items():
        give(f"{assets.prefix}/{name}", content, MEDIA_TYPES[Path(name).suffix])
    for path, result in kept.items():
        give(path, result.clean, "model/stl")
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        reports = {
            path: json.loads(json.dumps(each.report.to_json())) for path, each in kept.items()
        }
        yield Served(f"http://127.0.0.1:{port}", assets.prefix, reports)
    finally:
        await runner.cleanup()


async def opened(browser: Browser, server: Served, path: str, *, ours: bool) -> tuple[float, float]:
    """Open a scan in a fresh window: ms to the picture, ms of the longest task."""
    context = await browser.new_context()
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(server.url + ("/ours" if ours else "/theirs"))
    await page.evaluate(WATCH)
    known = {"assets": server.assets, "path": path, "report": server.reports[path]}
    taken, longest = await page.evaluate(OURS if ours else THEIRS, known)
    await context.close()
    return taken, longest


def weights() -> str:
    """What each viewer's code weighs."""
    built = Assets.read().files
    ours = built["viewer.js"] + built["scanworker.js"] + built["viewer.css"]
    said = []
    for name, content in (("Kluis", ours), ("online-3d-viewer", PEER.read_bytes())):
        packed = gzip.compress(content)
        said.append(f"{name}: {len(content) / 1e3:.0f} kB, gzip {len(packed) / 1e3:.0f} kB")
    return "; ".join(said)


def loads() -> str:
    """What each page loads by itself: requests and kB, itself and its style included."""
    assets = Assets.read()
    rows = ["| page | requests | kB | gzip |", "|---|---|---|---|"]
    for page in PAGES:
        shown = render(page, "en", assets)
        names = set(re.findall(rf"{assets.prefix}/([\w.-]+)", shown))
        while wanted := {each for name in names for each in imports(assets.files[name])} - names:
            names |= wanted
        sizes = [shown.encode(), *(assets.files[name] for name in sorted(names))]
        whole, packed = sum(map(len, sizes)), sum(len(gzip.compress(each)) for each in sizes)
        rows.append(f"| {page.path} | {len(sizes)} | {whole / 1e3:.0f} | {packed / 1e3:.0f} |")
    return "\n".join(rows)


def imports(module: bytes) -> list[str]:
    """The neighbours that a module names, built or not."""
    return re.findall(r'\bfrom\s*"\./([\w-]+\.js)"', module.decode())


async def main(rounds: int) -> None:
    """Measure in turn, so that a busy machine is as busy for both."""
    rows = [
        loads(),
        weights(),
        "| triangles | Kluis: picture · longest task (ms) | online-3d-viewer |",
    ]
    async with served(TRIANGLES) as server, async_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for path, size in zip(server.reports, TRIANGLES, strict=True):
            ours, theirs = [], []
            for _ in range(rounds):
                ours.append(await opened(browser, server, path, ours=True))
                theirs.append(await opened(browser, server, path, ours=False))
            rows.append(f"| {size} | {middle(ours)} | {middle(theirs)} |")
        await browser.close()
    print("\n".join(rows))  # noqa: T201


def middle(runs: list[tuple[float, float]]) -> str:
    """The median of each."""
    return " · ".join(f"{statistics.median(each):.0f}" for each in zip(*runs, strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    asyncio.run(main(parser.parse_args().rounds))
