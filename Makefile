# Every developer command. `make` or `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
# Two at a time; the output of each stays together.
BOTH := $(MAKE) --no-print-directory -j2 --output-sync=target
DRIVER := dbapi dbapi_leaks dialect interrupt pipeline pipeline_blocks pipeline_migrations reflection values
# A worker for each core, each with a server of its own; groups share what is dear.
PYTEST := $(PY) -m pytest -n auto --maxprocesses 4 --dist loadgroup

.PHONY: help demo test check libpq stress pgbouncer setup ready lint fix types layers c-test fuzz stubs \
	static bench bench-network conformance alembic-suite alembic matrix servers clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: ## The handbook's workflow on a throwaway PostgreSQL, told line by line
	@tools/bootstrap.sh demo
	@$(PY) tools/demo

test: ready ## Everything that must hold; what CI runs
	@$(BOTH) static
	@$(PYTEST)

check: ready ## What needs no server, in less than a minute
	@$(BOTH) static
	@$(PYTEST) $(wildcard tests/unit tests/differential tests/native)

stress: ready ## Safe runs for long: herds of runners, killed leaders, PgBouncer: make stress [ROUNDS=100]
	@ROUNDS=$(or $(ROUNDS),100) $(PY) -m pytest -s -o faulthandler_timeout=0 tests/db/stress/stress_*.py

pgbouncer: ready ## The driver's tests through a real PgBouncer in transaction mode
	@$(PY) -m pytest -q -p pgbouncer $(addprefix tests/db/test_,$(addsuffix .py,$(DRIVER)))

setup: ready ## Build everything into .venv
	@echo "Ready: .venv"

ready:
	@tools/bootstrap.sh test

static: lint types layers c-test stubs

lint: ready ## ruff, clang-format
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@.venv/bin/clang-format --dry-run -Werror $$(tools/c_files.sh)

fix: ready ## Let ruff and clang-format change the files
	@$(PY) -m ruff check --fix
	@$(PY) -m ruff format
	@.venv/bin/clang-format -i $$(tools/c_files.sh)

types: ready ## mypy, strict
	@$(PY) -m mypy

layers: ready ## Who may include and import what
	@$(PY) tools/check_layers.py

stubs: ready ## The .pyi files against the extensions that were built
	@$(PY) tools/check_stubs.py

c-test: ready ## The C tests and the fuzz corpora, under AddressSanitizer and UBSan
	@$(PY) tools/c_tests.py

.PHONY: analyze
analyze: ready ## gcc -fanalyzer over csrc/
	@$(PY) tools/analyze.py

fuzz: ready ## libFuzzer: make fuzz [F=scan] [T=60]
	@$(PY) tools/fuzz.py $(if $(F),--target $(F)) $(if $(T),--seconds $(T))

bench: ready ## Side by side with stock Alembic and psycopg2: make bench [SAVE=1]
	@$(PY) benchmarks/run.py $(if $(SAVE),--save)
	@$(PY) benchmarks/cli.py

bench-network: ready ## A server far away, and many rows, with psycopg beside: make bench-network [SAVE=1]
	@$(PY) -m pip install -q "psycopg[binary]"
	@$(PY) benchmarks/pipeline.py $(if $(SAVE),--save)
	@$(PY) benchmarks/bulk.py $(if $(SAVE),--save)

alembic-suite: ready ## Alembic's own tests with the graph in C and without: [A=1.19.2]
	@$(PY) tools/alembic_suite.py $(A)

conformance: ready ## SQLAlchemy's and Alembic's own suites on the C driver
	@$(PY) tools/conformance.py

matrix: ready ## Python 3.11 to 3.14, as far as they can be had: make matrix [P=3.13]
	@$(PY) tools/matrix.py $(P)

libpq: ready ## The driver built and tested with libpq 14 to 18: make libpq [L="14 17"]
	@$(PY) tools/libpq.py $(L)

servers: ready ## Safe runs on PostgreSQL 14 to 18, fetched by pip: make servers [S="14 17"]
	@$(PY) tools/servers.py $(S)

.PHONY: histories
histories: ready ## Migrations of well-known applications on the driver and on psycopg2: make histories [H="mlflow zou"]
	@$(PY) tools/known_histories.py $(H)

clean: ## Delete everything that was made here
	rm -rf .venv .cache build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -f ibutsu_migrate/*.so
