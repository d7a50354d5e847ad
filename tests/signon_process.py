"""Canaille, a real provider of OpenID Connect, as a process: `python tests/signon_process.py`.

Reads one JSON object from standard input (see `Wanted` in tests/signon.py), writes the port that
it listens on, and serves until its standard input ends. Everything is in its memory.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

from canaille import create_app  # type: ignore[import-untyped]
from canaille.app import models  # type: ignore[import-untyped]
from canaille.backends import Backend  # type: ignore[import-untyped]
from canaille.backends.memory.backend import MemoryBackend  # type: ignore[import-untyped]
from canaille.oidc import provider  # type: ignore[import-untyped]
from werkzeug.serving import make_server


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_test, daemon=True).start()
    everyone = {"PERMISSIONS": ["use_oidc"], "READ": [], "WRITE": [], "FILTER": None}
    app = create_app(
        {
            "SECRET_KEY": wanted["secret"],
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE": {"DATABASE": "memory", "ACL": {"DEFAULT": everyone}},
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [wanted["key"]]},
        }
    )
    _vouch_for_addresses(frozenset(wanted["unverified"]))
    _match_all_attributes()
    with app.app_context(), Backend.instance.session():
        _fill(wanted)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


def _end_with_the_test() -> None:
    sys.stdin.read()
    os._exit(0)


def _fill(wanted: dict[str, Any]) -> None:
    people = {}
    for name, person in wanted["people"].items():
        people[name] = models.User(
            user_name=name,
            formatted_name=name,
            family_name=name,
            emails=[person["email"]],
            password=person["password"],
        )
        Backend.instance.save(people[name])
    for group in sorted(
        {group for person in wanted["people"].values() for group in person["groups"]}
    ):
        members = [
            people[name] for name, person in wanted["people"].items() if group in person["groups"]
        ]
        Backend.instance.save(models.Group(display_name=group, members=members))
    client = models.Client(
        client_id=wanted["client_id"],
        client_secret=wanted["client_secret"],
        client_name="Kluis",
        client_uri="http://127.0.0.1",
        redirect_uris=[wanted["redirect"]],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "email", "groups"],
        token_endpoint_auth_method="client_secret_basic",
    )
    Backend.instance.save(client)
    client.audience = [client]
    Backend.instance.save(client)


def _vouch_for_addresses(unverified: frozenset[str]) -> None:
    """It has no claim `email_verified`, as providers have that check addresses: add it."""
    claims_of = provider.generate_user_claims

    def with_verdict(user: Any, *more: Any) -> dict[str, Any]:
        return {**claims_of(user, *more), "email_verified": user.user_name not in unverified}

    provider.generate_user_claims = with_verdict


def _match_all_attributes() -> None:
    """Its memory finds what matches any attribute, so one code served for another: mend that."""
    matching_one = MemoryBackend.do_query

    def matching_all(self: MemoryBackend, model: Any, *more: Any, **wanted: Any) -> list[Any]:
        found: list[Any] = matching_one(self, model, *more, **wanted)
        for name, value in wanted.items():
            known = {one.id for one in matching_one(self, model, *more, **{name: value})}
            found = [one for one in found if one.id in known]
        return found

    MemoryBackend.do_query = matching_all


if __name__ == "__main__":
    main()
