"""Live calls in Valkey or Redis.

    connect    a client with deadlines and a bounded pool; the check at start; faults to ours
    keys       every key of ours, spelt once
    journal    RedisJournal: the facts of live calls, through fenced scripts
    erasure    RedisJournalEraser: ended calls out of it, at once
    *.lua      the scripts: whatever must be one step is one script

Imports `ports`, `core`, `errors`.
"""
