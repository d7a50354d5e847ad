"""Bearer tokens of people and of a practice's software: made once, limited, listed, revoked.

A token is shown to whoever makes it and never again. It does no more than its account may, within
its limits (access/scope.py), and nothing of what `limits.SESSION_ONLY` names.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.access.actors import Actor
from gateway.access.grants import Access, Target
from gateway.access.policy import Action
from gateway.access.scope import Limits, Scope, scope_of
from gateway.access.sessions import Sessions
from gateway.errors import InvalidInputError, NotFoundError
from gateway.ids import hash_secret, new_id, new_secret, now
from storage import tokens
from storage.database import Database
from storage.tokens import Token

LONGEST = timedelta(days=366)
NAME_LIMIT = 100
OPERATORS_TOKEN = "made by the operator"  # noqa: S105 - a name


def make_token(
    account_id: str, name: str, scope: Scope, expires_at: datetime | None
) -> tuple[str, Token]:
    """A new secret, and the row that is kept of it."""
    secret = new_secret()
    row = Token(
        new_id(), hash_secret(secret), account_id, name, scope.kept, now(), expires_at=expires_at
    )
    return secret, row


class Tokens:
    """One's own tokens."""

    def __init__(self, main: Database, access: Access, sessions: Sessions) -> None:
        """Tokens live in `main`; `sessions` knows whether somebody has just proved themself."""
        self._main = main
        self._access = access
        self._sessions = sessions

    async def create(
        self, actor: Actor, *, name: str, limits: Limits, expires_at: datetime
    ) -> tuple[str, Token]:
        """Make a token of one's own; its secret exists here and in the answer, nowhere else.

        Raises:
            InvalidInputError: Name, limits or end.
            ConfirmationRequiredError: Confirm, then try again.
            UnauthenticatedError: They were shut out meanwhile.
        """
        secret, token = asked_for(actor.id, name, limits, expires_at)
        await self._sessions.require_confirmation(actor, Action.TOKEN_CREATE)
        grant = await self._access.authorise(
            actor, Action.TOKEN_CREATE, target=Target("account", actor.id)
        )
        async with self._main.transaction() as tx:
            await self._sessions.hold(tx, actor)
            await tokens.add(tx, token)
            await self._access.outcome_in(tx, grant, Target("token", token.id))
        return secret, token

    async def list(self, actor: Actor) -> Sequence[Token]:
        """One's own tokens that are good, newest first."""
        await self._access.authorise(actor, Action.TOKEN_LIST)
        async with self._main.reading() as connection:
            return await tokens.running(connection, actor.id, now())

    async def revoke(self, actor: Actor, token_id: str) -> None:
        """End a token of one's own at once, everywhere.

        Raises:
            NotFoundError: No such token of one's own that is still good.
        """
        target = Target("token", token_id)
        grant = await self._access.authorise(actor, Action.TOKEN_REVOKE, target=target)
        async with self._main.transaction() as tx:
            if await tokens.revoke(tx, actor.id, now(), token_id) == 0:
                raise NotFoundError
            await self._access.outcome_in(tx, grant, target)


def asked_for(
    account_id: str, name: str, limits: Limits, expires_at: datetime
) -> tuple[str, Token]:
    """A token as somebody asks for it over the API: named, limited and ending.

    Raises:
        InvalidInputError: Names the field.
    """
    name = short_name(name)
    if not now() < expires_at <= now() + LONGEST:
        reason = f"take an end within {LONGEST.days} days"
        raise InvalidInputError(field="expires_at", reason=reason)
    return make_token(account_id, name, scope_of(limits), expires_at)


def short_name(name: str) -> str:
    """The name without blanks around it. Raises InvalidInputError."""
    name = name.strip()
    if not 1 <= len(name) <= NAME_LIMIT or not name.isprintable():
        raise InvalidInputError(field="name", reason=f"take 1 to {NAME_LIMIT} characters")
    return name
