"""``check-history``: what is wrong with the revision files, told."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from ..colours import failed
from ..errors import IbutsuMigrateError
from ..layout import find_layout
from ..revisions.check import Report, check_history
from .program import FAILED, options_of, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..revisions.records import Finding
    from .arguments import Asked

SCHEMA: Final = "ibutsu-migrate/check-history/1"
# More of one kind is a consequence of something; --json has them all.
_SHOWN: Final = 10


def run(asked: Asked) -> int:
    """Check the history and print the findings.

    Args:
        asked: The command line.

    Returns:
        0 where nothing is wrong, 1 where something is, 255 where there is no history.
    """
    try:
        options = options_of(asked)
        # Files that are not static may import what env.py can.
        sys.path[:0] = options.paths("prepend_sys_path", "path_separator")
        layout = find_layout(options)
        report = check_history(layout, allow_branches="allow_branches" in asked.flags)
    except IbutsuMigrateError as error:
        print(failed(str(error)), file=sys.stderr)
        return FAILED
    if not asked.quiet:
        write(as_json(report) if "json" in asked.flags else as_text(report))
    return 0 if report.ok else 1


def as_json(report: Report) -> str:
    """The report for programs; ``docs/reference/cli.md`` has the schema."""
    told = {
        "schema": SCHEMA,
        "ok": report.ok,
        "files": report.files,
        "revisions": len(report.revisions),
        "bases": report.bases,
        "heads": report.heads,
        "findings": [asdict(each) for each in report.findings],
    }
    return json.dumps(told, indent=2) + "\n"


def as_text(report: Report) -> str:
    """The report for people: a line and a remedy for each finding, then the sum."""
    lines: list[str] = []
    for finding in _first_of_each_kind(report.findings):
        lines += [
            f"{_place(finding)}: {finding.level}: {finding.message}",
            f"    {finding.remedy}",
        ]
    return "\n".join([*lines, *_left_out(report.findings), _sum(report)]) + "\n"


def _first_of_each_kind(findings: Iterable[Finding]) -> Iterator[Finding]:
    seen: Counter[str] = Counter()
    for finding in findings:
        seen[finding.kind] += 1
        if seen[finding.kind] <= _SHOWN:
            yield finding


def _left_out(findings: Iterable[Finding]) -> Iterator[str]:
    for kind, count in Counter(each.kind for each in findings).items():
        if count > _SHOWN:
            yield f"... and {count - _SHOWN} more of {kind}; --json lists them."


def _place(finding: Finding) -> str:
    """``file:line``, from the working directory where that is shorter."""
    file = os.path.relpath(finding.file)
    file = finding.file if file.startswith(os.pardir) else file
    return f"{file}:{finding.line}" if finding.line else file


def _sum(report: Report) -> str:
    counts = Counter(each.level for each in report.findings)
    heads = "head" if len(report.heads) == 1 else "heads"
    ends = f", {heads} {', '.join(report.heads)}" if report.heads else ""
    revisions = _counted(len(report.revisions), "revision")
    what = f"{revisions} in {_counted(report.files, 'file')}{ends}"
    if not counts["error"]:
        return f"Nothing is wrong: {what}."
    return f"{_counted(counts['error'], 'error')}: {what}."


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
