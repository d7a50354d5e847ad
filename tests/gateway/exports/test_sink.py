"""The log goes to the syslog receiver, every event at least once, whatever breaks."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from gateway.exports import sink
from gateway.exports.sink import SyslogSink
from gateway.ids import now
from gateway.settings import Settings
from storage.accesslog.feed import events_from
from storage.database import Database
from storage.schema import events
from tests.gateway.exports.ground import Authority, SyslogServer
from tests.house import WAIT_SECONDS, open_house
from tests.storage.accesslog.log_ground import Ground, event


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def server(authority: Authority) -> AsyncIterator[SyslogServer]:
    async with SyslogServer().listening(authority.server_context()) as listening:
        yield listening


@pytest.fixture
def ground(database: Database, data_directory: Path) -> Ground:
    return Ground(database, data_directory)


def sink_of(ground: Ground, server: SyslogServer, authority: Authority) -> SyslogSink:
    receiver = server.receiver(authority.path)
    return SyslogSink(ground.database, receiver, ground.directory / "position.json", "node-1", now)


async def logged(ground: Ground, first: int, last: int) -> None:
    """Events of these numbers, with their places in the tree."""
    await ground.write([event(number) for number in range(first, last + 1)])
    ground.time += timedelta(minutes=1)  # the lease of the one before has run out
    await ground.sequencer().step()


def ids(server: SyslogServer) -> list[str]:
    texts = [message.partition(b"] ")[2] for message in server.messages]
    return [json.loads(text)["event"]["id"] for text in texts]


def names(first: int, last: int) -> list[str]:
    return [f"event-{number:08}" for number in range(first, last + 1)]


async def test_each_event_goes_out_once_in_the_order_of_the_log(
    ground: Ground, server: SyslogServer, authority: Authority
) -> None:
    await logged(ground, 1, 5)
    follower = sink_of(ground, server, authority)

    assert await follower.step() == 5
    assert await follower.step() == 0
    await logged(ground, 6, 7)
    assert await follower.step() == 2

    assert ids(server) == names(1, 7)


async def test_a_restart_goes_on_where_it_was(
    ground: Ground, server: SyslogServer, authority: Authority
) -> None:
    await logged(ground, 1, 3)
    await sink_of(ground, server, authority).step()
    await logged(ground, 4, 5)

    assert await sink_of(ground, server, authority).step() == 2
    assert ids(server) == names(1, 5)
    kept = ground.directory / "position.json"
    assert kept.stat().st_mode & 0o777 == 0o600


async def test_what_was_not_confirmed_is_sent_again(
    ground: Ground, server: SyslogServer, authority: Authority
) -> None:
    await logged(ground, 1, 4)
    follower = sink_of(ground, server, authority)
    server.takes = 2
    with pytest.raises(OSError, match=r".*"):
        await follower.step()
    server.takes = None

    assert await follower.step() == 4
    assert ids(server) == names(1, 2) + names(1, 4)


async def test_a_crash_before_the_position_is_kept_repeats_and_loses_nothing(
    ground: Ground,
    server: SyslogServer,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await logged(ground, 1, 2)

    def crash(_path: Path, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(sink, "replace_file", crash)
        with pytest.raises(OSError, match="no space"):
            await sink_of(ground, server, authority).step()

    await sink_of(ground, server, authority).step()
    assert ids(server) == names(1, 2) * 2


async def test_another_receiver_gets_the_log_from_its_first_event(
    ground: Ground, server: SyslogServer, authority: Authority
) -> None:
    await logged(ground, 1, 3)
    await sink_of(ground, server, authority).step()

    async with SyslogServer().listening(authority.server_context()) as other:
        await sink_of(ground, other, authority).step()

        assert ids(other) == names(1, 3)


async def test_an_event_without_a_place_waits_and_a_pruned_one_is_left_out(
    ground: Ground, server: SyslogServer, authority: Authority
) -> None:
    await logged(ground, 1, 4)
    await ground.write([event(5)])
    async with ground.database.transaction() as tx:
        pruned = update(events).where(events.c.id == "event-00000002")
        await tx.execute(pruned.values(record=None, salt=None))

    assert await sink_of(ground, server, authority).step() == 3
    assert ids(server) == ["event-00000001", "event-00000003", "event-00000004"]


async def test_a_long_log_comes_in_pieces(ground: Ground) -> None:
    await logged(ground, 1, 7)

    async with ground.database.reading() as connection:
        first = await events_from(connection, 0, 4)
        rest = await events_from(connection, 4, 4)

    assert [found.index for found in (*first, *rest)] == list(range(7))
    assert [found.record["event"]["id"] for found in (*first, *rest)] == names(1, 7)


async def test_one_process_sends_at_a_time_and_hands_over_when_it_stops(
    ground: Ground, server: SyslogServer, authority: Authority
) -> None:
    await logged(ground, 1, 3)
    follower = sink_of(ground, server, authority)
    leading = asyncio.create_task(follower.run())
    async with asyncio.timeout(WAIT_SECONDS):
        await server.arrived.wait()

    assert await follower._lease("another") is None
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    assert await follower._lease("another") is not None


async def test_a_receiver_that_comes_back_gets_what_it_missed(
    ground: Ground,
    server: SyslogServer,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sink, "PATIENCE", 0.0)
    await logged(ground, 1, 3)
    server.takes = 1
    following = asyncio.create_task(sink_of(ground, server, authority).run())
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await server.arrived.wait()
            server.takes = None
            while ids(server)[-3:] != names(1, 3):
                server.arrived.clear()
                await server.arrived.wait()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_a_serving_house_sends_its_log(
    settings: Settings, server: SyslogServer, authority: Authority
) -> None:
    chosen = settings.model_copy(
        update={
            "syslog_tls_address": f"127.0.0.1:{server.port}",
            "syslog_ca_file": authority.path,
        }
    )

    async with open_house(chosen) as house:
        case_id = await house.dentist.new_case()
        async with asyncio.timeout(WAIT_SECONDS):
            while not any(case_id.encode() in message for message in server.messages):
                server.arrived.clear()
                await server.arrived.wait()

    assert b"Proefpersoon" not in b"".join(server.messages)


async def test_a_house_without_a_receiver_sends_nothing(settings: Settings) -> None:
    async with open_house(settings) as house:
        assert house.rooms.syslog is None
    assert not settings.syslog_position_path.exists()
