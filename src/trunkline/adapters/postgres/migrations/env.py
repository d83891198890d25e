"""How Alembic runs our steps: as SQL text, which `migrate` executes in one transaction.

Alembic never connects: a step may not read the database. One that must is written as SQL.
"""

from alembic import context

context.configure(dialect_name="postgresql")
context.run_migrations()
