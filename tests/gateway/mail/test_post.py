"""Mail leaves by TLS to one address, and nothing that came from outside adds to it."""

from __future__ import annotations

import itertools
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidInputError
from gateway.mail.post import Mail, MailError, Post
from gateway.mail.texts import INVITATION, LANGUAGES, NOTICES, RESET, Text
from gateway.settings import Settings
from tests.leaks import planted
from tests.mail import LOGIN, PAGES, by_mail, mail_server, self_signed

TEXT = Text("A subject", "A line.\n\n.\nAnother one: é")
PLAIN = Settings(data=Path("unused"))


def mail(to: str = "who@people.invalid") -> Mail:
    return Mail("01900000-0000-7000-8000-000000000001", to, TEXT)


async def test_a_message_arrives_as_it_was_written() -> None:
    async with mail_server() as box:
        await Post(by_mail(PLAIN, box)).send(mail())

    [arrived] = box.arrived
    assert arrived.sender == "kluis@house.invalid"
    assert arrived.recipients == ("who@people.invalid",)
    assert arrived.text.splitlines() == TEXT.body.splitlines()
    message = arrived.message
    assert message["Subject"] == TEXT.subject
    assert message["To"] == "who@people.invalid"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<01900000-0000-7000-8000-000000000001@house.invalid>"


async def test_mail_goes_by_tls_with_a_login_and_the_certificate_is_checked(
    tmp_path: Path,
) -> None:
    authority, context = self_signed(tmp_path)
    secret = tmp_path / "password"
    secret.write_text(planted("the mail password", LOGIN.password.decode()) + "\n")
    async with mail_server(context, login=True) as box:
        chosen = by_mail(PLAIN, box).model_copy(
            update={
                "smtp_host": "localhost",
                "smtp_tls": "starttls",
                "smtp_ca_file": authority,
                "smtp_user": "kluis",
                "smtp_password_file": secret,
            }
        )
        await Post(chosen).send(mail())
        for changed in ({"smtp_ca_file": None}, {"smtp_host": "127.0.0.1"}):
            with pytest.raises(MailError):
                await Post(chosen.model_copy(update=changed)).send(mail())

    [arrived] = box.arrived
    assert arrived.by_tls


async def test_mail_that_must_go_by_tls_does_not_leave_without() -> None:
    async with mail_server() as box:
        chosen = by_mail(PLAIN, box).model_copy(update={"smtp_tls": "starttls"})
        with pytest.raises(MailError):
            await Post(chosen).send(mail())

    assert box.arrived == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"smtp_host": "mail.invalid"}, "smtp_tls"),
        ({"smtp_host": "192.0.2.1"}, "smtp_tls"),
        ({"public_url": ""}, "public_url"),
        ({"public_url": "http://kluis.invalid"}, "public_url"),
        ({"public_url": "javascript:alert(1)"}, "public_url"),
        ({"public_url": "https://kluis.invalid/?a=1"}, "public_url"),
        ({"mail_from": "a@house.invalid, b@house.invalid"}, "mail_from"),
        ({"mail_from": "a@house.invalid\r\nBcc: b@house.invalid"}, "mail_from"),
    ],
)
def test_settings_that_would_send_mail_openly_or_to_no_page_are_refused(
    change: dict[str, str], field: str
) -> None:
    chosen = PLAIN.model_copy(
        update={"smtp_host": "127.0.0.1", "smtp_tls": "none", "public_url": PAGES, **change}
    )
    with pytest.raises(InvalidInputError) as refusal:
        Post(chosen)

    assert refusal.value.field == field


async def test_without_a_mail_server_nothing_leaves_and_who_sends_is_told() -> None:
    post = Post(PLAIN)

    assert not post.is_open
    with pytest.raises(MailError):
        await post.send(mail())


@pytest.mark.parametrize("answer", ["550 no such mailbox", "452 full", "421 later"])
async def test_mail_that_the_server_refuses_has_not_left(answer: str) -> None:
    async with mail_server() as box:
        box.answer = answer
        with pytest.raises(MailError):
            await Post(by_mail(PLAIN, box)).send(mail())


HOSTILE = (
    *("a@b.invalid\r\nBcc: c@d.invalid", "a@b.invalid\nX: y", "a@b.invalid, c@d.invalid"),
    *("a@b.invalid c@d.invalid", "<a@b.invalid>", "a", "", "@", "a@b@c", "a@b.invalid\0"),
    *("a@b.invalid> RCPT TO:<c@d.invalid", "group: a@b.invalid;", "a@b.invalid\r\n.\r\n"),
)


@pytest.mark.parametrize("address", HOSTILE)
async def test_an_address_that_is_more_than_one_address_sends_nothing(address: str) -> None:
    async with mail_server() as box:
        with pytest.raises(MailError):
            await Post(by_mail(PLAIN, box)).send(mail(address))

    assert box.arrived == []


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_no_address_makes_a_second_recipient_or_a_header(tail: str) -> None:
    post = Post(PLAIN)
    try:
        message = post.message(mail(f"a@b.invalid{tail}"))
        raw = message.as_bytes()
    except (MailError, UnicodeEncodeError):
        return
    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert len(message["To"].addresses) == 1
    assert sorted(names) == sorted(set(names))
    assert {b"Bcc", b"Cc"}.isdisjoint(names)


def test_every_letter_is_there_in_both_languages_and_names_the_same_values() -> None:
    for letter in (INVITATION, RESET, *NOTICES.values()):
        named = [
            {name for _, name, _, _ in Formatter().parse(letter(tongue).body) if name}
            for tongue in LANGUAGES
        ]
        assert named[0] == named[1]
        for tongue in LANGUAGES:
            assert "\n" not in letter(tongue).subject
            assert len(letter(tongue).subject) < 78


def test_letters_of_different_kinds_are_told_apart() -> None:
    letters = (INVITATION, RESET, *NOTICES.values())
    for one, other in itertools.combinations(letters, 2):
        assert one.en.subject != other.en.subject
        assert one.nl.subject != other.nl.subject
