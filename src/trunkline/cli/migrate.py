"""`trunkline migrate`: the call log's schema."""

import typer

from trunkline.adapters.postgres import migrate as schema
from trunkline.cli.env import EnvFile, read_settings
from trunkline.cli.stores import with_call_log

app = typer.Typer(rich_markup_mode=None)


@app.command()
def migrate(*, env_file: EnvFile = None) -> None:
    """Bring the call log's schema to this version.

    `trunkline up` does it by itself; before `trunkline pod` it must have run. Several at once wait
    for each other, and a second one finds nothing to do.
    """
    print(f"schema: {with_call_log(read_settings(env_file), schema.migrate, makes=True)}")
