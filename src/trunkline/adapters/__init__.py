"""The outside world behind ports: what the shells ask for, done with real sockets and stores.

    embedded          Valkey and PostgreSQL from wheels, living and dying with their parent
    redis             the journal, by fenced Lua scripts
    postgres          the call log, its named queries and its migrations
    memory            twins of the stores for the seeded world; no production code uses them
    realtime_socket   one WebSocket to a realtime model

Imports `ports`, `core`, `wire`. Foreign exceptions become ours at this edge.
"""
