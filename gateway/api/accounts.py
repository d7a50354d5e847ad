"""People: listed, invited and changed by those who run them; and the links that were mailed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field

from gateway.access.people import Invited, NewPerson, PersonChange, state_of
from gateway.access.policy import Action
from gateway.api import context
from gateway.api.models import Given
from gateway.api.people import check_same_site
from gateway.api.routing import Operations
from gateway.errors import (
    ConfirmationRequiredError,
    CrossSiteError,
    LinkEndedError,
    NotFoundError,
    TooManyAttemptsError,
    WeakPasswordError,
    WrongStateError,
)
from gateway.ids import SECRET_PATTERN
from storage.accounts import Account

operations = Operations("/api/v1")

PersonalRole = Literal[
    "dentist", "practice_manager", "coordinator", "planner", "privacy_officer", "administrator"
]


class NewAccount(Given):
    """Somebody to invite. A practice's manager may leave the practice out: it is their own."""

    email: str = Field(max_length=254)
    name: str | None = Field(None, max_length=200)
    role: PersonalRole
    controller_id: str | None = Field(None, max_length=36)
    language: Literal["en", "nl"] = "en"


class AccountChange(Given):
    """What to change of an account; what is left out stays."""

    name: str | None = Field(None, max_length=200)
    role: PersonalRole | None = None
    disabled: bool | None = None


class Acceptance(Given):
    """The secret from an invitation's link, and the password that the person chose."""

    secret: str = Field(pattern=f"^{SECRET_PATTERN}$", repr=False)
    password: str = Field(max_length=1024, repr=False)
    name: str | None = Field(None, min_length=1, max_length=200)


class ResetRequest(Given):
    """The address of who forgot their password."""

    email: str = Field(max_length=254)


class Reset(Given):
    """The secret from a reset's link, and the new password."""

    secret: str = Field(pattern=f"^{SECRET_PATTERN}$", repr=False)
    password: str = Field(max_length=1024, repr=False)


class PersonView(BaseModel):
    """An account, to who runs it."""

    id: str
    email: str
    name: str | None
    role: str
    controller_id: str | None
    state: Literal["invited", "active", "disabled"]
    created_at: datetime


class InvitedView(PersonView):
    """Somebody who was invited. `mailed` is false where the mail did not leave: invite again."""

    mailed: bool


class PersonList(BaseModel):
    """Accounts by e-mail address."""

    accounts: list[PersonView]


@operations.add("GET", "/accounts", action=Action.ACCOUNT_LIST, answer=PersonList)
async def list_accounts(request: web.Request) -> PersonList:
    """List everybody; a practice's manager, the own people."""
    actor = await context.actor(request)
    found: Iterable[Account] = await context.services(request).people.all(actor)
    return PersonList(accounts=[PersonView.model_validate(_shown(account)) for account in found])


@operations.add(
    "POST",
    "/accounts",
    action=Action.ACCOUNT_ADD,
    body=NewAccount,
    answer=InvitedView,
    status=201,
    errors=(CrossSiteError, ConfirmationRequiredError),
)
async def add_account(request: web.Request, body: NewAccount) -> InvitedView:
    """Make an account and mail its invitation."""
    actor = await context.actor(request)
    person = NewPerson(body.email, body.role, body.name, body.controller_id, body.language)
    return _invited(await context.services(request).people.add(actor, person))


@operations.add(
    "PATCH",
    "/accounts/{account_id}",
    action=Action.ACCOUNT_CHANGE,
    body=AccountChange,
    answer=PersonView,
    errors=(NotFoundError, CrossSiteError, ConfirmationRequiredError),
)
async def change_account(request: web.Request, body: AccountChange) -> PersonView:
    """Change somebody's name or role, shut them out, or let them in again."""
    actor = await context.actor(request)
    change = PersonChange(body.name, body.role, body.disabled)
    people, account_id = context.services(request).people, request.match_info["account_id"]
    return PersonView.model_validate(_shown(await people.change(actor, account_id, change)))


@operations.add(
    "POST",
    "/accounts/{account_id}/invitation",
    action=Action.ACCOUNT_INVITE,
    answer=InvitedView,
    errors=(NotFoundError, WrongStateError, CrossSiteError),
)
async def invite_again(request: web.Request) -> InvitedView:
    """Mail somebody's invitation again; the link of the earlier one ends."""
    actor = await context.actor(request)
    people = context.services(request).people
    return _invited(await people.invite(actor, request.match_info["account_id"]))


@operations.add(
    "POST",
    "/invitations",
    action=Action.INVITATION_ACCEPT,
    body=Acceptance,
    status=204,
    errors=(LinkEndedError, WeakPasswordError, TooManyAttemptsError, CrossSiteError),
)
async def accept_invitation(request: web.Request, body: Acceptance) -> None:
    """Choose one's first password, by the secret of an invitation's link."""
    await check_same_site(request)
    links = context.services(request).links
    await links.accept(context.visitor(request), body.secret, body.password, body.name)


@operations.add(
    "POST",
    "/password/reset-requests",
    action=Action.PASSWORD_RESET_ASK,
    body=ResetRequest,
    status=202,
    errors=(TooManyAttemptsError, CrossSiteError),
)
async def ask_reset(request: web.Request, body: ResetRequest) -> web.Response:
    """Have a link for a new password mailed; the answer is the same for every address."""
    await check_same_site(request)
    await context.services(request).links.ask_reset(context.visitor(request), body.email)
    return web.Response(status=202)


@operations.add(
    "POST",
    "/password/resets",
    action=Action.PASSWORD_RESET,
    body=Reset,
    status=204,
    errors=(LinkEndedError, WeakPasswordError, TooManyAttemptsError, CrossSiteError),
)
async def reset_password(request: web.Request, body: Reset) -> None:
    """Choose a new password, by the secret of a reset's link; every session ends."""
    await check_same_site(request)
    links = context.services(request).links
    await links.reset(context.visitor(request), body.secret, body.password)


def _shown(account: Account) -> dict[str, object]:
    return {
        "id": account.id,
        "email": account.email,
        "name": account.name,
        "role": account.role,
        "controller_id": account.controller_id,
        "state": state_of(account),
        "created_at": account.created_at,
    }


def _invited(invited: Invited) -> InvitedView:
    return InvitedView.model_validate(_shown(invited.account) | {"mailed": invited.mailed})
