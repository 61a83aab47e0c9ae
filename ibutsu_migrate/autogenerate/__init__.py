"""What this package adds to Alembic's autogenerate."""
