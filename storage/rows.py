"""From result rows to frozen values whose fields are the columns, and rows that may be there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import Result, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Value = TypeVar("Value")


def every(kind: type[Value], result: Result[Any]) -> list[Value]:
    """All rows as values."""
    return [kind(**row) for row in result.mappings()]


def at_most_one(kind: type[Value], result: Result[Any]) -> Value | None:
    """The only row as a value, or None; two rows are an error of the query."""
    row = result.mappings().one_or_none()
    return None if row is None else kind(**row)


async def insert_missing(tx: AsyncConnection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row if none of its key is there, whoever else does so at this moment."""
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    await tx.execute(insert(table).values(row).on_conflict_do_nothing())
