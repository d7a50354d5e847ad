"""Which events an export takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.cli.export import Wanted
from tests.gateway.exports.ground import entry


def test_the_last_day_ends_at_midnight_where_the_reader_is() -> None:
    day = datetime(2026, 3, 1)  # noqa: DTZ001 - as typed: where the reader is
    midnight = (day + timedelta(days=1)).astimezone(UTC)
    wanted = Wanted((), day, day)

    assert wanted.take(entry(at=day.astimezone(UTC)))
    assert wanted.take(entry(at=midnight - timedelta(microseconds=1)))
    assert wanted.take(entry(at=midnight)) is None
    assert wanted.take(entry(at=day.astimezone(UTC) - timedelta(microseconds=1))) is None
    assert wanted.events == 2
