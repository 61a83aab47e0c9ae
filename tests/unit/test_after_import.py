"""A callback after an import that has not happened yet."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from ibutsu_migrate._after_import import after_import


def test_called_once_after_the_module_was_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imig_late.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    seen: list[object] = []
    after_import(
        "imig_late", lambda: seen.append(getattr(sys.modules["imig_late"], "value", 0))
    )
    assert seen == []
    module = importlib.import_module("imig_late")
    assert seen == [1]
    assert sys.meta_path == finders, "the finder goes away"
    importlib.reload(module)
    assert seen == [1]
    after_import("imig_late", lambda: seen.append(2))
    assert seen == [1, 2], "at once for a module that is there"
    monkeypatch.delitem(sys.modules, "imig_late")


def test_a_module_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    after_import("imig_nowhere", lambda: pytest.fail("called"))
    with pytest.raises(ModuleNotFoundError, match="imig_nowhere"):
        importlib.import_module("imig_nowhere")
