"""What a bearer token is limited to: acts, cases, and the networks it may come from."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Self

from gateway.access.limits import BY_NAME, SESSION_ONLY
from gateway.access.policy import Action
from gateway.errors import InvalidInputError
from gateway.ids import ID_PATTERN

MOST = 100  # of each kind of limit in one token
NAMES = ("actions", "cases", "networks")
IS_ID = re.compile(ID_PATTERN).fullmatch
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Limits:
    """What a token is limited to, in words; None sets no limit."""

    actions: list[str] | None = None
    cases: list[str] | None = None
    networks: list[str] | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Scope:
    """The limits of one token; None sets no limit. What it allows, the policy must allow too.

    `as_person`: an operator made it for a person's command line, and set no limit.
    """

    actions: frozenset[Action] | None = None
    cases: frozenset[str] | None = None
    networks: tuple[Network, ...] | None = None
    as_person: bool = False

    @classmethod
    def parse(cls, kept: str) -> Self:
        """The scope as `kept` (JSON) holds it; an act that there is no more falls away."""
        known = json.loads(kept)
        actions, cases, networks = (known[name] for name in NAMES)
        return cls(
            None if actions is None else frozenset(act for act in Action if act in actions),
            None if cases is None else frozenset(cases),
            None if networks is None else tuple(map(ipaddress.ip_network, networks)),
            as_person=known["as_person"],
        )

    @property
    def limits(self) -> Limits:
        """The limits in words."""
        return Limits(_sorted(self.actions), _sorted(self.cases), _sorted(self.networks))

    @property
    def kept(self) -> str:
        """The scope as JSON."""
        return json.dumps({**asdict(self.limits), "as_person": self.as_person})

    def allows(self, action: Action, case_id: str | None) -> bool:
        """Whether this act is within the limits.

        A token of some cases has no act on none: a list or a search would tell of the others.
        """
        if action in SESSION_ONLY or (self.actions is not None and action not in self.actions):
            return False
        if action in BY_NAME and self.actions is None and not self.as_person:
            return False
        return self.cases is None or case_id in self.cases

    def admits(self, address: str | None) -> bool:
        """Whether the token may come from this network address."""
        if self.networks is None:
            return True
        if address is None:
            return False
        # A dual-stack socket shows an IPv4 address as ::ffff:192.0.2.1.
        came = ipaddress.ip_address(address)
        plain = getattr(came, "ipv4_mapped", None) or came
        return any(plain in network for network in self.networks)


def scope_of(limits: Limits) -> Scope:
    """The scope that these limits make.

    Raises:
        InvalidInputError: Names the field: an empty or long list, an act that there is not or that
            no token may do, what is no id of a case, or no network.
    """
    for name in NAMES:
        given = getattr(limits, name)
        if given is not None and not 1 <= len(given) <= MOST:
            raise InvalidInputError(field=name, reason=f"give 1 to {MOST}, or leave it out")
    return Scope(
        None if limits.actions is None else frozenset(map(_action, limits.actions)),
        None if limits.cases is None else frozenset(map(_case, limits.cases)),
        None if limits.networks is None else tuple(map(_network, limits.networks)),
    )


def _action(given: str) -> Action:
    if given not in set(Action) - SESSION_ONLY:
        raise InvalidInputError(field="actions", reason="no token is for such an act")
    return Action(given)


def _case(given: str) -> str:
    if not IS_ID(given):
        raise InvalidInputError(field="cases", reason="give ids of cases")
    return given


def _network(given: str) -> Network:
    try:
        return ipaddress.ip_network(given)
    except ValueError:
        reason = "give networks such as 192.0.2.0/24 or 2001:db8::/32"
        raise InvalidInputError(field="networks", reason=reason) from None


def _sorted(values: Iterable[object] | None) -> list[str] | None:
    return None if values is None else sorted(map(str, values))
