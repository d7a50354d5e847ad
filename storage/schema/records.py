"""Cases and their files, erasures, the access log, and the processes that serve."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from storage.schema.columns import Instant, main

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
    Column("due_on", Text),  # a day, as ISO 8601 writes it
    Column("created_by", ForeignKey("accounts.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("submitted_at", Instant),
    Column("completed_at", Instant),
    Column("frozen_at", Instant),
    Column("restricted_at", Instant),
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

emergencies = Table(
    "emergencies",
    main,
    Column("id", Text, primary_key=True),
    Column("case_id", ForeignKey("cases.id"), nullable=False),
    Column("controller_id", ForeignKey("controllers.id"), nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("review_due_at", Instant, nullable=False),
    Column("reviewed_by", ForeignKey("accounts.id")),
    Column("reviewed_at", Instant),
    Column("verdict", Text),
    Column("words", Text),
    Index(None, "case_id"),
    Index(None, "controller_id"),
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
    Column("warnings", Integer),  # how many findings a person should look at
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
    # Of a practice; or of the key that is no practice's (gateway/access/accountkeys.py).
    Column("controller_id", Text, nullable=False),
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
