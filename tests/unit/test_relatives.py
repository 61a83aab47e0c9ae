"""Which servers are PostgreSQL, by what they say themselves."""

from __future__ import annotations

import pytest

from ibutsu_migrate.engine.relatives import is_postgresql

GCC = "on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit"


@pytest.mark.parametrize(
    "version",
    [
        f"PostgreSQL 15.18 (Debian 15.18-0+deb12u1) {GCC}",
        f"PostgreSQL 14.0 {GCC}",
        f"PostgreSQL 18beta1 {GCC}",
        f"PostgreSQL 17.2-patched {GCC}",
        f"PostgreSQL 15.2 (EnterpriseDB Advanced Server 15.2.0) {GCC}",
        "PostgreSQL 17.0 on x86_64-windows, compiled by msvc-19.41.34120, 64-bit",
        "PostgreSQL 16.1, compiled by Visual C++ build 1937, 64-bit",
        "PostgreSQL 16.4 on aarch64-apple-darwin23, compiled by Apple clang, 64-bit",
    ],
)
def test_postgresql(version: str) -> None:
    assert is_postgresql(version)


@pytest.mark.parametrize(
    "version",
    [
        "CockroachDB CCL v25.1.0 (x86_64-pc-linux-gnu, built 2025/02/18, go1.22)",
        f"PostgreSQL 15.2-YB-2.25.0.0-b0 {GCC}",
        f"PostgreSQL 9.4.26 (Greenplum Database 6.25.3) {GCC}",
        "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC 3.4.2, Redshift 1.0.6",
        f"PostgreSQL 14.9 (Materialize v0.99.0) {GCC}",
        "PostgreSQL 13.14.0-RisingWave-2.0.0 (abcdef)",
        "PostgreSQL 12.3, compiled by Visual C++ build 1914, 64-bit, QuestDB",
        "PostgreSQL 14.2 server protocol using H2 2.2.224 (2023-09-17)",
        "PostgreSQL 16",
        "PostgreSQL 14.1",
        f"PostgreSQL 13.9 {GCC}",
        "",
    ],
)
def test_relatives(version: str) -> None:
    assert not is_postgresql(version)
