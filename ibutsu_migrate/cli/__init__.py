"""The program ``ibutsu-migrate``: Alembic's commands, some of them without Alembic.

    program.py    where it starts, how it ends
    arguments.py  a command line that needs no argparse
    answers.py    heads, history, show, branches from the scan
    check.py      check-history
    settings.py   config
    envfile.py    whether env.py is the hook, for config
    ask.py        what log, verify and plan have in common
    log.py        log
    verify.py     verify
    plan.py       plan
    stock.py      everything else: the real Alembic

Only this package prints and exits. ``docs/design/cli.md`` says how it is quick.
"""
