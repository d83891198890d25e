"""What the carrier tells beside the chain, and why a fact was put aside."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create `carrier_facts`; let `stray_facts` say why.

    `carrier_facts` is outside the chain: its facts come late, doubled, out of order or not at all.
    One with the same words about the same call is the same fact, whenever it came.
    """
    op.execute("""
        CREATE TABLE carrier_facts (
            call_sid text NOT NULL,
            digest text NOT NULL,
            kind text NOT NULL,
            at timestamptz NOT NULL,
            payload text NOT NULL,
            PRIMARY KEY (call_sid, digest)
        )
    """)
    # A pod of the revision before names no reason, and puts aside contradictions above all.
    op.execute("ALTER TABLE stray_facts ADD COLUMN why text NOT NULL DEFAULT 'contradicts'")
    op.execute("CREATE INDEX calls_unended ON calls (pod, started_at) WHERE outcome IS NULL")
