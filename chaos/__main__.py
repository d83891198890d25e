"""`make chaos`: pods that are killed, drained and cut off while people talk to them."""

import argparse
import logging
import sys
import tempfile
from pathlib import Path
from typing import Final

import uvloop

from chaos import plan, report
from chaos.plan import MEANINGS, Name, Timing
from chaos.run import Found, run
from chaos.stage import Wish, stage

CALLS: Final = 60
PODS: Final = 3
CALL_S: Final = 40.0
_USUAL: Final = Timing()


def main() -> int:
    """Strike, and print. Exit code 1: a call was lost, or the record is not sound."""
    asked = _asked()
    names = [Name(name) for name in asked.only or [n for n in Name if n is not Name.ROLL]]
    timing = Timing(asked.valkey_s, asked.postgres_s, asked.model_s, asked.pace)
    cap = asked.cap or plan.cap(asked.calls, asked.pods)
    room = cap * (asked.pods - 1)
    if asked.calls > room:
        sys.exit(f"chaos: --calls {asked.calls} is more than the pods that stay may carry ({room})")
    # What a killed pod's sockets say at this end is in the report.
    logging.getLogger().addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # The stores run as somebody else where we are root.
        wish = Wish(folder.absolute(), asked.pods, asked.calls, cap, asked.rest, asked.call_seconds)
        found = uvloop.run(_run(wish, names, timing, asked.seed))
    made = report.report_of(found, wish)
    sys.stdout.write(report.text(made))
    if asked.json:
        asked.json.write_bytes(report.to_json(made))
    if asked.html:
        asked.html.write_bytes(report.page(made))
    return 0 if report.is_good(made) and found.verified else 1


async def _run(wish: Wish, names: list[Name], timing: Timing, seed: int | None) -> Found:
    _say(f"starting {wish.pods} pods, Traefik and the stores …")
    async with stage(wish) as ready:
        return await run(ready, names, timing, _say, seed)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _asked() -> argparse.Namespace:
    faults = "; ".join(f"{name}: {words}" for name, words in MEANINGS.items())
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__, epilog=faults)
    add = parser.add_argument
    add("--calls", type=int, default=CALLS, help=f"calls at once ({CALLS})")
    add("--pods", type=int, default=PODS, help=f"pods ({PODS})")
    add("--cap", type=int, help="calls a pod may carry (as many as all but one pod need)")
    add(
        "--only",
        action="append",
        choices=[str(name) for name in Name],
        metavar="FAULT",
        help="strike only this one; repeat it for several, in their order (all but roll)",
    )
    add("--valkey-s", type=float, default=_USUAL.valkey_s, help="so long Valkey stands still (10)")
    add("--postgres-s", type=float, default=_USUAL.postgres_s, help="and PostgreSQL (60)")
    add("--model-s", type=float, default=_USUAL.model_s, help="so long the model refuses (20)")
    add(
        "--rest",
        action="store_true",
        help="after a lost stream the carrier does nothing: the pods must ask it over REST",
    )
    add(
        "--call-seconds",
        type=float,
        default=CALL_S,
        help="so long each call, then the next takes its place; 0: all stay to the end (40)",
    )
    add("--pace", type=float, default=1.0, help="waits between faults, times this (1)")
    add("--seed", type=int, help="makes the dice repeatable")
    add("--folder", type=Path, help="keep stores and logs here (else a temporary folder)")
    add("--json", type=Path, help="write the report as JSON")
    add("--html", type=Path, help="write it as one HTML page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
