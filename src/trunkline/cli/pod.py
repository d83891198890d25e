"""`trunkline pod`: a pod whose stores are elsewhere."""

import typer

from trunkline.cli import start
from trunkline.cli.env import EnvFile

app = typer.Typer(rich_markup_mode=None)


@app.command()
def pod(*, env_file: EnvFile = None) -> None:
    """Carry calls as one of several pods, with stores elsewhere.

    As `up`, but it starts no store and changes no schema: TRUNKLINE_REDIS_URL and
    TRUNKLINE_DATABASE_URL must be set, and `trunkline migrate` must have run.
    """
    given = start.read(env_file, needs_stores=True)
    redis_url, database_url = given.settings.redis_url, given.settings.database_url
    assert redis_url is not None
    assert database_url is not None
    from trunkline.cli import serve  # noqa: PLC0415 - a wrong setting is told a second earlier

    with serve.listening(given) as sockets:
        serve.serve(given, sockets, redis_url.get_secret_value(), database_url.get_secret_value())
