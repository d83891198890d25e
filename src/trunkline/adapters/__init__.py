"""The outside world behind ports: what the shells ask for, done with real sockets and stores.

    embedded          Valkey and PostgreSQL from wheels, living and dying with their parent
    redis             the journal, by fenced Lua scripts
    postgres          the call log, its named queries and its migrations
    memory            twins of the stores for the seeded world; no production code uses them
    realtime_socket   one WebSocket to a realtime model
    speech            engines that speak a text: the OpenAI speech API, espeak-ng
    voice_folder      clips as files, each with its words beside it
    twilio_rest       the carrier's list of calls

Imports `ports`, `core`, `wire`. Foreign exceptions become ours at this edge.
"""
