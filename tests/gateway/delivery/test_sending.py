"""Notices: written with what they tell of, sent at least once, by one node at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from gateway.access.notices import tell
from gateway.delivery.sending import KEPT, Sender
from gateway.delivery.webhook import Webhooks
from gateway.errors import UnavailableError
from gateway.ids import now
from gateway.mail.post import Mail, Post
from gateway.settings import Settings
from storage.database import Database
from storage.schema import notices
from tests.gateway.ground import SQLITE, break_the_log, change, logged, until
from tests.house import House, ServerProcess, open_house
from tests.mail import Mailbox, by_mail, house_with_mail, mail_server


@pytest.fixture
async def posted(settings: Settings) -> AsyncIterator[tuple[House, Mailbox]]:
    async with house_with_mail(settings) as opened:
        yield opened


async def waiting(house: House) -> int:
    async with house.rooms.main.reading() as connection:
        return await connection.scalar(select(func.count()).select_from(notices)) or 0


async def write(house: House, kind: str = "password_changed", **to: str) -> None:
    async with house.rooms.main.transaction() as tx:
        await tell(tx, kind, **(to or {"account_id": house.dentist.id}))


async def test_a_notice_leaves_once_and_the_log_says_so(posted: tuple[House, Mailbox]) -> None:
    house, box = posted
    await write(house)
    arrived = await box.next_to(house.dentist.email)

    assert "Your password was changed" in arrived.message["Subject"]

    async def is_forgotten() -> bool:
        return await waiting(house) == 0

    await until(is_forgotten)
    [asked, done] = await logged(house, "notice.send")
    assert (asked["event"]["stage"], done["event"]["stage"]) == ("authorised", "outcome")
    assert done["event"]["detail"]["to"] == house.dentist.id
    assert done["event"]["detail"]["sent"] is True
    assert len(box.arrived) == 1


@SQLITE
async def test_a_notice_of_what_did_not_happen_is_not_there(posted: tuple[House, Mailbox]) -> None:
    house, _ = posted

    async def fail() -> None:
        async with house.rooms.main.transaction() as tx:
            await tell(tx, "password_changed", account_id=house.dentist.id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await waiting(house) == 0


@SQLITE
async def test_each_reads_it_in_their_language_and_a_practice_in_both(
    posted: tuple[House, Mailbox],
) -> None:
    house, box = posted
    await change(house, "UPDATE accounts SET language = 'nl' WHERE id = :id", id=house.dentist.id)
    await write(house)
    async with house.rooms.main.transaction() as tx:
        await tell(
            tx,
            "emergency_access",
            controller_id=house.practice.id,
            case="01900000-0000-7000-8000-000000000002",
            until=now(),
        )

    dutch = await box.next_to(house.dentist.email)
    both = await box.next_to(house.practice.email)
    assert "Uw wachtwoord is" in dutch.text
    assert "Your password" not in dutch.text
    assert "01900000-0000-7000-8000-000000000002" in both.text
    assert "iemand van het laboratorium" in both.text
    assert "in an emergency" in both.message["Subject"]


@pytest.fixture
async def quiet(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[House, Mailbox, Sender]]:
    """A house whose own sender rests, and a sender beside it."""

    async def rest(_: Sender) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Sender, "run", rest)
    async with mail_server() as box, open_house(settings) as house:
        post = Post(by_mail(settings, box))
        access = house.rooms.services.access
        yield house, box, Sender(house.rooms.main, access, post, Webhooks(settings))


async def make_due(house: House) -> None:
    await change(house, "UPDATE notices SET due_at = created_at")


async def test_two_nodes_that_send_at_a_time_send_each_notice_once(
    quiet: tuple[House, Mailbox, Sender],
) -> None:
    house, box, sender = quiet
    for _ in range(6):
        await write(house)

    async def drain() -> None:
        while await sender.send_one():
            pass

    await asyncio.gather(drain(), drain(), drain())

    assert len(box.arrived) == 6
    assert len({mail.message["Message-ID"] for mail in box.arrived}) == 6
    assert await waiting(house) == 0


async def test_what_a_crash_leaves_between_sending_and_saying_so_is_sent_again(
    quiet: tuple[House, Mailbox, Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, box, sender = quiet
    await write(house)
    await make_due(house)

    async def die(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(Sender, "_end", die)
        with pytest.raises(asyncio.CancelledError):
            await sender.send_one()
    assert await waiting(house) == 1
    assert not await sender.send_one()  # it is claimed still
    await make_due(house)
    assert await sender.send_one()

    first, again = box.arrived
    assert first.message["Message-ID"] == again.message["Message-ID"]
    assert await waiting(house) == 0


async def test_a_notice_that_does_not_leave_is_tried_later_and_later_and_dead_after_a_week(
    quiet: tuple[House, Mailbox, Sender],
) -> None:
    house, box, sender = quiet
    box.answer = "451 later"
    await write(house)
    await change(house, "UPDATE notices SET attempts = 0, due_at = created_at")
    pauses = []
    for _ in range(8):
        await make_due(house)
        assert await sender.send_one()
        async with house.rooms.main.reading() as connection:
            due = await connection.scalar(select(notices.c.due_at))
        assert due is not None
        pauses.append(due - now())

    assert pauses[0] < pauses[2] < pauses[4] < pauses[-1]
    assert timedelta(seconds=30) < pauses[0] < timedelta(minutes=2)
    assert timedelta(minutes=50) < pauses[-1] <= timedelta(hours=1)

    old = int(KEPT / timedelta(microseconds=1))
    await change(house, f"UPDATE notices SET created_at = created_at - {old}, due_at = 0")
    assert await sender.send_one()
    assert await waiting(house) == 1
    assert not await sender.send_one()  # nor ever, by itself
    assert box.arrived == []
    assert (await logged(house, "notice.send"))[-1]["event"]["detail"]["sent"] is False


@SQLITE
async def test_while_the_log_takes_nothing_no_notice_is_forgotten(
    quiet: tuple[House, Mailbox, Sender],
) -> None:
    house, box, sender = quiet
    await write(house)
    await make_due(house)
    await break_the_log(house)

    with pytest.raises(UnavailableError):
        await sender.send_one()

    assert len(box.arrived) == 1
    assert await waiting(house) == 1


@SQLITE
async def test_a_notice_to_a_closed_account_goes_to_the_address_it_had(
    quiet: tuple[House, Mailbox, Sender],
) -> None:
    house, box, sender = quiet
    await write(house, "account_closed", address="gone@people.invalid")
    await make_due(house)
    await sender.send_one()

    assert [mail.recipients for mail in box.arrived] == [("gone@people.invalid",)]


async def test_a_message_shows_neither_its_text_nor_a_secret_where_it_is_printed() -> None:
    mail = Mail("1", "who@people.invalid", text=None)  # type: ignore[arg-type]

    assert "text" not in repr(mail)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_node_that_is_killed_with_a_notice_in_hand_leaves_it_to_the_next_one(
    settings: Settings,
) -> None:
    async with mail_server() as box:
        chosen = by_mail(settings, box)
        names = ("smtp_host", "smtp_port", "smtp_tls", "mail_from", "public_url")
        lines = [f"{name} = {json.dumps(getattr(chosen, name))}\n" for name in names]
        (settings.data / "kluis.toml").write_text("".join(lines))
        box.held = asyncio.Event()
        async with open_house(settings) as house:
            await write(house)
            to = house.dentist.email
        await due_again(settings)
        server = await ServerProcess.start(settings)
        try:
            first = await box.next_to(to)  # the server waits to hear that it was taken
        finally:
            await server.kill()
        box.held.set()
        await due_again(settings)
        other = await ServerProcess.start(settings)
        try:
            again = await box.next_to(to, 2)
        finally:
            assert await other.stop() == 0

    assert first.message["Message-ID"] == again.message["Message-ID"]


async def due_again(settings: Settings) -> None:
    """As if the pause after a claim were over, of a notice that is there still."""
    database = Database(settings.main_database, "main")
    async with database.transaction() as tx:
        found = await tx.execute(update(notices).values(due_at=notices.c.created_at))
        assert found.rowcount == 1
    await database.close()
