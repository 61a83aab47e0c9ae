"""The Ibutsu Server's tables.

They run on PostgreSQL and on SQLite, so nothing here is PostgreSQL's alone: its extra
indexes are made by the migrations only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Of every model."""


db = SQLAlchemy(model_class=Base)

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model

Json = sa.JSON().with_variant(JSONB(), "postgresql")
Id = sa.Uuid(as_uuid=False)


def utc_now() -> datetime:
    """Now, without a time zone, as the columns hold it."""
    return datetime.now(UTC).replace(tzinfo=None)


def _new_id() -> str:
    return str(uuid4())


def _id() -> Mapped[str]:
    return mapped_column(Id, primary_key=True, unique=True, default=_new_id)


def _reference(target: str, name: str | None = None, **options: Any) -> Mapped[Any]:
    key = sa.ForeignKey(
        target,
        name=name,
        ondelete=options.pop("ondelete", None),
        use_alter=options.pop("use_alter", False),
    )
    return mapped_column(Id, key, index=True, **options)


def _text(**options: Any) -> Mapped[str | None]:
    return mapped_column(sa.Text, index=True, **options)


def _json() -> Mapped[Any]:
    return mapped_column(Json, nullable=True)


def _timestamp(**options: Any) -> Mapped[datetime]:
    return mapped_column(
        sa.DateTime, nullable=False, index=True, default=utc_now, **options
    )


users_projects = sa.Table(
    "users_projects",
    Base.metadata if TYPE_CHECKING else db.metadata,
    sa.Column("user_id", Id, sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("project_id", Id, sa.ForeignKey("projects.id"), primary_key=True),
)


class Group(Model):
    """Who owns projects together."""

    __tablename__ = "groups"

    id: Mapped[str] = _id()
    name: Mapped[str | None] = _text()
    data: Mapped[Any] = _json()


class User(Model):
    """A person or a robot with a login."""

    __tablename__ = "users"

    id: Mapped[str] = _id()
    email: Mapped[str] = mapped_column(sa.Text, nullable=False, index=True, unique=True)
    _password: Mapped[str | None] = mapped_column(sa.Text)
    name: Mapped[str | None] = mapped_column(sa.Text)
    activation_code: Mapped[str | None] = mapped_column(sa.Text)
    is_superadmin: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    is_active: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    group_id: Mapped[str | None] = _reference("groups.id")


class Dashboard(Model):
    """A page of widgets."""

    __tablename__ = "dashboards"

    id: Mapped[str] = _id()
    title: Mapped[str | None] = _text()
    description: Mapped[str | None] = mapped_column(sa.Text)
    filters: Mapped[str | None] = mapped_column(sa.Text)
    project_id: Mapped[str | None] = _reference(
        "projects.id", name="fk_dashboards_project_id"
    )
    user_id: Mapped[str | None] = _reference("users.id")


class Project(Model):
    """What test runs belong to."""

    __tablename__ = "projects"

    id: Mapped[str] = _id()
    name: Mapped[str | None] = _text()
    title: Mapped[str | None] = _text()
    owner_id: Mapped[str | None] = _reference("users.id")
    group_id: Mapped[str | None] = _reference("groups.id")
    default_dashboard_id: Mapped[str | None] = _reference(
        "dashboards.id", name="fk_project_default_dashboard", use_alter=True
    )


class WidgetConfig(Model):
    """A widget on a dashboard or in a project's views."""

    __tablename__ = "widget_configs"

    id: Mapped[str] = _id()
    project_id: Mapped[str | None] = _reference("projects.id")
    dashboard_id: Mapped[str | None] = _reference("dashboards.id")
    title: Mapped[str | None] = _text()
    type: Mapped[str | None] = _text()
    widget: Mapped[str | None] = _text()
    weight: Mapped[int | None] = mapped_column(sa.Integer, index=True)
    navigable: Mapped[bool | None] = mapped_column(sa.Boolean, index=True)
    params: Mapped[Any] = _json()


class Import(Model):
    """An uploaded archive on its way into the tables."""

    __tablename__ = "imports"

    id: Mapped[str] = _id()
    filename: Mapped[str | None] = _text()
    format: Mapped[str | None] = _text()
    status: Mapped[str | None] = _text()
    data: Mapped[Any] = _json()
    created: Mapped[datetime] = _timestamp(server_default=sa.func.now())


class ImportFile(Model):
    """The bytes of an import; they go with it."""

    __tablename__ = "import_files"

    id: Mapped[str] = _id()
    content: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    import_id: Mapped[str] = _reference(
        "imports.id", ondelete="CASCADE", nullable=False
    )


class Run(Model):
    """One run of a test suite."""

    __tablename__ = "runs"

    id: Mapped[str] = _id()
    component: Mapped[str | None] = _text()
    env: Mapped[str | None] = _text()
    source: Mapped[str | None] = _text()
    created: Mapped[datetime] = _timestamp()
    data: Mapped[Any] = _json()
    duration: Mapped[float | None] = mapped_column(sa.Float, index=True)
    project_id: Mapped[str | None] = _reference("projects.id")
    start_time: Mapped[datetime] = _timestamp()
    summary: Mapped[Any] = _json()


class Result(Model):
    """What became of one test in one run."""

    __tablename__ = "results"

    id: Mapped[str] = _id()
    component: Mapped[str | None] = _text()
    env: Mapped[str | None] = _text()
    result: Mapped[str | None] = _text()
    source: Mapped[str | None] = _text()
    test_id: Mapped[str | None] = _text()
    data: Mapped[Any] = _json()
    params: Mapped[Any] = _json()
    duration: Mapped[float | None] = mapped_column(sa.Float, index=True)
    project_id: Mapped[str | None] = _reference("projects.id")
    run_id: Mapped[str | None] = _reference("runs.id")
    start_time: Mapped[datetime] = _timestamp()


class Artifact(Model):
    """A file kept with a result or a run."""

    __tablename__ = "artifacts"

    id: Mapped[str] = _id()
    content: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    filename: Mapped[str | None] = _text()
    data: Mapped[Any] = _json()
    result_id: Mapped[str | None] = _reference("results.id")
    run_id: Mapped[str | None] = _reference("runs.id")
    upload_date: Mapped[datetime] = _timestamp()


class Token(Model):
    """An API token of a user."""

    __tablename__ = "tokens"

    id: Mapped[str] = _id()
    name: Mapped[str] = mapped_column(sa.Text, nullable=False)
    token: Mapped[str] = mapped_column(sa.Text, nullable=False)
    expires: Mapped[datetime | None] = mapped_column(sa.DateTime)
    user_id: Mapped[str | None] = _reference("users.id")
