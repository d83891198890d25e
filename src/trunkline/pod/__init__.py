"""The process that carries calls.

    compose    its root: the only module here that knows adapters and settings
    compose_voices   its part that finds the clips of each agent; `voices` chooses among them
    http       the two ports' HTTP: Twilio's webhooks; health, metrics, calls
    media      the media socket, without ASGI
    runner     one call: its TaskGroup, its sockets, its timer
    tools      running `http` and `python` tools, and the context hook
    recorder   facts to the journal, and again where it forgot them; `chain` is one call's part
    flush      acknowledged facts to the call log
    orphans    calls whose pod is gone: found, brought to the call log, closed (`adopt`)
    carrier_facts   what the carrier tells, to the call log
    door       the pool of sessions, in act
    purge      erases calls past their days, once an hour
    watchdog   names the stack that blocks the loop

Imports `call`, `core`, `wire`, `ports`, `telemetry`.
"""
