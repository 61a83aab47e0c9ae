"""What the driver can do, in the words of SQLAlchemy's own test suite.

Imported by that suite, from the unpacked sdist. Its requirements name drivers; these
are the places where this driver has to be named too.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Neither has annotations, and the second is not installed: it is the sdist's.
exclusions: Any = import_module("sqlalchemy.testing.exclusions")
DefaultRequirements: Any = import_module("test.requirements").DefaultRequirements


class Requirements(DefaultRequirements):  # type: ignore[misc]
    """As for psycopg2, and multiranges as for psycopg.

    ``json_deserializer_binary`` stays closed: a ``json_deserializer`` is given str.
    """

    @property
    def pyformat_paramstyle(self) -> Any:
        """``%(name)s``."""
        return exclusions.open()

    @property
    def infinity_floats(self) -> Any:
        """Infinity and NaN."""
        return exclusions.open()

    @property
    def range_types(self) -> Any:
        """Range objects."""
        return exclusions.open()

    @property
    def multirange_types(self) -> Any:
        """Multirange objects."""
        return exclusions.only_on("postgresql >= 14")

    @property
    def any_psycopg_compatibility(self) -> Any:
        """Behaves as psycopg2 and psycopg do."""
        return exclusions.open()

    @property
    def psycopg_or_pg8000_compatibility(self) -> Any:
        """Behaves as psycopg2, psycopg and pg8000 do."""
        return exclusions.open()

    @property
    def native_hstore(self) -> Any:
        """The driver returns dict."""
        return exclusions.open()
