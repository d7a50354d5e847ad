"""Having the log's checkpoints cosigned by witnesses (c2sp.org/tlog-witness).

A witness remembers the last checkpoint it saw of a log, and cosigns only what extends it. So a log
that shows one history here and another there needs a second one of every witness that its readers
require. Whatever goes wrong here is logged and tried again: no witness can hold the log back.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import InvalidInputError
from gateway.ids import now
from keys.errors import SignatureError
from keys.signing import Cosigner
from storage import leases
from storage.accesslog import publishing
from storage.accesslog.proof import Submission
from storage.accesslog.publishing import Published
from storage.database import Database

INTERVAL = 1.0  # seconds between two looks for a new checkpoint
RETRY = 30.0  # seconds at the most until a witness that failed is asked again
TIMEOUT = ClientTimeout(total=10.0)
ANSWER_LIMIT = 64 * 1024  # bytes; sixteen post-quantum signature lines fit
LEASE = "cosigning"
LIFETIME = timedelta(seconds=30)  # of the lease; renewed at half of it

_SIZE = re.compile(r"(0|[1-9][0-9]{0,17})\n")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Witness:
    """One that is asked.

    Attributes:
        cosigner: Its public key.
        url: Its submission prefix. What goes there is public and what comes back is signed.
    """

    cosigner: Cosigner
    url: str

    @classmethod
    def parse(cls, entry: str) -> Witness:
        """Read an entry of the setting `witnesses`: verifier key, space, address.

        Raises:
            InvalidInputError: It is not that.
        """
        key, _, url = entry.partition(" ")
        try:
            cosigner = Cosigner.parse(key)
        except SignatureError:
            reason = "an entry begins with a verifier key of a witness"
            raise InvalidInputError(field="witnesses", reason=reason) from None
        if not url.startswith(("https://", "http://")) or not url.isprintable() or " " in url:
            reason = "behind the verifier key stands one https:// or http:// address"
            raise InvalidInputError(field="witnesses", reason=reason)
        return cls(cosigner, url.rstrip("/"))


class RefusedError(Exception):
    """A witness did not cosign; never leaves this module's loop."""

    def __init__(self, status: int, known: int | None = None) -> None:
        """Keep the HTTP status, and the size that the witness says it knows."""
        super().__init__(f"status {status}")
        self.status = status
        self.known = known


class Cosigning:
    """Asks every witness for every new checkpoint; of all processes only the one with the lease."""

    def __init__(self, main: Database, witnesses: Sequence[Witness], node_id: str) -> None:
        """Ask these witnesses; nothing is read or sent yet."""
        self._main = main
        self._witnesses = witnesses
        self._holder = f"{node_id}/{secrets.token_hex(8)}"
        self._lease: leases.Lease | None = None
        self._renew_at: datetime | None = None

    async def run(self) -> None:
        """Ask until cancelled; ends at once where there is nobody to ask."""
        try:
            async with self._session() as session, asyncio.TaskGroup() as tasks:
                for witness in self._witnesses:
                    tasks.create_task(self._keep_asking(session, witness))
        finally:
            await self._let_go()

    async def step(self) -> None:
        """Have the last checkpoint cosigned by every witness that has not yet.

        Raises:
            RefusedError: A witness did not.
            SignatureError: What it answered is not its cosignature.
        """
        async with self._session() as session:
            for witness in self._witnesses:
                await self._ask(session, witness)

    @staticmethod
    def _session() -> ClientSession:
        return ClientSession(timeout=TIMEOUT, cookie_jar=DummyCookieJar())

    async def _keep_asking(self, session: ClientSession, witness: Witness) -> None:
        pause = INTERVAL
        while True:
            try:
                if await self._leads():
                    await self._ask(session, witness)
                pause = INTERVAL
            except Exception as problem:  # noqa: BLE001 - it is asked again; the log goes on
                pause = min(2 * pause, RETRY)
                _log.warning(
                    "witness_failed",
                    witness=witness.cosigner.name,
                    error=type(problem).__name__,
                    # 409 or 422: the witness knows another log than this one.
                    status=getattr(problem, "status", None),
                    known=getattr(problem, "known", None),
                )
            await asyncio.sleep(pause)

    async def _leads(self) -> bool:
        moment = now()
        if self._renew_at is None or moment >= self._renew_at:
            self._renew_at = moment + LIFETIME / 2
            self._lease = await leases.acquire(self._main, LEASE, self._holder, LIFETIME, moment)
        return self._lease is not None

    async def _let_go(self) -> None:
        if self._lease is not None:
            # The database may be what we are stopping for; the lease then runs out by itself.
            with contextlib.suppress(SQLAlchemyError, OSError):
                await leases.release(self._main, self._lease)

    async def _ask(self, session: ClientSession, witness: Witness) -> None:
        key = witness.cosigner.vkey
        async with self._main.reading() as connection:
            last = await publishing.newest(connection)
            size = await publishing.cosigned_size(connection, key)
        if last is None or last.size == size:
            return
        try:
            answer = await self._submit(session, witness, last, size)
        except RefusedError as refused:
            # It lost our last one, or we its answer. A larger size than ours is no such thing:
            # the log was rolled back.
            if refused.known is None or refused.known > last.size:
                raise
            answer = await self._submit(session, witness, last, refused.known)
        cosignature = witness.cosigner.cosignature(last.note + answer)
        async with self._main.transaction() as tx:
            await publishing.keep_cosignature(tx, last.size, key, cosignature.line)

    async def _submit(
        self, session: ClientSession, witness: Witness, last: Published, old_size: int
    ) -> str:
        async with self._main.reading() as connection:
            hashes = await publishing.consistency_proof(connection, old_size, last.size)
        body = Submission(old_size, hashes, last.note).text().encode()
        async with session.post(
            f"{witness.url}/add-checkpoint", data=body, allow_redirects=False
        ) as response:
            text = await _read(response)
        if response.status == 200:  # noqa: PLR2004
            return text
        known = _SIZE.fullmatch(text) if response.status == 409 else None  # noqa: PLR2004
        raise RefusedError(response.status, int(known[1]) if known else None)


async def _read(response: ClientResponse) -> str:
    raw = bytearray()
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > ANSWER_LIMIT:
            raise RefusedError(response.status)
    return raw.decode("utf-8", "replace")
