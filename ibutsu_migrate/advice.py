"""Words for what goes wrong: the cause, the state things are in, what to type next.

Pure functions over what other parts found; nothing here asks a database, prints or
imports Alembic, SQLAlchemy or Flask. ``troubles`` hooks them into Alembic.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

from .blame import failed_at
from .errors import IbutsuMigrateError

STOPPED_OUTSIDE: Final = (
    "stopped by a signal while nothing was being done in the database."
)

_SHOWN_SQL: Final = 300


@dataclass(frozen=True, slots=True)
class _Cause:
    """One way in which connecting fails.

    Attributes:
        sqlstates: As the server reports it; drivers lose it for some failures.
        pattern: As libpq or the server says it in English. Compiled when it is first
            needed: every `alembic` command imports this, few ever fail.
        says: The cause.
        remedy: What to do next.
    """

    sqlstates: frozenset[str]
    pattern: str
    says: str
    remedy: str


def _cause(sqlstates: str, pattern: str, says: str, remedy: str) -> _Cause:
    return _Cause(frozenset(sqlstates.split()), pattern, says, remedy)


# In this order: the first that fits is taken. Sources: PostgreSQL, "Error Codes";
# libpq's fe-connect.c for what it says by itself; strerror() for the system's part.
_CAUSES: Final = (
    _cause(
        "28P01",
        r"password authentication failed|no password supplied|SCRAM",
        "the server refuses the password",
        "Check user and password: the URL, PGPASSWORD, ~/.pgpass.",
    ),
    _cause(
        "3D000",
        r"database \"[^\"]*\" does not exist",
        "the server has no such database",
        "Create it (`createdb NAME`) or correct the name in the URL.",
    ),
    _cause(
        "57P03",
        r"the database system is (starting up|shutting down|in recovery)|"
        r"not yet accepting connections",
        "the server is starting or stopping",
        "Wait for it (`pg_isready`) and type the command again.",
    ),
    _cause(
        "53300",
        r"too many clients|remaining connection slots|too many connections",
        "the server has no connection left",
        "Close idle connections, or raise max_connections.",
    ),
    _cause(
        "28000",
        r"role \"[^\"]*\" does not exist|no pg_hba\.conf entry|"
        r"(peer|ident|certificate|GSSAPI) authentication failed|"
        r"not permitted to log in",
        "the server does not let this user in",
        "Check the user's name, that it may log in, and the server's pg_hba.conf.",
    ),
    _cause(
        "42501",
        r"permission denied for database|"
        r"User does not have CONNECT privilege",
        "the user may not connect to this database",
        "As its owner: GRANT CONNECT ON DATABASE name TO user.",
    ),
    _cause(
        "",
        r"could not translate host name|name or service not known|"
        r"nodename nor servname|temporary failure in name resolution",
        "the host name is not known",
        "Check the host in the URL (POSTGRESQL_HOST, PGHOST).",
    ),
    _cause(
        "",
        r"connection refused",
        "nothing listens there (connection refused)",
        "Start the server, or check host and port in the URL.",
    ),
    _cause(
        "",
        r"timeout expired|timed out|connection timeout",
        "the server is silent: no answer within connect_timeout",
        "Check host, port and firewall; ?connect_timeout=SECONDS in the URL waits "
        "longer.",
    ),
    _cause(
        "",
        r"no route to host|network is unreachable",
        "the network does not lead there",
        "Check the host in the URL and the network.",
    ),
    _cause(
        "",
        r"no such file or directory",
        "there is no server socket in that folder",
        "Start the server, or name its host in the URL.",
    ),
    _cause(
        "",
        r"does not support SSL|SSL error|certificate|SSL SYSCALL",
        "the two sides do not agree on TLS",
        "Check sslmode and sslrootcert in the URL against the server's settings.",
    ),
    _cause(
        "08001 08004 08006",
        r"server closed the connection|connection reset|could not receive data|"
        r"unable to open database file|connection to server .* failed",
        "the connection failed",
        "Check that it is a PostgreSQL server, and its log.",
    ),
)


# Those of the causes that go away by themselves, in a pod that starts with its server.
_PASSING: Final = frozenset(
    (
        "the server is starting or stopping",
        "the host name is not known",
        "nothing listens there (connection refused)",
        "the server is silent: no answer within connect_timeout",
        "the network does not lead there",
        "there is no server socket in that folder",
        "the connection failed",
    )
)


def _driver_error(error: BaseException) -> BaseException:
    """The driver's own error inside SQLAlchemy's."""
    found = getattr(error, "orig", None)
    return found if isinstance(found, BaseException) else error


def _sqlstate(error: BaseException) -> str | None:
    """SQLSTATE as this driver, psycopg (``sqlstate``) or psycopg2 (``pgcode``) has."""
    for name in ("sqlstate", "pgcode"):
        found = getattr(error, name, None)
        if isinstance(found, str):
            return found
    return None


def scrub(text: str, url: object) -> str:
    """Take a URL's password out of a text, as it is and as URLs spell it.

    Args:
        text: What a library said.
        url: A SQLAlchemy URL, or anything.
    """
    query = getattr(url, "query", {})
    for secret in (getattr(url, "password", None), query.get("password")):
        for one in (secret,) if isinstance(secret, str) else (secret or ()):
            for spelling in {one, quote(one, safe=""), quote_plus(one)} - {""}:
                text = text.replace(spelling, "***")
    return text


def _where(url: object) -> str:
    """A database as people name it: without password, without driver."""
    name = getattr(url, "database", None)
    host, port = getattr(url, "host", None), getattr(url, "port", None)
    user = getattr(url, "username", None)
    parts = [
        f' "{name}"' if name else "",
        f" at {host}" if host else "",
        f":{port}" if host and port else "",
        f' as "{user}"' if user else "",
    ]
    return "the database" + "".join(parts)


def _cause_of(error: BaseException) -> _Cause | None:
    state, text = _sqlstate(error), str(error)
    for cause in _CAUSES:
        if state is not None and state in cause.sqlstates:
            return cause
    found = (cause for cause in _CAUSES if re.search(cause.pattern, text, re.I))
    return next(found, None)


def is_connection_failure(error: BaseException) -> bool:
    """Whether a driver's error came from connecting, not from a statement."""
    driver = _driver_error(error)
    of_driver = any(kind.__name__ == "Error" for kind in type(driver).__mro__)
    statement = getattr(error, "statement", None)
    return of_driver and statement is None and _cause_of(driver) is not None


def is_not_up_yet(error: BaseException) -> bool:
    """Whether a connection that fails now may succeed when the server has started.

    Args:
        error: The driver's exception, bare or inside SQLAlchemy's.
    """
    cause = _cause_of(_driver_error(error))
    return cause is not None and cause.says in _PASSING


def explain_connection_failure(error: BaseException, url: object = None) -> str:
    """Say why a database cannot be connected to.

    Args:
        error: The driver's exception, bare or inside SQLAlchemy's.
        url: The SQLAlchemy URL that was tried, where it is known.

    Returns:
        What happened; what the library said; what to do. The URL's password is in
        none of them.
    """
    driver = _driver_error(error)
    cause = _cause_of(driver)
    said = scrub(str(driver).strip(), url) or type(driver).__name__
    if cause is None:
        return f"Cannot use {_where(url)}.\n{said}"
    return f"Cannot connect to {_where(url)}: {cause.says}.\n{said}\n{cause.remedy}"


_DENIED: Final = (
    r"permission denied for (?P<kind>schema|table|relation|sequence|database|function)"
    r" (?P<name>\S+)"
)


def explain_no_rights(
    error: BaseException, role: str | None, *, reading: bool = False
) -> str | None:
    """Say which right is missing, and the GRANT that gives it.

    Args:
        error: The driver's exception, bare or inside SQLAlchemy's.
        role: Who was connected, where it is known.
        reading: Whether nothing but reading was tried.

    Returns:
        None where the error is not about rights.
    """
    driver = _driver_error(error)
    grant = missing_grant(error, role, reading=reading)
    if grant is None:
        return None
    who = f'"{role}"' if role else "..."
    remedy = f"As the owner or a superuser:  {grant};"
    found = re.search(_DENIED, str(driver))
    if found is None:
        return (
            f"The role {who} may use no schema of its search_path, so it has no place "
            f"to create anything.\n{remedy}"
        )
    kind, name = found["kind"], found["name"].strip('"')
    denied = f'permission denied for {kind} "{name}"'
    return f"The role {who} may not do this: {denied}.\n{remedy}"


def missing_grant(
    error: BaseException, role: str | None, *, reading: bool = False
) -> str | None:
    """The GRANT whose absence is the error.

    Args:
        error: The driver's exception, bare or inside SQLAlchemy's.
        role: Who was connected, where it is known.
        reading: Whether nothing but reading was tried.

    Returns:
        None where the error is not about rights, or no GRANT gives them.
    """
    driver = _driver_error(error)
    who = f'"{role}"' if role else "..."
    if _sqlstate(driver) == "3F000" and "no schema has been selected" in str(driver):
        return f'GRANT USAGE, CREATE ON SCHEMA "public" TO {who}'
    found = re.search(_DENIED, str(driver))
    if _sqlstate(driver) != "42501" or found is None:
        return None
    kind, name = found["kind"], found["name"].strip('"')
    writing = {"schema": "USAGE, CREATE", "database": "CREATE"}.get(kind, "ALL")
    read = {"schema": "USAGE", "database": "CONNECT"}.get(kind, "SELECT")
    what = "TABLE" if kind == "relation" else kind.upper()
    return f'GRANT {read if reading else writing} ON {what} "{name}" TO {who}'


def explain_look_failure(error: BaseException, url: object) -> str:
    """Say why the version table could not be read.

    Args:
        error: The driver's exception, from connecting or from the one statement.
        url: The SQLAlchemy URL.
    """
    role = getattr(url, "username", None)
    rights = explain_no_rights(error, role, reading=True)
    return rights or explain_connection_failure(error, url)


def not_up_to_date(
    database: Collection[str], heads: Collection[str], missing: int, program: str
) -> str:
    """Advice for ``Target database is not up to date.`` of autogenerate.

    Args:
        database: Revisions the database is at.
        heads: Heads of the files.
        missing: Revisions not applied.
        program: ``alembic`` or ``flask db``.
    """
    at = ", ".join(sorted(database)) or "no revision"
    some = "1 revision is" if missing == 1 else f"{missing} revisions are"
    target = "head" if len(heads) == 1 else "heads"
    return (
        f"The database is at {at}, the files end at {', '.join(sorted(heads))}: {some} "
        "not applied, and a difference taken now would contain them again.\n"
        f"Type `{program} upgrade {target}`, then this command again."
    )


def unknown_in_database(
    unknown: str, heads: Collection[str], program: str, arrival: str | None = None
) -> str:
    """Advice where the database is stamped with a revision that no file has.

    Args:
        unknown: That revision.
        heads: Heads of the files.
        program: ``alembic`` or ``flask db``.
        arrival: What the history knows of how it came there.
    """
    ends = ", ".join(sorted(heads)) or "no revision"
    known = f"{arrival[:1].upper()}{arrival[1:]}.\n" if arrival else ""
    return (
        f"The database is stamped with {unknown!r}, and no revision file has this id: "
        "it is ahead of these files (newer or other code migrated it), or the file was "
        f"deleted or renamed. These files end at {ends}. Nothing was changed.\n"
        f"{known}"
        "Use the code that has the file; `git log --all --oneline -S "
        f"{unknown} -- '*.py'` looks for it.\n"
        "Only if it is gone for good and the schema is that of a revision you have: "
        f"`{program} stamp --purge REVISION`."
    )


def unknown_argument(argument: str, known: Collection[str], program: str) -> str:
    """Advice where somebody typed a revision that no file has.

    Args:
        argument: What was typed.
        known: Ids and labels of the files.
        program: ``alembic`` or ``flask db``.
    """
    import difflib

    near = difflib.get_close_matches(argument, sorted(known), n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"No revision file has an id or a branch label that begins with {argument!r}, "
        f"and no database was changed.{meant}\n"
        f"`{program} history` lists the revisions."
    )


def empty_baseline(tables: Collection[str], program: str) -> str:
    """Warning for a first revision that came out empty because the tables are there.

    Args:
        tables: Tables of the models, all of them in the database already.
        program: ``alembic`` or ``flask db``.
    """
    count = f"{len(tables)} table{'s' if len(tables) != 1 else ''}"
    return (
        f"The first revision is empty: this database already has the {count} of the "
        "models, so there was no difference to write. A new database upgraded with it "
        "would stay empty.\n"
        "Delete the file. Point the URL to an empty database, type "
        f'`{program} revision --autogenerate -m "Initial baseline"`, and review it.\n'
        f"Then, on this database and each like it, type `{program} stamp head`."
    )


def _one_line(error: BaseException) -> str:
    driver = _driver_error(error)
    text = str(driver).strip() or type(driver).__name__
    return f"{type(driver).__name__}: {text}"


def explain_revision_failure(
    error: BaseException, folders: Iterable[Path], program: str = "alembic"
) -> str | None:
    """Say which line of which revision file failed.

    Args:
        error: What was raised; a SyntaxError names its own place.
        folders: Version locations.
        program: ``alembic`` or ``flask db``.

    Returns:
        None where no revision file took part.
    """
    guilty = failed_at(error, folders)
    if guilty is None:
        return None
    file, line, function = guilty
    if isinstance(error, SyntaxError):
        return (
            f"The revision file {file}:{line} is not valid Python: {error.msg}.\n"
            "The database was not changed. Correct the file."
        )
    statement = getattr(error, "statement", None)
    sql = f"\nSQL: {str(statement).strip()[:_SHOWN_SQL]}" if statement else ""
    if function == "<module>":
        return (
            f"The revision file {file}:{line} cannot be loaded.\n{_one_line(error)}\n"
            "The database was not changed. Correct the file."
        )
    return (
        f"The revision failed at {file}:{line}, in {function}().\n"
        f"{_one_line(error)}{sql}\n"
        "On PostgreSQL its open transaction was rolled back; "
        f"`{program} current` says where the database is. Correct the file."
    )


def explain(
    error: BaseException,
    *,
    url: object = None,
    folders: Iterable[Path] = (),
    program: str = "alembic",
) -> str | None:
    """Say what an error means, where this package knows more than a traceback.

    Args:
        error: Anything that came out of a command.
        url: The database's URL, where it is known.
        folders: Version locations, where they are known.
        program: ``alembic`` or ``flask db``.

    Returns:
        Lines, the first of which is a whole sentence; None for anything else.
    """
    if isinstance(error, IbutsuMigrateError):
        return scrub(str(error), url)
    if isinstance(error, ImportError) and str(error).startswith("Can't find Python"):
        # alembic.util.pyfiles.load_python_file
        file = Path(str(error).removeprefix("Can't find Python file "))
        return (
            f"There is no {file.name} in {file.parent}, so there is no migration "
            f"environment there.\nMake one with `{program} init FOLDER`, or correct "
            "script_location."
        )
    if is_connection_failure(error):
        return explain_connection_failure(error, url)
    role = getattr(url, "username", None)
    rights = explain_no_rights(error, role)
    broken = explain_revision_failure(error, folders, program)
    said = rights or broken
    if rights and broken:
        said = f"{rights}\n{broken.splitlines()[0]}"
    return scrub(said, url) if said is not None else None
