"""Twilio as a pod sees it: signed webhooks, TwiML, media streams, Calls API, callbacks.

    account    who the carrier's customer is, and what the simulator was told to do
    faults     everything that may go wrong, each a switch
    events     what has happened to a call, and what shall be done about it
    call       one call leg: from the first ring to its last callback
    program    a TwiML document and where its run stands
    verbs      what each verb does to a call
    forms      the parameters of webhooks and callbacks, signed
    callbacks  status callbacks: in order, or lost, doubled, late
    stream     one media stream: frames on an absolute clock, play queue, warnings
    playqueue  audio waiting to be played, with marks at their places
    rest       the Calls API: create, fetch, list, update, with CPS and errors
    report     what one call was like for who made it

Machines only: time and randomness are arguments; `sim.serve_carrier` is their socket shell.
Imports `core`, `wire`, `errors`, and of `sim` the caller and the ledger.
"""
