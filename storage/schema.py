"""The tables, in two databases: the main one and the keystore.

The keystore is a database of its own so that it is backed up apart (docs/design.md, Erasure).
Columns named `sealed_*` hold ciphertext; `wrapped` holds a wrapped key. Both are opaque here.
Times are UTC, stored as whole microseconds since 1970 so that SQLite and PostgreSQL agree.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """An aware datetime as columns keep it."""
    return (at - EPOCH) // timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime kept as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Refuse naive datetimes: a guess of the zone would corrupt a deadline."""
        if value is None:
            return None
        return microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Whole microseconds back to an aware datetime."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


main = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
keystore = MetaData(naming_convention=main.naming_convention)


controllers = Table(
    "controllers",
    main,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("erasure_delay_hours", Integer, nullable=False),
    Column("erasure_second_from", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("closed_at", Instant),
)

accounts = Table(
    "accounts",
    main,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("controller_id", ForeignKey("controllers.id")),
    Column("password_hash", Text),
    Column("disabled_at", Instant),
    Column("created_at", Instant, nullable=False),
)

sessions = Table(
    "sessions",
    main,
    Column("secret_hash", LargeBinary, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("confirmed_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

tokens = Table(
    "tokens",
    main,
    Column("id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)

subjects = Table(
    "subjects",
    main,
    Column("pseudonym", Text, primary_key=True),
    Column("controller_id", ForeignKey("controllers.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
)

subject_index = Table(
    "subject_index",
    main,
    Column("controller_id", ForeignKey("controllers.id"), primary_key=True),
    Column("field", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("pseudonym", ForeignKey("subjects.pseudonym"), primary_key=True),
)

cases = Table(
    "cases",
    main,
    Column("id", Text, primary_key=True),
    Column("controller_id", ForeignKey("controllers.id"), nullable=False),
    # The object of its case key; a case that is given another key gets another one here.
    Column("key_id", Text, nullable=False),
    Column("pseudonym", ForeignKey("subjects.pseudonym")),
    Column("state", Text, nullable=False),
    Column("treatment", Text, nullable=False),
    Column("created_by", ForeignKey("accounts.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("submitted_at", Instant),
    Column("completed_at", Instant),
    Column("frozen_at", Instant),
    Column("sealed_identity", LargeBinary),
    Column("sealed_notes", LargeBinary),
    Column("sealed_brief", LargeBinary),
    Index(None, "controller_id", "created_at"),
    Index(None, "pseudonym"),
)

assignments = Table(
    "assignments",
    main,
    Column("id", Text, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("assigned_by", ForeignKey("accounts.id"), nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Index(None, "case_id"),
    Index(None, "account_id"),
)

files = Table(
    "files",
    main,
    Column("id", Text, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
    Column("controller_id", ForeignKey("controllers.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("number", Integer),
    Column("slot", Text),
    Column("state", Text, nullable=False),
    Column("created_by", ForeignKey("accounts.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    # Quarantine: what tus needs while bytes arrive.
    Column("capability_hash", LargeBinary, unique=True),
    Column("length", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("writer", BigInteger, nullable=False),
    Column("expires_at", Instant),
    # Work: who inspects it, until when, at which try.
    Column("claimed_by", Text),
    Column("claimed_until", Instant),
    Column("attempts", Integer, nullable=False),
    # Verdict.
    Column("sealed_name", LargeBinary),
    Column("sealed_verdict", LargeBinary),
    Column("problem", Text),
    Column("media_type", Text),
    Column("size", BigInteger),
    Column("blob_id", Text, unique=True),
    Column("sealed_sha256", LargeBinary),
    Index(None, "case_id"),
    Index(None, "state"),
)

parts = Table(
    "parts",
    main,
    Column("file_id", ForeignKey("files.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("start", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("blob_id", Text, nullable=False, unique=True),
)

# Apart from `files`: whoever lists a case need not read its pictures.
thumbnails = Table(
    "thumbnails",
    main,
    Column("file_id", ForeignKey("files.id"), primary_key=True),
    Column("sealed_picture", LargeBinary, nullable=False),
)

punctures = Table(
    "punctures",
    main,
    Column("id", Text, primary_key=True),
    Column("controller_id", ForeignKey("controllers.id"), nullable=False),
    Column("step", Text, nullable=False),
    Column("old_version", Integer, nullable=False),
    Column("new_version", Integer, nullable=False),
    Column("cause", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("key_backups", Text),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
)

erasures = Table(
    "erasures",
    main,
    Column("id", Text, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("controller_id", ForeignKey("controllers.id"), nullable=False),
    Column("case_id", ForeignKey("cases.id")),
    Column("file_id", Text),
    Column("key_id", Text),
    Column("puncture_id", ForeignKey("punctures.id")),
    Column("step", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("waits_until", Instant),
    Column("second_by", Text),
    Column("facts", Text),
    Column("evidence", Text),
    Column("body", Text),
    Column("event_id", Text),
    Column("certificate", Text),
    Column("finished_at", Instant),
    Index(None, "case_id"),
    Index(None, "request_id"),
)

events = Table(
    "events",
    main,
    Column("id", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("controller_id", Text),
    Column("case_id", Text),
    Column("record", Text),
    Column("salt", LargeBinary),
    Column("number", BigInteger),
    Column("index", BigInteger, unique=True),
    Index(None, "case_id"),
    Index(None, "controller_id", "number"),
)

tiles = Table(
    "tiles",
    main,
    Column("level", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("hashes", LargeBinary, nullable=False),
)

log_entries = Table(
    "log_entries",
    main,
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("commitment", LargeBinary, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    main,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("signed_at", Instant, nullable=False),
)

cosignatures = Table(
    "cosignatures",
    main,
    Column("size", ForeignKey("checkpoints.size"), primary_key=True),
    Column("witness", Text, primary_key=True),
    Column("line", Text, nullable=False),
)

leases = Table(
    "leases",
    main,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

nodes = Table(
    "nodes",
    main,
    Column("id", Text, primary_key=True),
    Column("edition", Text),
    Column("started_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

drops = Table(
    "drops",
    main,
    Column("node_id", Text, primary_key=True),
    Column("controller_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
)

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
