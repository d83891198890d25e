"""One call, without I/O: events and the time go in, actions come out.

    plan        what the call was set up with: its agents, their tools, its limits
    events      what has happened: wire messages, plus the pod's own
    actions     what shall be done
    machine     the call: `receive`, `tick`, `deadline`
    phases      where a call is in its life, as tables
    state       what it knows between two events
    so_far      what a journal says of a call, for another pod
    takeover    how a call begins with that
    streams     the caller's side: streams that come and go, frames, marks, keys
    sessions    the model's side: how a session is set up, and its events
    turns       the caller's speech, barge-in, the model's responses and their items
    tooling     function calls: ordered, done here, refused; each is answered
    endings     last words and their limit, or at once
    settle      what follows from the state, whatever brought it there
    voice       the agent's items, over the playout
    playout     what the caller has heard of what was sent
    responses   one response at a time, and the wish for the next
    tools       the ledger of function calls; builtin reads what the built-in ones ask for
    timers      the waits, and the earliest of them
    wording     what the machine itself tells the model; faults: names of the model's errors
    recent      a bounded memory of names

Imports `core` and `wire`; no asyncio, clock, randomness, environment or log.
"""
