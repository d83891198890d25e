"""The call log: calls, their facts, and facts that contradict it."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the three tables.

    `facts` is the truth. `payload` is the very text that was hashed, not jsonb, which would change
    it and refuses the escape of NUL. A row of `calls` follows from its facts, and is filled as they
    come, in whatever order: so all of it but the key may be empty for a while.
    """
    op.execute("""
        CREATE TABLE calls (
            call_sid text PRIMARY KEY,
            epoch bigint NOT NULL,
            started_at timestamptz NOT NULL,
            direction text,
            from_number text,
            to_number text,
            agent text,
            tenant text,
            vertical text,
            pod text,
            answered_at timestamptz,
            ended_at timestamptz,
            outcome text,
            reason text
        )
    """)
    op.execute("CREATE INDEX calls_newest ON calls (started_at DESC, call_sid DESC)")
    op.execute("""
        CREATE TABLE facts (
            call_sid text NOT NULL,
            seq integer NOT NULL CHECK (seq > 0),
            epoch bigint NOT NULL,
            kind text NOT NULL,
            at timestamptz NOT NULL,
            payload text NOT NULL,
            salt text NOT NULL,
            digest text NOT NULL,
            hash text NOT NULL,
            PRIMARY KEY (call_sid, seq)
        )
    """)
    op.execute("""
        CREATE TABLE stray_facts (
            call_sid text NOT NULL,
            seq integer NOT NULL,
            epoch bigint NOT NULL,
            kind text NOT NULL,
            at timestamptz NOT NULL,
            payload text NOT NULL,
            salt text NOT NULL,
            digest text NOT NULL,
            hash text NOT NULL,
            found_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (call_sid, seq, hash)
        )
    """)
