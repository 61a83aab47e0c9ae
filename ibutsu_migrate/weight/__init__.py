"""What a SQL statement weighs: which locks it takes, what it rewrites, scans, destroys.

    words.py     a walk over the lexer's tokens
    locks.py     lock modes and the answer's shape
    alter.py     ALTER TABLE, action by action
    columns.py   columns that are added, or get another type
    create.py    CREATE and DROP
    queries.py   SELECT, INSERT, UPDATE, DELETE, MERGE; WITH
    calls.py     functions that a text calls
    meanwhile.py what earlier statements make doubtful
    rules.py     every other verb, and ``weigh()``

Rules by kind of statement, as PostgreSQL documents and does them: nothing is executed.
What has no rule is not known, and is said to be so. ``docs/design/plan.md``.
"""
