"""Who acts: a person behind a request, the operator at the command, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.access.policy import Role
from gateway.access.scope import Scope
from gateway.ids import new_id
from storage.accesslog.event import AccessPoint


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody (or something) whose acts are authorised and logged.

    `session` is the hash of the session by which a browser came, None for tokens and others;
    `scope` is what the token is limited to by which they came, None for whoever came by none.
    `device` is what the browser says it is, in words of ours (access/proofs.py).
    `restricted` is what a session lacks (limits.WHILE_RESTRICTED), None for whoever lacks nothing.
    """

    id: str
    role: Role
    controller_id: str | None = None
    email: str | None = None
    access_point: AccessPoint = "system"
    address: str | None = None
    request_id: str = field(default_factory=new_id)
    session: bytes | None = field(default=None, repr=False)
    scope: Scope | None = None
    restricted: str | None = None
    device: str | None = None


def system(task: str) -> Actor:
    """The actor of work that no person started, such as "inspection"."""
    return Actor(f"system:{task}", Role.SYSTEM)


def operator() -> Actor:
    """Who runs the command on the data directory."""
    return Actor("operator", Role.OPERATOR, access_point="cli")


def nobody(address: str | None, request_id: str, device: str | None = None) -> Actor:
    """Who has not signed in: a role that stands in no row of the policy but those for all."""
    return Actor(
        "unknown",
        Role.NOBODY,
        access_point="api",
        address=address,
        request_id=request_id,
        device=device,
    )
