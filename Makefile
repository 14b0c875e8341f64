# Every target explains itself: `make help`.
.DEFAULT_GOAL := help
PY := .venv/bin/python
ARGS ?=
# many processes start here: compiling the same files again in each costs seconds
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: ## one contract day on the lab: installs what is missing; ARGS=--once ends with a summary, ARGS="--once --json" prints it as JSON, ARGS="--since 2026-02-03" replays the contract
	@scripts/bootstrap demo
	@.venv/bin/yunwei demo $(ARGS)

test: ## everything CI runs: format, types, walls, tests on SQLite and PostgreSQL
	@scripts/bootstrap test
	@scripts/test

bench: ## the product against its peers, side by side: writes docs/benchmarks.md; ARGS="--quick" in under 5 minutes on two cores, ARGS="snmp-pysnmp" for one row, ARGS="--list" for the names
	@scripts/bootstrap test
	@scripts/bench $(ARGS)

chaos: ## things die on purpose, at every commit and step; nothing is lost, nothing happens twice; ARGS="--seed N --quick", ARGS="crash" for some, ARGS="--list" for the names
	@scripts/bootstrap test
	@scripts/chaos $(ARGS)

bundle: ## an archive that installs where there is no internet (Debian 12, amd64), in var/bundle/
	@scripts/bootstrap demo
	@$(PY) scripts/bundle.py $(ARGS)

bundle-test: ## installs that archive on a fresh Debian 12 with the network cut and runs `make demo ARGS=--once` there (root)
	@scripts/bundle-test $(ARGS)

check: ## format, lint, types, walls: the fast half of `make test`
	@scripts/check

check-shared: ## checks on the reference data: make check-shared DIR=path
	@scripts/bootstrap test
	@$(PY) scripts/check_shared.py "$(DIR)"

lock: ## renew the lock files (with hashes, without addresses)
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade pyproject.toml -o requirements.lock
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade pyproject.toml --group dev -o requirements-dev.lock
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --upgrade bench/peers.in -o bench/peers.lock

messages: ## renew the English catalogue's source
	@$(PY) scripts/messages.py

.PHONY: help demo test bench chaos bundle bundle-test check check-shared lock messages
