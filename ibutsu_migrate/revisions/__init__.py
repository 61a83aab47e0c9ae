"""Revision files to headers to graph to Alembic's ``Script`` and ``RevisionMap``."""
