"""What PostgreSQL's own grammar says of a SQL text, through pglast (libpg_query)."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from .sql_compare import Expected

# Only those who make the table have it: nothing for mypy to look for.
pglast: Any = import_module("pglast")
ast: Any = import_module("pglast.ast")
enums: Any = import_module("pglast.enums")

_SELECTS: Final = ["SELECT", "TABLE", "VALUES", "WITH"]
_CHANGES: Final = {
    ast.InsertStmt: "INSERT",
    ast.UpdateStmt: "UPDATE",
    ast.DeleteStmt: "DELETE",
    ast.MergeStmt: "MERGE",
}
_TRANSACTION: Final = {
    "BEGIN": "BEGIN",
    "START": "BEGIN",
    "COMMIT": "COMMIT",
    "ROLLBACK": "ROLLBACK",
    "SAVEPOINT": "SAVEPOINT",
    "RELEASE": "RELEASE",
    "ROLLBACK_TO": "ROLLBACK_TO",
    "PREPARE": "PREPARE_TRANSACTION",
    "COMMIT_PREPARED": "COMMIT_PREPARED",
    "ROLLBACK_PREPARED": "ROLLBACK_PREPARED",
}
_OTHERS: Final = {
    "CallStmt": "CALL",
    "CheckPointStmt": "CHECKPOINT",
    "ClosePortalStmt": "CLOSE",
    "ClusterStmt": "CLUSTER",
    "CommentStmt": "COMMENT",
    "ConstraintsSetStmt": "SET",
    "DeallocateStmt": "DEALLOCATE",
    "DeclareCursorStmt": "DECLARE",
    "DiscardStmt": "DISCARD",
    "DoStmt": "DO",
    "ExecuteStmt": "EXECUTE",
    "ExplainStmt": "EXPLAIN",
    "ImportForeignSchemaStmt": "IMPORT",
    "ListenStmt": "LISTEN",
    "LoadStmt": "LOAD",
    "LockStmt": "LOCK",
    "NotifyStmt": "NOTIFY",
    "PrepareStmt": "PREPARE",
    "ReassignOwnedStmt": "REASSIGN",
    "RefreshMatViewStmt": "REFRESH",
    "ReindexStmt": "REINDEX",
    "SecLabelStmt": "SECURITY",
    "TruncateStmt": "TRUNCATE",
    "UnlistenStmt": "UNLISTEN",
    "VariableShowStmt": "SHOW",
    # DefineStmt, RenameStmt and the like are found by their names.
    "CompositeTypeStmt": "CREATE",
    "DefineStmt": "CREATE",
    "IndexStmt": "CREATE",
    "RenameStmt": "ALTER",
    "RuleStmt": "CREATE",
    "ViewStmt": "CREATE",
}
_ROWS: Final = {"CALL", "EXECUTE", "EXPLAIN", "FETCH", "SHOW"}


def _verb(node: Any) -> str:
    """The verb of what is neither a query nor a change."""
    kind = type(node).__name__
    if kind == "TransactionStmt":
        return _TRANSACTION[node.kind.name.removeprefix("TRANS_STMT_")]
    if kind == "CopyStmt":
        if node.filename is not None or node.is_program:
            return "COPY_OTHER"
        return "COPY_IN" if node.is_from else "COPY_OUT"
    if kind == "VacuumStmt":
        return "VACUUM" if node.is_vacuumcmd else "ANALYZE"
    if kind == "VariableSetStmt":
        reset = (enums.VariableSetKind.VAR_RESET, enums.VariableSetKind.VAR_RESET_ALL)
        return "RESET" if node.kind in reset else "SET"
    if kind == "FetchStmt":
        return "MOVE" if node.ismove else "FETCH"
    if kind in ("GrantStmt", "GrantRoleStmt"):
        return "GRANT" if node.is_grant else "REVOKE"
    if kind in _OTHERS:
        return _OTHERS[kind]
    return next(v for v in ("CREATE", "ALTER", "DROP") if kind.startswith(v.title()))


def _option(options: Any, *names: str) -> list[Any]:
    return [o.arg for o in options or () if o.defname in names]


def _is_false(arg: Any) -> bool:
    """As defGetBoolean."""
    if arg is None:
        return False
    if isinstance(arg, ast.Integer):
        return bool(arg.ival == 0)
    if isinstance(arg, ast.Boolean):
        return not arg.boolval
    if isinstance(arg, ast.TypeName):  # a bare word that is not reserved
        arg = arg.names[-1]
    return str(getattr(arg, "sval", "")).lower() in ("false", "off")


def _own_subscription(node: Any) -> bool:
    kind = node.kind.name if hasattr(node, "kind") else "CREATE"
    if kind == "CREATE":
        said = _option(node.options, "connect", "create_slot")
        return not any(_is_false(arg) for arg in said)
    if kind == "ALTER_SUBSCRIPTION_REFRESH":
        return True
    if kind.endswith("_PUBLICATION"):
        return not any(_is_false(arg) for arg in _option(node.options, "refresh"))
    if kind == "ALTER_SUBSCRIPTION_OPTIONS":
        return bool(_option(node.options, "failover", "two_phase"))
    return False


def _own_transaction(node: Any) -> bool:
    """A caller of PreventInTransactionBlock, as far as a text can tell."""
    kind = type(node).__name__
    if kind in ("CreateSubscriptionStmt", "AlterSubscriptionStmt"):
        return _own_subscription(node)
    if kind == "IndexStmt":
        return bool(node.concurrent)
    if kind == "DropStmt":
        return bool(node.concurrent)
    if kind == "ReindexStmt":
        said = _option(node.params, "concurrently")
        many = node.kind.name.removeprefix("REINDEX_OBJECT_")
        several = many in ("SCHEMA", "SYSTEM", "DATABASE")
        return several or bool(said and not _is_false(said[-1]))
    if kind == "AlterTableStmt":
        return any(getattr(c.def_, "concurrent", False) for c in node.cmds)
    if kind == "AlterDatabaseStmt":
        # With a second option AlterDatabase refuses before it looks.
        return [option.defname for option in node.options or ()] == ["tablespace"]
    if kind == "ClusterStmt":
        return node.relation is None
    if kind == "DiscardStmt":
        return bool(node.target == enums.DiscardMode.DISCARD_ALL)
    if kind == "VacuumStmt":
        return bool(node.is_vacuumcmd)
    if kind == "TransactionStmt":
        return bool(node.kind.name.endswith("_PREPARED"))
    always = (
        "CreatedbStmt",
        "DropdbStmt",
        "CreateTableSpaceStmt",
        "DropTableSpaceStmt",
    )
    return kind in (*always, "AlterSystemStmt", "DropSubscriptionStmt")


def _returns_rows(node: Any) -> bool:
    if isinstance(node, ast.SelectStmt):
        first = node
        while first.larg is not None:
            first = first.larg
        return first.intoClause is None
    if type(node) in _CHANGES:
        # libpg_query 18 keeps the list in a ReturningClause, earlier ones bare.
        return bool(getattr(node, "returningClause", None)) or bool(
            getattr(node, "returningList", None)
        )
    return _verb(node) in _ROWS


def _relation(node: Any) -> list[str]:
    return [part for part in (node.schemaname, node.relname) if part]


def _name(node: Any) -> list[str]:
    kind = type(node).__name__
    if kind in ("CreateStmt", "AlterTableStmt", "RefreshMatViewStmt"):
        return _relation(node.relation) if node.relation.catalogname is None else []
    if kind == "ViewStmt":
        return _relation(node.view) if node.view.catalogname is None else []
    if kind == "IndexStmt":
        return [node.idxname] if node.idxname else []
    if kind == "TransactionStmt" and node.savepoint_name:
        return [node.savepoint_name]
    if kind in ("CreatedbStmt", "DropdbStmt"):
        return [node.dbname]
    tables = ("OBJECT_TABLE", "OBJECT_INDEX", "OBJECT_VIEW", "OBJECT_SEQUENCE")
    if kind == "DropStmt" and node.removeType.name in tables:
        return [part.sval for part in node.objects[0]]
    return []


def expected(sql: str) -> Expected | None:
    """What must be said of a text; None where the grammar refuses it."""
    try:
        trees = [raw.stmt for raw in pglast.parse_sql(sql)]
    except pglast.parser.ParseError:
        return None
    facts = Expected(
        statements=len(trees),
        verbs=["NONE"],
        main_verbs=["NONE"],
        returns_rows=any(map(_returns_rows, trees)),
        transaction_control=any(isinstance(n, ast.TransactionStmt) for n in trees),
        own_transaction=any(map(_own_transaction, trees)),
        name=[],
    )
    if not trees:
        return facts
    first = trees[0]
    facts["name"] = _name(first)
    if isinstance(first, ast.SelectStmt):
        facts["verbs"] = facts["main_verbs"] = _SELECTS
    elif type(first) in _CHANGES:
        facts["main_verbs"] = [_CHANGES[type(first)]]
        facts["verbs"] = ["WITH"] if first.withClause else facts["main_verbs"]
    else:
        facts["verbs"] = facts["main_verbs"] = [_verb(first)]
    return facts
