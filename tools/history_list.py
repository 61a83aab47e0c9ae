"""The well-known histories that ``known_histories.py`` runs."""

from __future__ import annotations

from dataclasses import dataclass, field

TOOLS = (
    "alembic==1.20.1",
    "psycopg2-binary==2.9.13",
    "setuptools==84.2.1",
    "wheel==0.48.0",
)
"""What each virtual environment has besides the application."""


@dataclass(frozen=True)
class History:
    """An application's migrations.

    Attributes:
        package: Its name and version; installed without what it requires.
        folders: Of the revisions, in the installed package.
        needs: What the revisions import besides.
        modules: Other packages that are installed without what they require.
        sqlalchemy: The version; what the application asks for, as new as may be.
        until: The target of ``alembic upgrade``.
        each: Whether each revision is a transaction of its own, as its env.py says.
        environ: Variables that its code reads; HERE is the folder of the history.
        prelude: Lines of env.py that its revisions need; may set ``metadata``.
        prepare: A program that makes what the first revision expects.
    """

    package: str
    folders: tuple[str, ...]
    needs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    sqlalchemy: str = "2.1.9"
    until: str = "heads"
    each: bool = False
    environ: dict[str, str] = field(default_factory=dict)
    prelude: str = ""
    prepare: str = ""


# Names that its later revisions know the constraints of the earlier ones by.
PHOENIX = """
import sqlalchemy
metadata = sqlalchemy.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_`%(constraint_name)s`",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""

LANGFLOW = """
import sqlalchemy
metadata = sqlalchemy.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""

# mlflow's first tables are older than its history.
MLFLOW = """
import os
import sqlalchemy
from mlflow.store.tracking.dbmodels.initial_models import Base
Base.metadata.create_all(sqlalchemy.create_engine(os.environ["HISTORY_URL"]))
"""

AIRFLOW = """
import sqlalchemy
metadata = sqlalchemy.MetaData(
    naming_convention={
        "ix": "idx_%(column_0_N_label)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)
"""

PREFECT = """
import sqlalchemy
metadata = sqlalchemy.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s__%(column_0_N_name)s",
        "uq": "uq_%(table_name)s__%(column_0_N_name)s",
        "ck": "ck_%(table_name)s__%(constraint_name)s",
        "fk": "fk_%(table_name)s__%(column_0_N_name)s__%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""

ZOU = (
    *("Authlib==1.9.10", "Flask-Caching==2.5.1", "Flask-JWT-Extended==4.7.4"),
    *("Flask-Mail==0.10.0", "Flask-Migrate==4.1.0", "SQLAlchemy-Utils==0.43.0"),
    *("babel==2.18.0", "fido2==2.2.1", "flasgger==0.9.7.1"),
    *("flask-cors==6.0.5", "flask-fs2==0.8.2", "meilisearch==0.43.0"),
    *("orjson==3.13.0", "pysaml2==7.5.5", "python-dateutil==2.9.0.post0"),
    *("pytz==2026.6", "redis==8.1.0", "ua-parser==1.0.2"),
)

HISTORIES = {
    "phoenix": History(
        "arize-phoenix==20.26.1",
        ("phoenix/db/migrations/versions",),
        ("typing-extensions==4.16.0",),
        each=True,
        prelude=PHOENIX,
    ),
    "mlflow": History(
        "mlflow==3.18.0",
        ("mlflow/store/db_migrations/versions",),
        (
            *("PyYAML==6.0.4", "cachetools==8.0.2", "click==8.5.1"),
            *("cryptography==50.0.2", "databricks-sdk==0.162.0", "fastapi==0.165.0"),
            *("importlib-metadata==10.2.0", "opentelemetry-proto==1.45.2"),
            *("opentelemetry-sdk==1.45.2", "packaging==26.4", "protobuf==7.36.2"),
            *("pydantic==2.14.4", "requests==2.34.2", "sqlparse==0.6.1"),
        ),
        prepare=MLFLOW,
    ),
    "zou": History(
        "zou==1.0.97",
        ("zou/migrations/versions",),
        ZOU,
        environ={"SECRET_KEY": "0123456789abcdef" * 4},
    ),
    # What the first revision of the other stands for.
    "zou-legacy": History(
        "zou==1.0.97",
        ("zou/migrations/versions/legacy",),
        ZOU,
        environ={"SECRET_KEY": "0123456789abcdef" * 4},
    ),
    "airflow": History(
        "apache-airflow-core==3.3.2",
        ("airflow/migrations/versions",),
        (
            *("PyYAML==6.0.4", "aiosqlite==0.22.1", "click==8.5.1"),
            *("cryptography==50.0.2", "dill==0.4.1", "importlib-metadata==10.2.0"),
            *("itsdangerous==2.2.0", "jsonschema==4.26.0", "methodtools==0.4.7"),
            *("lazy-object-proxy==1.13.0", "opentelemetry-sdk==1.45.2"),
            *("packaging==26.4", "pathspec==1.1.1", "pendulum==3.3.0"),
            *("pluggy==1.7.0", "pydantic==2.14.4", "pygtrie==2.6.2"),
            *("structlog==26.1.0", "uuid6==2025.0.1"),
        ),
        modules=("apache-airflow-task-sdk==1.3.2",),
        sqlalchemy="2.0.58",
        each=True,
        environ={"AIRFLOW_HOME": "HERE/home"},
        prelude=AIRFLOW,
    ),
    "ckan": History("ckan==2.12.0", ("ckan/migration/versions",)),
    "langflow": History(
        "langflow-base==1.13.0",
        ("langflow/alembic/versions",),
        (
            *("fastapi==0.165.0", "langchain-core==1.8.3", "lfx==1.13.0"),
            *("orjson==3.13.0", "sqlmodel==0.0.50"),
        ),
        sqlalchemy="2.0.58",
        prelude=LANGFLOW,
    ),
    "open-webui": History(
        "open_webui==0.12.4",
        ("open_webui/migrations/versions",),
        (
            *("Markdown==3.11.3", "aiohttp==3.14.5", "aiosqlite==0.22.1"),
            *("beautifulsoup4==4.15.0", "cryptography==50.0.2", "orjson==3.13.0"),
            *("python-engineio==4.15.1", "typer==0.29.2", "uvicorn==0.54.0"),
        ),
        sqlalchemy="2.0.58",
        environ={"WEBUI_SECRET_KEY": "0123456789abcdef" * 4},
    ),
    "prefect": History(
        "prefect==3.9.1",
        ("prefect/server/database/_migrations/versions/postgresql",),
        (
            *("Jinja2==3.1.6", "PyYAML==6.0.4", "anyio==4.16.0", "httpx==0.28.1"),
            *("asgi-lifespan==2.1.0", "cachetools==8.0.2", "cloudpickle==3.1.3"),
            *("coolname==5.0.0", "fsspec==2026.9.0", "greenlet==3.5.6"),
            "griffe==2.4.1",
            *("humanize==4.17.0", "jinja2-humanize-extension==0.4.0"),
            *("jsonschema==4.26.0", "opentelemetry-sdk==1.45.2", "orjson==3.13.0"),
            *("packaging==26.4", "pathspec==1.1.1", "pendulum==3.3.0"),
            *("prometheus_client==0.26.0", "pydantic-extra-types==2.11.1"),
            *("pydantic-settings==2.16.3", "python-dateutil==2.9.0.post0"),
            *("python-slugify==9.2.0", "pytz==2026.6", "rich==15.0.0"),
            *("starlette==1.10.0", "toml==0.10.2", "websockets==17.4"),
            *("whenever==0.11.0",),
        ),
        until="9e9dadc36797",  # the next one has a "%" that psycopg2 does not take
        each=True,
        prelude=PREFECT,
    ),
}
"""By the names that the command line knows."""
