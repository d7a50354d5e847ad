"""Links by mail: one use, one purpose, a short life; and no answer that tells who is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from gateway.access.links import Links
from gateway.settings import Settings
from storage.schema import events, links
from tests.gateway.ground import (
    SQLITE,
    Browser,
    change,
    employee,
    logged,
    refused,
    session_of,
    signed_in,
)
from tests.house import API, PASSWORD, Answer, House
from tests.leaks import planted
from tests.mail import PAGES, Mailbox, house_with_mail

pytestmark = pytest.mark.usefixtures("cheap_passwords")

NEW = planted("the new password", "another violet umbrella sings")
WHO = "new-dentist@people.invalid"


@pytest.fixture
async def posted(settings: Settings) -> AsyncIterator[tuple[House, Mailbox]]:
    async with house_with_mail(settings) as opened:
        yield opened


async def manager_of(house: House) -> Browser:
    return await session_of(
        house, (await house.add_person("practice_manager", house.practice.id)).id
    )


async def add(manager: Browser, email: str = WHO, role: str = "dentist") -> Answer:
    answer = await manager.ask("POST", f"{API}/accounts", json={"email": email, "role": role})
    assert answer.status == 201, answer.text
    return answer


async def invite(house: House, email: str = WHO, role: str = "dentist") -> Any:
    return (await add(await manager_of(house), email, role)).json()


async def accept(house: House, secret: str, password: str = NEW) -> Answer:
    body = {"secret": secret, "password": password}
    return await house.stranger.ask("POST", f"{API}/invitations", json=body)


async def ask_reset(house: House, email: str) -> Answer:
    return await house.stranger.ask("POST", f"{API}/password/reset-requests", json={"email": email})


async def reset(house: House, secret: str, password: str = NEW) -> Answer:
    body = {"secret": secret, "password": password}
    return await house.stranger.ask("POST", f"{API}/password/resets", json=body)


async def reset_secret(house: House, box: Mailbox, email: str) -> str:
    assert (await ask_reset(house, email)).status == 202
    return (await box.next_to(email)).secret


@SQLITE
async def test_who_is_invited_chooses_a_password_and_signs_in(
    posted: tuple[House, Mailbox],
) -> None:
    house, box = posted
    invited = await invite(house)
    assert (invited["state"], invited["mailed"]) == ("invited", True)
    arrived = await box.next_to(WHO)
    assert f"{PAGES}/welcome#" in arrived.text

    assert (await accept(house, arrived.secret)).status == 204

    assert (await Browser(house, house.url).sign_in(WHO, NEW)).status == 200
    [asked, *_] = await logged(house, "invitation.accept")
    assert asked["user"]["id"] == invited["id"]


async def test_of_two_who_use_one_link_at_a_time_one_gets_in(
    posted: tuple[House, Mailbox],
) -> None:
    house, box = posted
    await invite(house)
    secret = (await box.next_to(WHO)).secret

    answers = await asyncio.gather(*(accept(house, secret) for _ in range(4)))

    assert sorted(answer.status for answer in answers) == [204, 410, 410, 410]
    refused(await accept(house, secret), 410, "link_ended")


@SQLITE
async def test_a_link_that_is_over_unknown_of_another_kind_or_of_who_is_shut_out_is_one_answer(
    posted: tuple[House, Mailbox],
) -> None:
    house, box = posted
    invited = await invite(house)
    secret = (await box.next_to(WHO)).secret
    of_reset = await reset_secret(house, box, await employee(house))

    said = [await accept(house, "A" * 43), await accept(house, of_reset)]
    await change(house, "UPDATE links SET expires_at = created_at")
    said += [await accept(house, secret), await reset(house, of_reset)]
    await change(house, "UPDATE links SET expires_at = created_at + 3600000000")
    await house.rooms.accounts.disable(email=WHO)
    said.append(await accept(house, secret))

    for answer in said:
        refused(answer, 410, "link_ended")
    await change(house, "UPDATE links SET expires_at = created_at")
    await house.rooms.sweeper.sweep()
    async with house.rooms.main.reading() as connection:
        assert not (await connection.execute(select(links))).all()
    assert len({answer.body for answer in said}) == 1
    assert invited["id"] not in said[0].text


@SQLITE
async def test_an_invitation_sent_again_ends_the_one_before(posted: tuple[House, Mailbox]) -> None:
    house, box = posted
    manager = await manager_of(house)
    invited = (await add(manager)).json()
    again = f"{API}/accounts/{invited['id']}/invitation"
    assert (await manager.ask("POST", again)).status == 200
    first, second = await box.next_to(WHO), await box.next_to(WHO, 2)

    refused(await accept(house, first.secret), 410, "link_ended")
    assert (await accept(house, second.secret)).status == 204
    refused(await manager.ask("POST", again), 409, "wrong_state")


@SQLITE
async def test_a_password_that_is_refused_does_not_use_the_link_up(
    posted: tuple[House, Mailbox],
) -> None:
    house, box = posted
    await invite(house)
    secret = (await box.next_to(WHO)).secret

    refused(await accept(house, secret, "short"), 422, "weak_password")

    assert (await accept(house, secret)).status == 204


@SQLITE
async def test_an_invitation_whose_mail_does_not_leave_says_so_and_can_be_sent_again(
    posted: tuple[House, Mailbox],
) -> None:
    house, box = posted
    box.answer = "550 no"
    manager = await manager_of(house)
    invited = (await add(manager)).json()
    assert invited["mailed"] is False

    box.answer = "250 taken"
    again = await manager.ask("POST", f"{API}/accounts/{invited['id']}/invitation")

    assert again.json()["mailed"] is True
    assert (await accept(house, (await box.next_to(WHO)).secret)).status == 204


@SQLITE
async def test_a_reset_ends_every_session_and_is_told(posted: tuple[House, Mailbox]) -> None:
    house, box = posted
    browser = await signed_in(house)
    email = "dentist-with-password@people.invalid"
    secret = await reset_secret(house, box, email)

    assert (await reset(house, secret)).status == 204

    refused(await browser.ask("GET", f"{API}/session"), 401, "unauthenticated")
    assert (await Browser(house, house.url).sign_in(email, PASSWORD)).status == 401
    assert (await Browser(house, house.url).sign_in(email, NEW)).status == 200
    assert "Your password was changed" in (await box.next_to(email, 2)).message["Subject"]
    refused(await reset(house, secret), 410, "link_ended")


@SQLITE
async def test_a_reset_does_not_get_round_the_second_factor(posted: tuple[House, Mailbox]) -> None:
    house, box = posted
    await signed_in(house, "planner")  # enrols
    email = "planner-with-password@people.invalid"
    assert (await reset(house, await reset_secret(house, box, email))).status == 204

    body = {"email": email, "password": NEW}
    answer = await house.stranger.ask("POST", f"{API}/session", json=body)

    assert answer.status == 202
    assert "Set-Cookie" not in answer.headers


@SQLITE
async def test_asking_for_a_reset_answers_the_same_for_every_address_and_does_the_same_work(
    posted: tuple[House, Mailbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, box = posted
    known = await employee(house)
    await invite(house)
    await house.rooms.accounts.add_account(
        email="gone@people.invalid",
        role="dentist",
        controller_id=house.practice.id,
        password=PASSWORD,
    )
    await house.rooms.accounts.disable(email="gone@people.invalid")
    emails = (known, "nobody@people.invalid", WHO, "gone@people.invalid", house.dentist.email)

    async def nothing(*_: object) -> None:
        pass

    statements: list[str] = []
    with monkeypatch.context() as patched:
        # The answer is given before the mail is made; what the request itself does is watched.
        patched.setattr(Links, "_mail_reset", nothing)
        engine = house.rooms.main.engine.sync_engine
        works, answers = [], []
        for email in emails:
            statements.clear()

            def note(*given: object) -> None:
                if "events" in str(given[2]) or "accounts" in str(given[2]):
                    statements.append(str(given[2]))

            event.listen(engine, "before_cursor_execute", note)
            answers.append(await ask_reset(house, email))
            event.remove(engine, "before_cursor_execute", note)
            works.append([one for one in statements if "accounts" in one])

    assert {answer.status for answer in answers} == {202}
    assert {answer.body for answer in answers} == {b""}
    assert len({frozenset(answer.headers) for answer in answers}) == 1
    assert all(work == works[0] == [] for work in works)

    for email in emails[1:]:
        await ask_reset(house, email)
    await ask_reset(house, known)
    await box.next_to(known)
    assert [mail.recipients for mail in box.arrived if mail.recipients != (WHO,)] == [(known,)]
    assert len(box.to(WHO)) == 1  # the invitation


@SQLITE
async def test_one_mailbox_is_not_filled_with_links(posted: tuple[House, Mailbox]) -> None:
    house, box = posted
    first, second = await employee(house), await employee(house, "planner")
    for _ in range(3):
        await ask_reset(house, first)
    await ask_reset(house, second)

    await box.next_to(second)
    assert len(box.to(first)) == 1


@SQLITE
async def test_a_link_that_its_owner_may_be_about_to_use_is_not_ended_by_a_request(
    posted: tuple[House, Mailbox],
) -> None:
    house, box = posted
    victim, other = await employee(house), await employee(house, "planner")
    secret = await reset_secret(house, box, victim)

    await change(house, "UPDATE links SET created_at = created_at - 14 * 60000000")
    await ask_reset(house, victim)
    await reset_secret(house, box, other)  # so the request before it was dealt with
    assert len(box.to(victim)) == 1
    await change(house, "UPDATE links SET created_at = created_at - 2 * 60000000")
    await ask_reset(house, victim)
    second = (await box.next_to(victim, 2)).secret

    refused(await reset(house, secret), 410, "link_ended")
    assert (await reset(house, second)).status == 204


@SQLITE
async def test_one_account_gets_five_links_a_day_whoever_asks_and_nobody_is_told(
    posted: tuple[House, Mailbox],
) -> None:
    house, box = posted
    victim, other = await employee(house), await employee(house, "planner")
    for number in range(1, 6):
        assert (await ask_reset(house, victim)).status == 202
        await box.next_to(victim, number)
        await change(house, "UPDATE links SET created_at = created_at - 16 * 60000000")

    assert (await ask_reset(house, victim)).status == 202
    await reset_secret(house, box, other)
    assert len(box.to(victim)) == 5
    await change(house, "UPDATE throttles SET first_at = first_at - 24 * 3600000000")
    await ask_reset(house, victim)
    await box.next_to(victim, 6)


@SQLITE
async def test_a_link_is_refused_to_a_page_of_another_site(posted: tuple[House, Mailbox]) -> None:
    house, _ = posted
    for path in ("invitations", "password/resets", "password/reset-requests"):
        body = {"secret": "A" * 43, "password": NEW, "email": "a@b.invalid"}
        wanted = {"password/reset-requests": {"email"}}.get(path, {"secret", "password"})
        answer = await house.stranger.ask(
            "POST",
            f"{API}/{path}",
            headers={"Origin": "https://evil.invalid"},
            json={name: body[name] for name in wanted},
        )
        refused(answer, 403, "cross_site")


@SQLITE
async def test_the_secret_of_a_link_is_in_the_mail_and_nowhere_else(
    posted: tuple[House, Mailbox], data_directory: Path
) -> None:
    house, box = posted
    await invite(house)
    secret = (await box.next_to(WHO)).secret
    async with house.rooms.main.reading() as connection:
        rows = (await connection.execute(select(links))).all()
        records = (await connection.execute(select(events.c.record))).scalars().all()

    assert len(rows) == 1
    assert secret not in repr(rows)
    assert secret not in "".join(record or "" for record in records)
    kept = [path for path in data_directory.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if secret.encode() in path.read_bytes()]
    assert "?" not in box.to(WHO)[0].text.partition("#")[0].partition(PAGES)[2]


@SQLITE
async def test_a_link_of_a_program_is_never_made(posted: tuple[House, Mailbox]) -> None:
    house, _ = posted
    manager = await manager_of(house)
    body = {"email": WHO, "role": "service"}

    refused(await manager.ask("POST", f"{API}/accounts", json=body), 422, "invalid_input")


@SQLITE
async def test_a_link_lets_nobody_into_a_practice_that_was_closed(
    posted: tuple[House, Mailbox],
) -> None:
    house, box = posted
    await invite(house)
    secret = (await box.next_to(WHO)).secret
    await change(house, "UPDATE controllers SET closed_at = created_at")

    refused(await accept(house, secret), 410, "link_ended")
