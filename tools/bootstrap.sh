#!/usr/bin/env bash
# Makes .venv ready: `tools/bootstrap.sh demo` or `tools/bootstrap.sh test`.
#
# Stamps in .venv/stamps say what was installed and built from which files; where they
# still hold, this costs a few milliseconds. What the system lacks is installed when
# root, and named in one apt-get line otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:?usage: tools/bootstrap.sh demo|test}
stamps=.venv/stamps
python=.venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { printf '# %s\n' "$*" >&2; }

# --- what is needed ------------------------------------------------------------------

servers() {
    ls -d /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb 2>/dev/null || true
    command -v pg_config initdb || true
    echo "${IBUTSU_MIGRATE_PG_BIN:-}"
}

installed_key() {
    { servers; cat pyproject.toml tools/bootstrap.sh; } | sha256sum
}

built_key() {
    { cat setup.py; find csrc -name '*.[ch]' -print0 | sort -z | xargs -0 sha256sum; } |
        sha256sum
}

holds() { # STAMP KEY
    [[ -f $stamps/$1 && $(<"$stamps/$1") == "$2" ]]
}

set_stamp() { # STAMP KEY
    mkdir -p "$stamps"
    printf '%s\n' "$2" >"$stamps/$1"
}

# What is good for the tests is good for the demo: they install more, and build with
# warnings as errors.
is_done() { # installed|built
    local key
    key=$("$1_key")
    holds "$1-test" "$key" || { [[ $profile == demo ]] && holds "$1-demo" "$key"; }
}

# The scripts in .venv/bin name its folder: after a move they do not start.
is_whole() {
    [[ -x $python ]] && head -n 2 .venv/bin/pip | grep -qF "$PWD/.venv/" &&
        $python -c ''
} 2>/dev/null

# --- the system's packages -----------------------------------------------------------

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    say "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python3 ..."
    exit 1
}

# The prefix of Debian's packages for that Python; empty for one that is not Debian's.
debian_name() {
    "$1" - <<'PY'
import os, sys
if sys.prefix == "/usr":
    version = f"python3.{sys.version_info.minor}"
    default = os.path.realpath("/usr/bin/python3").endswith(version)
    print("python3" if default else version)
PY
}

missing_packages() {
    local base=$1 name
    name=$(debian_name "$base")
    "$base" -c 'import ensurepip, venv' 2>/dev/null || echo "${name:-python3}-venv"
    "$base" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
        echo "${name:-python3}-dev"
    command -v gcc >/dev/null || echo gcc
    [[ -f /usr/include/stdio.h ]] || echo libc6-dev
    has_libpq || echo libpq-dev
}

# As setup.py's pg_config_candidates().
has_libpq() {
    local pg_config include
    for pg_config in "${IBUTSU_MIGRATE_PG_CONFIG:-}" "${PG_CONFIG:-}" pg_config \
        /usr/lib/postgresql/*/bin/pg_config; do
        include=$("$pg_config" --includedir 2>/dev/null) || continue
        [[ -f $include/libpq-fe.h || -f $include/postgresql/libpq-fe.h ]] && return
    done
    return 1
}

system_packages() {
    local base=$1 missing
    mapfile -t missing < <(missing_packages "$base")
    ((${#missing[@]})) || return 0
    if ! command -v apt-get >/dev/null; then
        say "The system lacks what Debian calls: ${missing[*]}"
        exit 1
    fi
    if ((EUID != 0)); then
        say "The system lacks some packages. As root, then try again:"
        echo "apt-get install -y ${missing[*]}"
        exit 1
    fi
    say "apt-get install ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
    mapfile -t missing < <(missing_packages "$base")
    ((${#missing[@]})) || return 0
    say "$base still lacks: ${missing[*]}"
    exit 1
}

# --- the virtual environment ---------------------------------------------------------

make_environment() {
    local base=$1
    is_whole && return
    say "virtual environment .venv, $("$base" -V)"
    rm -rf .venv
    "$base" -m venv .venv
}

install() {
    # The demo's app has a driver of its own, as the Ibutsu Server has.
    local wanted=(-e '.[flask]' psycopg2-binary)
    [[ $profile == demo ]] || wanted=(-e '.[test,lint]')
    say "pip install ${wanted[*]}"
    $python -m pip install -q 'setuptools>=77'
    # An isolated build would fetch setuptools a second time.
    $python -m pip install -q --no-build-isolation "${wanted[@]}"
    # pip has built both extensions on the way.
    set_stamp "built-$profile" "$(built_key)"
    has_server || $python -m pip install -q --no-build-isolation -e ".[embedded]"
}

has_server() {
    $python -c 'from ibutsu_migrate.testing.servers import find_server; find_server()' \
        2>/dev/null
}

build() {
    say "building the C extensions"
    $python setup.py -q build_ext --inplace --force
    set_stamp "built-$profile" "$(built_key)"
}

main() {
    local base
    # Only the tests ask a compiler that we do not know to be without warnings.
    [[ $profile == demo ]] || export IBUTSU_MIGRATE_WERROR=1
    mkdir -p .cache
    exec 9>.cache/bootstrap.lock
    flock 9
    if ! is_whole || ! is_done installed; then
        base=$(find_python)
        system_packages "$base"
        make_environment "$base"
        install
        set_stamp "installed-$profile" "$(installed_key)"
    fi
    is_done built || build
    # The demo copies these with their compiled files; nothing else runs them here.
    [[ -d tests/server/__pycache__ ]] || $python -m compileall -q tests/server alembic
}

main
