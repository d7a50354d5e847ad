"""first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.schema import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "closed_accounts",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_closed_accounts")),
    )
    op.create_table(
        "controller_versions",
        sa.Column("controller_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("destroyed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("controller_id", "version", name=op.f("pk_controller_versions")),
    )
    op.create_table(
        "erasure_ledger",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("controller_id", sa.Text(), nullable=False),
        sa.Column("erased_at", Instant(), nullable=False),
        sa.Column("certificate_sha256", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_erasure_ledger")),
    )
    op.create_table(
        "wrapped_keys",
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("under", sa.Text(), nullable=False),
        sa.Column("controller_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", "object_id", "under", name=op.f("pk_wrapped_keys")),
    )
    with op.batch_alter_table("wrapped_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_wrapped_keys_case_id"), ["case_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_wrapped_keys_controller_id_version"),
            ["controller_id", "version"],
            unique=False,
        )
