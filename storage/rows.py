"""From result rows to frozen values whose fields are the columns."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import Result

Value = TypeVar("Value")


def every(kind: type[Value], result: Result[Any]) -> list[Value]:
    """All rows as values."""
    return [kind(**row) for row in result.mappings()]


def at_most_one(kind: type[Value], result: Result[Any]) -> Value | None:
    """The only row as a value, or None; two rows are an error of the query."""
    row = result.mappings().one_or_none()
    return None if row is None else kind(**row)
