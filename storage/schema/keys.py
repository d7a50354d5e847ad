"""The keystore: wrapped keys, and what was erased."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text

from storage.schema.columns import Instant, keystore

controller_versions = Table(
    "controller_versions",
    keystore,
    Column("controller_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("destroyed_at", Instant),
)

wrapped_keys = Table(
    "wrapped_keys",
    keystore,
    Column("purpose", Text, primary_key=True),
    Column("object_id", Text, primary_key=True),
    # The case key that wraps a file key; "" where a version of the controller's key does.
    Column("under", Text, primary_key=True),
    Column("controller_id", Text, nullable=False),
    Column("case_id", Text),
    Column("version", Integer),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "controller_id", "version"),
    Index(None, "case_id"),
)

erasure_ledger = Table(
    "erasure_ledger",
    keystore,
    Column("case_id", Text, primary_key=True),
    Column("controller_id", Text, nullable=False),
    Column("erased_at", Instant, nullable=False),
    Column("certificate_sha256", LargeBinary, nullable=False),
)

# Whose account was closed: an older back-up of the main database must not bring them back.
closed_accounts = Table(
    "closed_accounts",
    keystore,
    Column("account_id", Text, primary_key=True),
    Column("closed_at", Instant, nullable=False),
)
