"""Signing on at a provider of OpenID Connect: who comes in as whom, and who is signed out.

The browser that began keeps a secret in a cookie, known here by its hash as a sign-in under way
(gateway/access/signin.py); it ends with the first answer, right or wrong. What the provider names
is a subject; which account that is, is a row. No key of this house depends on any of it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access.actors import Actor
from gateway.access.arrivals import Arrivals, acting, refusal
from gateway.access.grants import Access, Target
from gateway.access.identity import LOGOUT_AGE, SKEW, Logout, TokenError, derived
from gateway.access.policy import Action
from gateway.access.proofs import Place, Proof
from gateway.access.sessions import SignedIn
from gateway.access.signin import Pending, SignIn
from gateway.access.throttle import BEGUN, Door, Throttle, network
from gateway.errors import InvalidInputError, NotFoundError, SignOnRefusedError
from gateway.ids import hash_secret, now
from gateway.settings import Settings
from storage import identities, signins
from storage.database import Database

if TYPE_CHECKING:  # it needs the extra `oidc`
    from gateway.access.provider import Provider

# A token that is older would be refused by its age: it need not be remembered longer.
REMEMBERED = LOGOUT_AGE + 2 * SKEW + timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and the secret that it keeps."""

    address: str
    secret: str = field(repr=False)


class SignOn:
    """People by the word of one provider."""

    def __init__(
        self,
        main: Database,
        access: Access,
        signin: SignIn,
        throttle: Throttle,
        settings: Settings,
        provider: Provider | None,
    ) -> None:
        """Who is linked lives in `main`; None: there is no provider.

        Raises:
            InvalidInputError: The setting `oidc_groups`.
        """
        self._main = main
        self._access = access
        self._signin = signin
        self._throttle = throttle
        self._provider = provider
        self._arrivals = Arrivals(main, access, settings)
        self._trusted = frozenset(settings.oidc_second_factor)

    @property
    def is_set_up(self) -> bool:
        """Whether there is a provider."""
        return self._provider is not None

    async def close(self) -> None:
        """Let go of connections."""
        if self._provider is not None:
            await self._provider.close()

    async def begin(self, visitor: Actor) -> Begun:
        """Send somebody to the provider.

        Raises:
            NotFoundError: There is no provider.
            TooManyAttemptsError: Too many sign-ons that led to nothing, from this network.
            UnavailableError: It cannot be reached, or is not what it should be.
        """
        provider = self._checked_provider()
        await self._throttle.enter(_door(visitor))
        pending = await self._signin.begin(proof=Proof.OIDC)
        address = await provider.authorization(pending.ticket)
        await self._access.note(visitor, Action.SESSION_PROVE, refused=False, asked=Proof.OIDC)
        return Begun(address, pending.ticket)

    async def finish(
        self,
        visitor: Actor,
        secret: str | None,
        *,
        state: str,
        code: str,
        issuer: str | None,
        place: Place,
    ) -> SignedIn | Pending:
        """Take in what a browser brought back from the provider.

        Args:
            visitor: Who asks.
            secret: From their cookie; None: they have none.
            state: Beside the code: it shows that this browser began.
            code: The provider's word, for the provider.
            issuer: Who says so (RFC 9207), if it was said.
            place: Where from.

        Raises:
            NotFoundError: There is no provider.
            SignOnRefusedError: Nothing of this browser's is under way, what came back does not
                hold, or who it names has no access: one answer.
            UnavailableError: The provider cannot be reached.
        """
        provider = self._checked_provider()
        if secret is None or not await self._consumed(secret):
            raise await refusal(self._access, visitor, "cookie")
        if not hmac.compare_digest(state.encode(), derived(secret, "state").encode()):
            raise await refusal(self._access, visitor, "state")
        try:
            identity = await provider.redeem(code, issuer, secret)
        except TokenError as error:
            raise await refusal(self._access, visitor, error.why) from None
        account, arrival = await self._arrivals.account(visitor, identity)
        await self._throttle.passed([_door(visitor)])
        factors = {Proof.PROVIDER_FACTOR} if identity.methods & self._trusted else set()
        proofs = frozenset({Proof.OIDC, *factors})
        return await self._signin.proceed(visitor, account, proofs, place, arrival)

    async def logout(self, visitor: Actor, token: str) -> None:
        """End sessions because the provider says so (OpenID Connect Back-Channel Logout 1.0).

        Raises:
            NotFoundError: There is no provider.
            SignOnRefusedError: The token does not hold, or was obeyed before.
            UnavailableError: The provider's keys cannot be read.
        """
        try:
            wanted = await self._checked_provider().logout(token)
        except TokenError as error:
            raise await refusal(self._access, visitor, error.why, Action.SESSION_END) from None
        grant = await self._access.authorise(acting(visitor), Action.SESSION_END)
        digest = hashlib.sha256(f"{wanted.issuer} {wanted.token_id}".encode()).digest()
        at = now()
        async with self._main.transaction() as tx:
            if not await identities.spend(tx, digest, at + REMEMBERED, at):
                raise SignOnRefusedError
            account_id, ended = await _end(tx, wanted)
            target = Target("account", account_id) if account_id else None
            await self._access.outcome_in(tx, grant, target, ended=ended)

    async def _consumed(self, secret: str) -> bool:
        """Whether a sign-on began with this secret; from here on none did."""
        digest = hash_secret(secret)
        async with self._main.transaction() as tx:
            pending = await signins.get(tx, digest, now())
            if pending is None or pending.account_id is not None or pending.proof != Proof.OIDC:
                return False
            return await signins.end(tx, digest)

    def _checked_provider(self) -> Provider:
        if self._provider is None:
            raise NotFoundError
        return self._provider


def _door(visitor: Actor) -> Door:
    """Begun sign-ons are counted by network: each is a row, and an event."""
    return Door(BEGUN, network(visitor.address))


async def _end(tx: AsyncConnection, wanted: Logout) -> tuple[str | None, int]:
    """End what a logout names; whose account that is, if it is known, and how many ended."""
    if wanted.session is not None:
        await signins.end_provider_session(tx, wanted.session)
    account_id = None
    if wanted.subject is not None:
        if wanted.session is None:
            await signins.end_subject(tx, wanted.issuer, wanted.subject)
        linked = await identities.find(tx, wanted.issuer, wanted.subject)
        if linked is None:
            return None, 0
        account_id = linked.account_id
        if wanted.session is None:
            await signins.end_all(tx, account_id)
    ended = await identities.end_sessions(
        tx, account_id=account_id, provider_session=wanted.session
    )
    return account_id, ended


def sign_on_provider(settings: Settings) -> Provider | None:
    """The provider that the settings name, if they do; nothing is sent yet.

    Raises:
        InvalidInputError: A setting is missing or wrong, or the extra is not installed.
    """
    if not settings.oidc_issuer:
        return None
    try:
        from gateway.access.provider import Client, Provider  # noqa: PLC0415 - an extra
    except ImportError:
        reason = "sign-on needs the extra oidc: install kluis[oidc]"
        raise InvalidInputError(field="oidc_issuer", reason=reason) from None
    for name in ("public_url", "oidc_client_id"):
        if not getattr(settings, name):
            raise InvalidInputError(field=name, reason="sign-on at a provider needs it")
    client = Client(
        client_id=settings.oidc_client_id,
        redirect=f"{settings.public_url.rstrip('/')}/sign-on",
        secret_file=settings.oidc_client_secret_file,
        scopes=settings.oidc_scopes,
        groups_claim=settings.oidc_groups_claim,
        # A sign-on opens a session whose person has just proved themself.
        max_age=timedelta(minutes=settings.confirmation_minutes),
    )
    try:
        return Provider(settings.oidc_issuer, client)
    except ValueError as error:
        raise InvalidInputError(field="oidc_issuer", reason=str(error)) from None
