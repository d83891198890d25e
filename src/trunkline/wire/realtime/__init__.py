"""The OpenAI Realtime protocol, GA shape, both directions.

    session    the session object and its parts
    items      what a conversation consists of
    client     events that a client sends
    server     events that a server sends
    responses  what these events are made of
    leniency   what is done to an event of an unknown shape

Source: `openai/types/realtime/*` of the openai package, which judges ours in the tests.
"""
