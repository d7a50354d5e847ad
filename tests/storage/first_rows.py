"""Rows that others hang on: a practice, an account, a case, an upload."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from storage import accounts, cases, files
from storage.accounts import Account, Controller
from storage.cases import Case
from storage.database import Database
from storage.files import File

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
_numbers = count(1)


def new_id(kind: str) -> str:
    """An id that tells what it is of; ids grow."""
    return f"{kind}-{next(_numbers):04d}"


@dataclass(frozen=True)
class Practice:
    """A practice with one account, in whose name everything is made."""

    database: Database
    id: str
    account_id: str

    async def add_case(self, pseudonym: str | None = None, state: str = "draft") -> str:
        """A case; its id."""
        case = Case(
            new_id("case"),
            self.id,
            new_id("key"),
            pseudonym,
            state,
            "aligner",
            self.account_id,
            NOW,
        )
        async with self.database.transaction() as tx:
            await cases.add(tx, case)
        return case.id

    async def add_file(self, case_id: str, state: str = "receiving", **more: object) -> File:
        """A file of a case."""
        file = File(
            id=new_id("file"),
            case_id=case_id,
            controller_id=self.id,
            kind="scan",
            state=state,
            created_by=self.account_id,
            created_at=NOW,
            length=100,
            **more,  # type: ignore[arg-type]
        )
        async with self.database.transaction() as tx:
            await files.add(tx, file)
        return file


async def practice(database: Database) -> Practice:
    """A new practice."""
    made = Practice(database, new_id("practice"), new_id("account"))
    async with database.transaction() as tx:
        await accounts.add_controller(tx, Controller(made.id, "North", "mail@north.invalid", NOW))
        email = f"{made.account_id}@people.invalid"
        await accounts.add_account(tx, Account(made.account_id, email, "dentist", made.id, NOW))
    return made
