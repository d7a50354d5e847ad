"""Incidents: their course, who is in them, what was done, and what shows it.

Whatever people wrote is sealed under a key of the incident's own; ids, times and states are not.
Accounts and cases may be gone: in a scope they are mere ids.
"""

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
)

from storage.schema.columns import Instant, main

incidents = Table(
    "incidents",
    main,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("risk", Text, nullable=False),
    Column("owner_id", ForeignKey("accounts.id"), nullable=False),
    Column("aware_at", Instant, nullable=False),
    Column("opened_by", ForeignKey("accounts.id"), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("contained_at", Instant),
    Column("closed_at", Instant),
    Column("sealed_title", LargeBinary, nullable=False),
    Column("sealed_conclusion", LargeBinary),
    Index(None, "state", "id"),
)

incident_entries = Table(
    "incident_entries",
    main,
    Column("id", Text, primary_key=True),
    Column("incident_id", ForeignKey("incidents.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("by", ForeignKey("accounts.id")),
    Column("at", Instant, nullable=False),
    Column("ref", Text),
    Column("sealed_words", LargeBinary),
    Index(None, "incident_id"),
)

incident_alerts = Table(
    "incident_alerts",
    main,
    Column("incident_id", ForeignKey("incidents.id"), primary_key=True),
    Column("alert_id", ForeignKey("alerts.id"), primary_key=True),
    Column("by", ForeignKey("accounts.id"), nullable=False),
    Column("at", Instant, nullable=False),
)

incident_scopes = Table(
    "incident_scopes",
    main,
    Column("id", Text, primary_key=True),
    Column("incident_id", ForeignKey("incidents.id"), nullable=False),
    Column("question", Text, nullable=False),
    Column("by", ForeignKey("accounts.id"), nullable=False),
    Column("computed_at", Instant, nullable=False),
    Column("up_to", BigInteger, nullable=False),
    Column("acts", BigInteger, nullable=False),
    Column("complete", Boolean, nullable=False),
    Index(None, "incident_id"),
)

incident_scope_cases = Table(
    "incident_scope_cases",
    main,
    Column("scope_id", ForeignKey("incident_scopes.id"), primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("controller_id", Text, nullable=False),
    Column("subject", Text),
    Column("files", Text, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("effects", Text, nullable=False),
    Column("keys_exposed", Boolean, nullable=False),
    Column("events", BigInteger, nullable=False),
)

incident_measures = Table(
    "incident_measures",
    main,
    Column("id", Text, primary_key=True),
    Column("incident_id", ForeignKey("incidents.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("subjects", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("by", ForeignKey("accounts.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("done_at", Instant),
    Column("result", Text),
    Index(None, "incident_id"),
    Index(None, "state"),
)

incident_evidence = Table(
    "incident_evidence",
    main,
    Column("id", Text, primary_key=True),
    Column("incident_id", ForeignKey("incidents.id"), nullable=False),
    Column("by", ForeignKey("accounts.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sealed_head", LargeBinary, nullable=False),
    Index(None, "incident_id"),
)

incident_evidence_parts = Table(
    "incident_evidence_parts",
    main,
    Column("evidence_id", ForeignKey("incident_evidence.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
