"""The call log in PostgreSQL.

    connect       a bounded pool with deadlines; faults to ours; the check of the schema
    call_log      PostgresCallBook: acknowledged facts, and each call's row that follows from them
    archive       whole calls, page by page, for export and verify
    erasure       PostgresEraser: takes words and numbers out of it, by age or one person's
    *.sql         every statement, named
    migrate       brings a database to the newest schema
    migrations/   its steps: NNNN_pre_… runs before the code that needs it, NNNN_post_… after

Imports `ports`, `core`, `errors`.
"""
