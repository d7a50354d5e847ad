"""Practices, people, and how they sign in."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from storage.schema.columns import Instant, main

controllers = Table(
    "controllers",
    main,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("address", Text),
    Column("phone", Text),
    Column("erasure_delay_hours", Integer, nullable=False),
    Column("erasure_second_from", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("second_factor_required", Boolean, nullable=False),
    Column("closed_at", Instant),
)

accounts = Table(
    "accounts",
    main,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("name", Text),
    Column("phone", Text),
    Column("language", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("controller_id", ForeignKey("controllers.id")),
    Column("password_hash", Text),
    Column("disabled_at", Instant),
    Column("closed_at", Instant),
    Column("confidential_at", Instant),
    Column("confidential_version", Integer),
    # No foreign key: a dump is loaded row by row, in no order of who invited whom.
    Column("invited_by", Text),
    Column("created_at", Instant, nullable=False),
)

sessions = Table(
    "sessions",
    main,
    Column("secret_hash", LargeBinary, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("device", Text, nullable=False),
    Column("address", Text),
    Column("proofs", Text, nullable=False),
    Column("restricted", Text),
    Column("provider_session", Text),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("confirmed_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index(None, "account_id"),
)

tokens = Table(
    "tokens",
    main,
    Column("id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
)

# Sign-ins that wait for a second factor or a passkey; a few minutes each.
sign_ins = Table(
    "sign_ins",
    main,
    Column("secret_hash", LargeBinary, primary_key=True),
    Column("account_id", ForeignKey("accounts.id")),
    Column("proof", Text),
    # What a sign-on provider said, and counts once the sign-in is complete.
    Column("provider_session", Text),
    Column("issuer", Text),
    Column("subject", Text),
    Column("role", Text),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

factors = Table(
    "factors",
    main,
    Column("id", Text, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    # Of one-time codes: the shared secret, and the last step that was taken.
    Column("sealed_secret", LargeBinary),
    Column("last_step", BigInteger),
    # Of passkeys.
    Column("credential_id", LargeBinary, unique=True),
    Column("public_key", LargeBinary),
    Column("sign_count", BigInteger),
    Column("created_at", Instant, nullable=False),
    Column("activated_at", Instant),
    Column("used_at", Instant),
    Index(None, "account_id"),
)

recovery_codes = Table(
    "recovery_codes",
    main,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("code_hash", LargeBinary, primary_key=True),
    Column("used_at", Instant),
)

# Who a sign-on provider says somebody is: issuer and subject, never an address.
identities = Table(
    "identities",
    main,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("issuer", "account_id"),
)

# Logout tokens of a sign-on provider that were obeyed, until they would be too old.
spent_tokens = Table(
    "spent_tokens",
    main,
    Column("digest", LargeBinary, primary_key=True),
    Column("expires_at", Instant, nullable=False),
)

# Browsers that somebody signed in from before: each has tries of its own.
devices = Table(
    "devices",
    main,
    Column("secret_hash", LargeBinary, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("seen_at", Instant, nullable=False),
)

throttles = Table(
    "throttles",
    main,
    Column("key", LargeBinary, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    # Where failures are counted by network as well: its hash.
    Column("network", LargeBinary),
    Index(None, "network"),
)
