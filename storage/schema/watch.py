"""What the watch found in the access log, what people did about it, and how far it has read."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from storage.schema.columns import Instant, main

# A row for each follower, made with its first batch. Accounts and cases of alerts may be gone: they
# are mere ids.
watch_position = Table(
    "watch_position",
    main,
    Column("name", Text, primary_key=True),
    Column("following", BigInteger, nullable=False),
)

alerts = Table(
    "alerts",
    main,
    Column("id", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("account_id", Text),
    Column("controller_id", Text),
    Column("case_id", Text),
    Column("address", Text),
    Column("first_index", BigInteger, nullable=False),
    Column("last_index", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("facts", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("assigned_to", ForeignKey("accounts.id")),
    UniqueConstraint("rule", "key"),
    Index(None, "state", "id"),
)

alert_notes = Table(
    "alert_notes",
    main,
    Column("id", Text, primary_key=True),
    Column("alert_id", ForeignKey("alerts.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("by", ForeignKey("accounts.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("words", Text, nullable=False),
    Index(None, "alert_id"),
)

misuse_reports = Table(
    "misuse_reports",
    main,
    Column("id", Text, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
    Column("controller_id", ForeignKey("controllers.id"), nullable=False),
    Column("by", ForeignKey("accounts.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("words", Text, nullable=False),
    Index(None, "case_id"),
)

# On how many accounts acted each day (UTC, YYYY-MM-DD): what alerts are counted against.
watch_days = Table(
    "watch_days",
    main,
    Column("day", Text, primary_key=True),
    Column("people", Integer, nullable=False),
)

canaries = Table(
    "canaries",
    main,
    Column("id", Text, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False, unique=True),
    Column("by", ForeignKey("accounts.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("consent", Text, nullable=False),
    Column("ended_at", Instant),
)

# What a week's review says of one alert or access; which ones it has follows from the log.
review_verdicts = Table(
    "review_verdicts",
    main,
    Column("week", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("by", ForeignKey("accounts.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("words", Text, nullable=False),
)
