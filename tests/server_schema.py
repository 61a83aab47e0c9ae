"""The server's schema at head, written by hand: what catalogues are held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# "!": not null; "+": index ix_<table>_<column>; "->": refers to.
SCHEMA = """
groups: id uuid !; name text +; data jsonb
users: id uuid !; email text !; _password text; name text; activation_code text;
 is_superadmin boolean !; is_active boolean !; group_id uuid + ->groups
dashboards: id uuid !; title text +; description text; filters text;
 project_id uuid + ->projects; user_id uuid + ->users
projects: id uuid !; name text +; title text +; owner_id uuid + ->users;
 group_id uuid + ->groups; default_dashboard_id uuid + ->dashboards
widget_configs: id uuid !; project_id uuid + ->projects;
 dashboard_id uuid + ->dashboards; title text +; type text +; widget text +;
 weight integer +; navigable boolean +; params jsonb
imports: id uuid !; filename text +; format text +; status text +; data jsonb;
 created timestamp ! +
import_files: id uuid !; content bytea; import_id uuid ! + ->imports
runs: id uuid !; component text +; env text +; source text +; created timestamp ! +;
 data jsonb; duration float +; project_id uuid + ->projects; start_time timestamp ! +;
 summary jsonb
results: id uuid !; component text +; env text +; result text +; source text +;
 test_id text +; data jsonb; params jsonb; duration float +;
 project_id uuid + ->projects; run_id uuid + ->runs; start_time timestamp ! +
artifacts: id uuid !; content bytea; filename text +; data jsonb;
 result_id uuid + ->results; run_id uuid + ->runs; upload_date timestamp ! +
tokens: id uuid !; name text !; token text !; expires timestamp; user_id uuid + ->users
users_projects: user_id uuid ! ->users; project_id uuid ! ->projects
"""
POSTGRESQL_TYPES = {
    "timestamp": "timestamp without time zone",
    "float": "double precision",
}
SQLITE_TYPES = {
    "uuid": "CHAR(32)",
    "jsonb": "JSON",
    "bytea": "BLOB",
    "timestamp": "DATETIME",
}
FOREIGN_KEY_NAMES = {
    ("dashboards", "project_id"): "fk_dashboards_project_id",
    ("projects", "default_dashboard_id"): "fk_project_default_dashboard",
}
BUILD = "((data -> 'jenkins'::text) ->> 'build_number'::text)"
JOB = "((data -> 'jenkins'::text) ->> 'job_name'::text)"
POSTGRESQL_ONLY = {
    "results": {
        "btree (((data ->> 'assignee'::text)))",
        "btree (((data ->> 'classification'::text)))",
        "btree (((data ->> 'exception_name'::text)))",
        f"btree (({BUILD}))",
        f"btree (({JOB}))",
        "gin (((data -> 'requirements'::text)))",
        "gin (((data -> 'tags'::text)))",
        "btree (component, env, project_id, start_time DESC)",
        "btree (component, start_time, result, project_id)",
        "btree (result, ((data ->> 'SatelliteVersion'::text)), project_id, run_id, "
        "((data ->> 'SnapVersion'::text)))",
    },
    "runs": {
        f"btree (({BUILD}))",
        f"btree (({JOB}))",
        f"btree (({BUILD}), ({JOB}))",
        "gin (summary)",
        "gin (((data -> 'tags'::text)))",
        "btree ((((summary ->> 'pass_percent'::text))::integer))",
    },
}


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    flags: frozenset[str]
    target: str | None

    def is_filled(self, table: str) -> bool:
        """Whether it has a default in the database."""
        return (table, self.name) == ("imports", "created")


def schema() -> Iterator[tuple[str, list[Column]]]:
    for line in SCHEMA.strip().replace("\n ", " ").splitlines():
        table, _, columns = line.partition(": ")
        yield table, [parse(column.split()) for column in columns.split(";")]


def parse(words: list[str]) -> Column:
    name, kind, *rest = words
    targets = [word[2:] for word in rest if word.startswith("->")]
    flags = frozenset(word for word in rest if word in ("!", "+"))
    return Column(name, kind, flags, targets[0] if targets else None)


Catalogue = dict[str, set[tuple[Any, ...]]]


def expected_catalogue() -> Catalogue:
    """What PostgreSQL's catalogue must say at head."""
    found: Catalogue = {"columns": set(), "indexes": set(), "constraints": set()}
    for table, columns in schema():
        key = "user_id, project_id" if table == "users_projects" else "id"
        found["constraints"].add((table, f"{table}_pkey", f"PRIMARY KEY ({key})"))
        found["indexes"].add((table, f"btree ({key})", True))
        for column in columns:
            kind = POSTGRESQL_TYPES.get(column.type, column.type)
            default = "now()" if column.is_filled(table) else None
            row = (table, column.name, kind, "!" in column.flags, default)
            found["columns"].add(row)
            if "+" in column.flags:
                found["indexes"].add((table, f"btree ({column.name})", False))
            if column.target is not None:
                found["constraints"].add(foreign_key(table, column))
    found["indexes"].add(("users", "btree (email)", True))
    for table, definitions in POSTGRESQL_ONLY.items():
        found["indexes"].update((table, text, False) for text in definitions)
    return found


def foreign_key(table: str, column: Column) -> tuple[str, str, str]:
    default = f"{table}_{column.name}_fkey"
    name = FOREIGN_KEY_NAMES.get((table, column.name), default)
    cascade = " ON DELETE CASCADE" if table == "import_files" else ""
    text = f"FOREIGN KEY ({column.name}) REFERENCES {column.target}(id){cascade}"
    return table, name, text
