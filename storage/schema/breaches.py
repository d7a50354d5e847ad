"""What practices were told of incidents: every version, what it said sealed, and who read it when.

A practice may be gone: here it is a mere id.
"""

from __future__ import annotations

from sqlalchemy import (
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

breach_notices = Table(
    "breach_notices",
    main,
    Column("id", Text, primary_key=True),
    Column("incident_id", ForeignKey("incidents.id"), nullable=False),
    Column("controller_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("phase", Text, nullable=False),
    Column("created_by", ForeignKey("accounts.id"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("sent_by", ForeignKey("accounts.id")),
    Column("sent_at", Instant),
    Column("acknowledged_by", ForeignKey("accounts.id")),
    Column("acknowledged_at", Instant),
    Column("sealed_body", LargeBinary, nullable=False),
    UniqueConstraint("incident_id", "controller_id", "version"),
    Index(None, "controller_id"),
)
