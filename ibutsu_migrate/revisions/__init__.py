"""Revision files to headers to graph to Alembic's ``Script`` and ``RevisionMap``.

    files.py     which files                    Script._list_py_dir
    history.py   files or objects to a graph    RevisionMap._revision_map
    lookup.py    id to Revision, made on touch  RevisionMap._revision_map's dict
    script.py    Script that imports on touch   Script, RevisionStep
    map.py       questions and plans            RevisionMap
    install.py   puts them into Alembic         ScriptDirectory

``docs/design/graph.md`` says how they work together.

``map``, ``history``, ``script`` and ``files`` are imported by the plugin when Alembic
is: import ``alembic.script`` before them.
"""
