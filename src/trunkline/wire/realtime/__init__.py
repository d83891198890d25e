"""The OpenAI Realtime protocol, GA shape, both directions.

    session   the session object and its parts
    items     what a conversation consists of
    client    events that a client sends
    server    events that a server sends

Source: `openai/types/realtime/*` of the openai package, which judges ours in the tests.
"""
