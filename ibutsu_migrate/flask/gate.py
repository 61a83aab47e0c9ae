"""Is this process about to serve, or was the app made in order to migrate?"""

from __future__ import annotations

import sys


def is_starting() -> bool:
    """Whether an app that is being made now is one that starts to work.

    It is not where an env.py is at work (``alembic`` calls the app's factory), and
    not where Flask's command line makes the app to look a command up in it: that is
    how ``flask db upgrade`` begins, and an app that refused then could never be
    migrated. ``flask run``, ``flask shell`` and ``flask routes`` are Flask's own
    commands: they make the app afterwards, in a context of their own.

    Source: ``flask.cli.FlaskGroup.get_command``; ``alembic.util.langhelpers``
    (``_proxy`` is set while an ``EnvironmentContext`` is entered).
    """
    return not (_inside_env() or _looking_up_a_command())


def _inside_env() -> bool:
    context = sys.modules.get("alembic.context")
    return getattr(context, "_proxy", None) is not None


def _looking_up_a_command() -> bool:
    import click
    from flask.cli import FlaskGroup

    context = click.get_current_context(silent=True)
    return context is not None and isinstance(context.command, FlaskGroup)
