"""What leaves by mail: links that let somebody in once, and notices; and lost second factors."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from storage.schema.columns import Instant, main

links = Table(
    "links",
    main,
    Column("secret_hash", LargeBinary, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index(None, "account_id"),
)

# Deleted when they left: what was sent when, the access log says. What never left stays, dead.
notices = Table(
    "notices",
    main,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("account_id", ForeignKey("accounts.id")),
    Column("controller_id", ForeignKey("controllers.id")),
    # Of an account that is closed by now, and has no address any more.
    Column("address", Text),
    # The name of a webhook; "*" for all that there are.
    Column("hook", Text),
    Column("detail", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failure", Text),
    Column("dead_at", Instant),
    Index(None, "due_at"),
)

factor_recoveries = Table(
    "factor_recoveries",
    main,
    Column("id", Text, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("asked_by", ForeignKey("accounts.id"), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("agreed_by", ForeignKey("accounts.id")),
    Column("due_at", Instant),
    Column("ended_at", Instant),
    Index(None, "account_id"),
)
