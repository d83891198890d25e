"""Which calls have been erased."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Let a row of `calls` say when its numbers and its facts' payloads and salts were erased."""
    op.execute("ALTER TABLE calls ADD COLUMN erased_at timestamptz")
    # What a purge goes through, oldest first.
    op.execute("CREATE INDEX calls_kept ON calls (started_at) WHERE erased_at IS NULL")
    op.execute("CREATE INDEX calls_erased ON calls (erased_at) WHERE erased_at IS NOT NULL")
