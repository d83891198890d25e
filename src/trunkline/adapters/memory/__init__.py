"""Twins of the stores for the seeded world and for tests of what stands on them.

    journal    MemoryJournal: what the Redis scripts do, in plain code, on a clock of your own
    call_log   MemoryCallBook: what the Postgres call log does
    erasure    MemoryEraser: what takes words and numbers out of it

Each passes the contract suite of the store it stands for (`tests/contract`). No production code
imports them.
"""
