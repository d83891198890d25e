"""What `pod` and `up` have in common: one process that carries calls, its ports and its signals.

To import it takes a second: what is wrong with the settings is told before (`cli.start`).
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvloop

from trunkline.cli.start import Start
from trunkline.cli.streams import say
from trunkline.config.settings import Settings
from trunkline.pod import compose
from trunkline.pod.compose_voices import AgentVoices
from trunkline.pod.life import Pod
from trunkline.telemetry import logs
from trunkline.telemetry.logs import LogName


@contextmanager
def listening(start: Start) -> Iterator[compose.Sockets]:
    """Both ports, before a store is started."""
    sockets = compose.listen(start.settings)
    try:
        yield sockets
    finally:
        sockets.close()


def serve(start: Start, sockets: compose.Sockets, redis_url: str, database_url: str) -> None:
    """Be a pod until it is told to stop."""
    logs.configure(sys.stderr, json=not sys.stderr.isatty())
    logs.catch_strays()
    log = logs.get_logger(pod=start.settings.pod_name)
    unheard = AgentVoices(start.file).faults
    for hint in (*start.settings.warnings, *start.file.warnings, *unheard):
        log.warning(LogName.SETTING_DOUBTFUL, hint=hint)
    uvloop.run(
        compose.run_pod(
            start.settings,
            start.file,
            start.named,
            sockets=sockets,
            redis_url=redis_url,
            database_url=database_url,
            source=start.source,
            on_ready=_on_ready(start),
        )
    )


def _on_ready(start: Start) -> Callable[[Pod], None]:
    def on_ready(pod: Pod) -> None:
        """From now on signals drain; the first says so, a second Ctrl-C hurries."""
        loop = asyncio.get_running_loop()
        asked = False

        def interrupted() -> None:
            nonlocal asked
            if asked:
                pod.hurry()
                return
            asked = True
            pod.stop()
            say("draining: calls may end; Ctrl-C again ends them now")

        loop.add_signal_handler(signal.SIGTERM, pod.stop)
        if not sys.stdin.isatty():  # Else it says that the terminal is gone, and nobody stops us.
            loop.add_signal_handler(signal.SIGHUP, pod.reload)
        loop.add_signal_handler(signal.SIGINT, interrupted)
        say(greeting(start.settings, pod.public_port, pod.internal_port))

    return on_ready


def greeting(given: Settings, public_port: int, internal_port: int) -> str:
    """What a person needs to know of a pod that takes calls: one line for programs, then more."""
    url = given.public_url
    text = (
        f"trunkline answers on port {public_port}; "
        f"health, metrics and calls on port {internal_port}\n"
        f"webhooks for Twilio: {url}/twilio/voice for calls, {url}/twilio/status for their status"
    )
    if given.config is None:
        text += "\nTRUNKLINE_CONFIG is not set: one built-in agent answers every number"
    return text
