"""Passwords: none that is soon guessed, kept as Argon2id, hashed anew, changed by their owner."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.passwords import LANES, MEMORY_KIB, PASSES, Passwords
from gateway.access.strength import HOUSE_WORDS, MINIMUM_LENGTH, REASONS, check_strength
from gateway.errors import WeakPasswordError
from storage import accounts
from tests.gateway.ground import RECOVERY_CODES, SQLITE, Browser, employee, logged, refused
from tests.house import API, PASSWORD, House

FRESH = "four other words entirely"
WHO = ("wilhelmina.proefpersoon@tandartspraktijk.invalid", "Wilhelmina Proefpersoon")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("iloveyou1234", "common"),
        ("1qaz2wsx3edc4rfv", "common"),
        ("wilhelminaproefpersoon", "yours"),
        ("Tandartspraktijk", "yours"),
        ("kluisintake1", "yours"),
        ("abcabcabcabcabc", "repeat"),
        ("abcdefghijklmnop", "sequence"),
        ("qwertyuiop[]asdf", "spatial"),
        ("netherlandsgermany", "word"),
        ("x" * 11, "length"),
        ("x" * 1025, "length"),
        ("", "length"),
    ],
)
def test_a_password_that_is_soon_guessed_is_refused_with_its_reason(
    password: str, why: str
) -> None:
    with pytest.raises(WeakPasswordError) as caught:
        check_strength(password, WHO)

    assert caught.value.values["why"] == REASONS[why][0]
    for language in ("en", "nl"):
        said = caught.value.text(language)
        assert said
        assert "{" not in said
        assert not password or password not in said
    assert caught.value.text("en") != caught.value.text("nl")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "geen hoofdletter en geen cijfer nodig",
        "とても長い文章をひとつ覚えておく",
        "xK9#mQ2$vL5!",
        "a sentence that is much longer than what is looked at, " * 15,
    ],
)
def test_a_password_may_be_of_anything_if_it_is_not_soon_guessed(password: str) -> None:
    check_strength(password, WHO)


@pytest.mark.parametrize("word", HOUSE_WORDS)
def test_a_word_of_the_house_with_a_year_is_no_password(word: str) -> None:
    with pytest.raises(WeakPasswordError):
        check_strength(f"{word}2026".ljust(12, "!"), ())


@given(st.text(max_size=80), st.lists(st.text(max_size=20), max_size=3))
def test_any_text_is_taken_or_refused_with_a_reason(password: str, words: list[str]) -> None:
    refusal = None
    try:
        check_strength(password, words)
    except WeakPasswordError as error:
        refusal = error

    assert refusal is None or refusal.text("nl") != refusal.text("en")
    assert refusal is not None or len(password) >= MINIMUM_LENGTH


@SQLITE
async def test_a_hash_of_other_parameters_is_replaced_when_its_owner_signs_in(
    house: House,
) -> None:
    email = await employee(house)
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    async with house.rooms.main.transaction() as tx:
        account = await accounts.find_account(tx, email)
        assert account is not None
        await accounts.set_password(tx, account.id, weak)
    browser = Browser(house, house.url)

    refused(await browser.sign_in(email, "not the right password"), 401, "login_failed")
    assert await kept(house, email) == weak
    assert (await browser.sign_in(email)).status == 200
    replaced = await kept(house, email)
    assert f"$m={MEMORY_KIB},t={PASSES},p={LANES}$" in replaced
    assert (await browser.sign_in(email)).status == 200
    assert await kept(house, email) == replaced


async def kept(house: House, email: str) -> str:
    """The stored hash."""
    async with house.rooms.main.reading() as connection:
        account = await accounts.find_account(connection, email)
    assert account is not None
    return account.password_hash or ""


@SQLITE
async def test_a_hash_that_was_changed_meanwhile_is_not_replaced(house: House) -> None:
    email = await employee(house)
    now_kept = await kept(house, email)
    async with house.rooms.main.transaction() as tx:
        account = await accounts.find_account(tx, email)
        assert account is not None
        await accounts.replace_password_hash(tx, account.id, "an older one", "another")

    assert await kept(house, email) == now_kept


@SQLITE
async def test_changing_the_password_ends_every_other_session_and_sign_in(house: House) -> None:
    email = await employee(house)
    mine, other = Browser(house, house.url), Browser(house, house.url)
    await mine.sign_in(email)
    await mine.enrol(email)
    await other.sign_in(email)
    body = {"email": email, "password": PASSWORD}
    waiting = (await house.stranger.ask("POST", f"{API}/session", json=body)).json()["ticket"]
    change = {"password": PASSWORD, "new_password": FRESH}

    assert (await mine.ask("POST", f"{API}/account/password", json=change)).status == 204
    assert (await mine.ask("GET", f"{API}/session")).status == 200
    refused(await other.ask("GET", f"{API}/session"), 401, "unauthenticated")
    late = {"ticket": waiting, "code": RECOVERY_CODES[email][-1]}
    answer = await house.stranger.ask("POST", f"{API}/session/factor", json=late)
    refused(answer, 401, "code_refused")
    refused(await house.stranger.ask("POST", f"{API}/session", json=body), 401, "login_failed")
    assert (await other.sign_in(email, FRESH)).status == 200
    outcome = (await logged(house, "password.change"))[-1]
    assert outcome["event"]["detail"] == {"ended_sessions": 1}


@SQLITE
async def test_changing_the_password_takes_the_present_one_and_a_good_new_one(
    house: House,
) -> None:
    browser = Browser(house, house.url)
    email = await employee(house)
    await browser.sign_in(email)
    path = f"{API}/account/password"

    wrong = {"password": "not the right password", "new_password": FRESH}
    refused(await browser.ask("POST", path, json=wrong), 401, "login_failed")
    weak = {"password": PASSWORD, "new_password": "dentist-with-password"}
    dutch = await browser.ask("POST", path, json=weak, headers={"Accept-Language": "nl"})
    assert refused(dutch, 422, "weak_password")["detail"].startswith("Kies een ander wachtwoord")
    refused(await house.dentist.ask("POST", path, json=wrong), 403, "out_of_scope")
    assert (await Browser(house, house.url).sign_in(email)).status == 200


async def test_a_hash_of_todays_parameters_is_left_as_it_is() -> None:
    passwords = Passwords()

    assert await passwords.renewed(await passwords.hash(PASSWORD), PASSWORD) is None
