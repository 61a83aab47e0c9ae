"""The libpq driver: PEP 249 module and SQLAlchemy dialect ``postgresql+ibutsu``."""
