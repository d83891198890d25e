"""The realtime model's simulator: strict on every client event, hears by the audio itself.

    handshake      who may open a session: path, model, key, and the fault switches of that moment
    machine        one session: client events and the time in, server events out
    responses      what a session answers with: one writing at a time, others beside it
    speaking       one response as it streams, faster than real time
    settings       `session.update`: merged whole or refused whole
    hearing        the input buffer and voice detection, on audio time
    conversation   the items: added, cut, deleted, counted in tokens
    brain          what is said and which tools are called: pure rules over what was heard
    faults         everything that can go wrong at a model, each with a switch
    record         what a test may ask afterwards: heard, said, errors, stamps of audio

Machines over `wire.realtime`; the socket shell is `sim.serve_realtime`.
"""
