"""One call, without I/O: events and the time go in, actions come out.

    plan      what the call was set up with: its agents, their tools, its limits
    events    what has happened: wire messages, plus the pod's own
    actions   what shall be done
    machine   the call: phases as a table, `receive`, `tick`, `deadline`
    playout   what the caller has heard of what was sent

Imports `core` and `wire`; no asyncio, clock, randomness, environment or log.
"""
