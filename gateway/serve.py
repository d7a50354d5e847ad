"""Serving: one process or several, until told to stop; and what the process keeps to itself."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import asdict
from importlib.metadata import version
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

import structlog
import uvloop
from aiohttp import http_parser, web

from gateway.access.actors import system
from gateway.access.policy import Action
from gateway.api.context import BODIES
from gateway.api.server import make_runner
from gateway.app import migrate, open_rooms
from gateway.errors import InvalidInputError, UnavailableError
from gateway.process import configure_log, keep_to_itself
from gateway.providers import open_provider
from gateway.rooms import Rooms
from gateway.settings import Settings, settings_changed
from gateway.web.pages import pages

GRACE_SECONDS = 10.0  # for requests in flight; then what arrived is made durable and they end
BACKLOG = 1024

log = structlog.get_logger()

Listening = Callable[[str], None]


def run_server(settings: Settings, passphrase: str, listening: Listening) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: Where and how.
        passphrase: Unlocks the keyring.
        listening: Told the address once requests are answered.

    Raises:
        UnavailableError: Background work broke beyond repair, such as a log that is not what was
            signed. The log of the process says what.
        InvalidInputError: `host` is not loopback, and no proxy is trusted to end TLS in front.
    """
    keep_to_itself()
    configure_log()
    _check_parser()
    asyncio.run(migrate(settings))
    with _listen(settings) as listener:
        address = _address(listener)
        if settings.workers == 1:
            _run(serve(settings, passphrase, listener, lambda: listening(address)))
        else:
            # A token locks itself after a few wrong PINs: one process tries, and not each of many.
            _run(_try_keys(settings, passphrase))
            _Supervisor(settings, passphrase, listener).run(lambda: listening(address))


async def _try_keys(settings: Settings, passphrase: str) -> None:
    provider = await open_provider(settings, passphrase)
    try:
        await provider.check()
    finally:
        await provider.close()


async def serve(
    settings: Settings, passphrase: str, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Serve in this process until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with open_rooms(settings, passphrase) as rooms, working(rooms) as work, noted(rooms):
        runner = make_runner(rooms.services, GRACE_SECONDS, pages())
        await runner.setup()
        try:
            site = web.SockSite(runner, listener, backlog=BACKLOG)
            await site.start()
            ready()
            stopped = asyncio.ensure_future(stop.wait())
            await asyncio.wait({stopped, work}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                raise UnavailableError
            # Refused at once, new clients can go elsewhere; in the backlog they would wait in vain.
            await site.stop()
            listener.close()
            runner.app[BODIES].end()
        finally:
            await runner.cleanup()


@contextlib.asynccontextmanager
async def working(rooms: Rooms) -> AsyncIterator[asyncio.Task[None]]:
    """Run what no request starts: sequencer, witnesses, inspection, erasure, sweep, heartbeat.

    Yields:
        A task that ends only if one of them broke beyond repair (such as a log that is not what
        was signed): then the server must stop.
    """
    end = asyncio.Event()
    await rooms.heartbeat.beat()
    async with rooms.pool:
        log.info("confinement", **asdict(await rooms.pool.start()))
        sequencing = asyncio.create_task(rooms.sequencer.run(end, rooms.access_log.appended))
        work = asyncio.create_task(_work(rooms, sequencing), name="background")
        try:
            yield work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await rooms.erasures.leave()
            end.set()
            await asyncio.gather(sequencing, return_exceptions=True)
            await rooms.heartbeat.leave()


@contextlib.asynccontextmanager
async def noted(rooms: Rooms) -> AsyncIterator[None]:
    """Log that serving begins and ends, and which settings changed since it last began.

    Raises:
        UnavailableError: The log cannot be written, so nothing is served.
    """
    access, server = rooms.services.access, system("server")
    changed, remember = settings_changed(rooms.settings)
    if changed:
        await access.note(server, Action.SETTINGS_CHANGE, refused=False, settings=changed)
        # A crash before this logs the change once more.
        remember()
    await access.note(server, Action.HOUSE_START, refused=False, version=version("kluis"))
    try:
        yield
    finally:
        await access.note(server, Action.HOUSE_STOP, refused=False)


async def _work(rooms: Rooms, sequencing: asyncio.Task[None]) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(rooms.heartbeat.run())
            tasks.create_task(rooms.inspector.run())
            tasks.create_task(rooms.erasures.run())
            tasks.create_task(rooms.cosigning.run())
            tasks.create_task(
                rooms.log_keys.run(rooms.services.access, rooms.settings.log_key_days)
            )
            tasks.create_task(rooms.reconciliation.run())
            tasks.create_task(rooms.retention.run())
            tasks.create_task(rooms.schedule.run())
            tasks.create_task(rooms.watching.run())
            if rooms.syslog is not None:
                tasks.create_task(rooms.syslog.run())
            tasks.create_task(rooms.sender.run())
            tasks.create_task(rooms.digest.run())
            tasks.create_task(rooms.services.measures.run())
            tasks.create_task(rooms.services.recoveries.run())
            tasks.create_task(rooms.services.links.run())
            tasks.create_task(_sweep(rooms))
            await asyncio.shield(sequencing)
    except* Exception as broken:  # noqa: BLE001 - the server stops; this says why
        for error in broken.exceptions:
            log.critical("broken", error=type(error).__name__, code=getattr(error, "code", None))


async def _sweep(rooms: Rooms) -> None:
    while True:
        try:
            await rooms.sweeper.sweep()
        except Exception as error:  # noqa: BLE001 - what it leaves, the next one finds
            log.error("sweep_failed", error=type(error).__name__)
        await asyncio.sleep(rooms.settings.sweep_minutes * 60)


def _run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def _listen(settings: Settings) -> socket.socket:
    if not _is_loopback(settings.host) and not settings.trusted_proxies:
        reason = "plain HTTP stays on loopback; name the proxy that ends TLS in trusted_proxies"
        raise InvalidInputError(field="host", reason=reason)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = f"cannot listen there ({error.strerror}); choose another one"
        raise InvalidInputError(field="port", reason=reason) from None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Supervisor:
    """Several serving processes on one socket; one that is killed is replaced."""

    def __init__(self, settings: Settings, passphrase: str, listener: socket.socket) -> None:
        self._given = (settings, passphrase, listener)
        self._children: dict[SpawnProcess, Connection] = {}
        self._ending = False
        self._failed = False

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until a signal. Raises UnavailableError if a process gave up by itself."""
        for _ in range(self._given[0].workers):
            self._start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        if all(_is_ready(connection) for connection in self._children.values()):
            ready()
        while self._children:
            wait([child.sentinel for child in self._children])
            for child in [child for child in self._children if not child.is_alive()]:
                self._children.pop(child).close()
                if not self._ending:
                    self._replace(child)
        if self._failed:
            raise UnavailableError

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        child = spawn.Process(target=_child, args=(*self._given, theirs))
        child.start()
        theirs.close()
        self._children[child] = ours

    def _replace(self, child: SpawnProcess) -> None:
        log.critical("process_ended", code=child.exitcode)
        if child.exitcode is not None and child.exitcode < 0:
            self._start()
        else:
            # It gave up by itself, and said why: another one would do the same.
            self._failed = True
            self._end(signal.SIGTERM, None)

    def _end(self, number: int, _frame: object) -> None:
        self._ending = True
        self._given[2].close()  # ours alone: each process closes its own
        for child in self._children:
            if child.pid is not None and child.is_alive():
                os.kill(child.pid, number)


def _is_ready(connection: Connection) -> bool:
    try:
        return bool(connection.recv())
    except EOFError:
        return False


def _child(
    settings: Settings, passphrase: str, listener: socket.socket, parent: Connection
) -> None:
    keep_to_itself()
    configure_log()
    _run(serve(settings, passphrase, listener, lambda: parent.send(True)))


def _check_parser() -> None:
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        sys.exit(
            "kluis: aiohttp runs without its C parser, whose Python twin has let smuggled "
            "requests through; reinstall aiohttp from a wheel for this platform"
        )
