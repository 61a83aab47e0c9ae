"""The dict of ids, labels and the base to Revision objects, filled when touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .history import History


class Lookup(dict[Any, Any]):
    """``RevisionMap._revision_map`` without a Revision for every file.

    What has been looked up stands in the dict itself. Reading all of it makes all
    objects; writing to it does too, and tells the owner, whose graph then no longer
    answers for the history.

    Args:
        history: Where objects come from.
        on_write: Called once, before the first change.
    """

    def __init__(self, history: History, on_write: Callable[[], object]) -> None:
        super().__init__({None: None, (): None})
        self._history: History | None = history
        self._on_write: Callable[[], object] | None = on_write

    def __missing__(self, key: object) -> Any:
        if self._history is None or not isinstance(key, str):
            raise KeyError(key)
        node = self._history.graph.find(key)
        if node < 0:
            raise KeyError(key)
        return dict.setdefault(self, key, self._history.at(node))

    def _fill(self) -> None:
        """Put in all there is, in Alembic's order: ids, labels, the base."""
        history = self._history
        if history is None:
            return
        everything = {name: self[name] for name in self._names(history)}
        dict.clear(self)
        dict.update(self, everything)
        self._history = None

    def _change(self) -> None:
        self._fill()
        if self._on_write is not None:
            told, self._on_write = self._on_write, None
            told()

    def _names(self, history: History) -> list[Any]:
        return [*history.graph.ids, *history.graph.labels(), None, ()]

    def __contains__(self, key: object) -> bool:
        if dict.__contains__(self, key):
            return True
        history = self._history
        return (
            history is not None
            and isinstance(key, str)
            and history.graph.find(key) >= 0
        )

    def get(self, key: Any, default: Any = None) -> Any:
        """As ``dict.get``."""
        try:
            return self[key]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[Any]:
        history = self._history
        return dict.__iter__(self) if history is None else iter(self._names(history))

    def __len__(self) -> int:
        history = self._history
        return dict.__len__(self) if history is None else len(self._names(history))

    def __bool__(self) -> bool:
        return True


def _reading(name: str) -> Any:
    """A method of dict that needs all entries."""
    stock = getattr(dict, name)

    def method(self: Lookup, *args: Any, **kwargs: Any) -> Any:
        self._fill()
        return stock(self, *args, **kwargs)

    return method


def _writing(name: str) -> Any:
    """A method of dict that changes entries."""
    stock = getattr(dict, name)

    def method(self: Lookup, *args: Any, **kwargs: Any) -> Any:
        self._change()
        return stock(self, *args, **kwargs)

    return method


for _name in ("keys", "values", "items", "copy", "__eq__", "__ne__", "__repr__"):
    setattr(Lookup, _name, _reading(_name))
for _name in ("__or__", "__ror__", "__reversed__"):
    setattr(Lookup, _name, _reading(_name))
for _name in ("__setitem__", "__delitem__", "__ior__", "setdefault", "update"):
    setattr(Lookup, _name, _writing(_name))
for _name in ("pop", "popitem", "clear"):
    setattr(Lookup, _name, _writing(_name))
