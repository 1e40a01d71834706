# What a person or a pipeline runs. `make run` and `make test` set everything up first.
# Make ends with 130 after Ctrl-C and 143 after SIGTERM, as shells expect; the daemon ended cleanly before.

UV := uv==0.13.9
ARGS ?=
KILLS ?= 200

.PHONY: help run test test-slow test-faults test-browser screenshots check format bench bench-footprint .venv
.DEFAULT_GOAL := help

help:
	@echo "make run    set up, then run the daemon with private stores under var/"
	@echo "make test   set up, then run the default tests (ARGS=... goes to pytest)"
	@echo "make check  lint, format, types, layers, lock file"
	@echo "make format repair what ruff can repair"
	@echo "make test-slow, make bench, make bench-footprint"
	@echo "make test-faults    break what can be broken, for minutes (ARGS=... goes to pytest; KILLS=200)"
	@echo "make test-browser   the pairing page in Debian's Chromium (packages chromium, chromium-driver)"
	@echo "make screenshots    take the pictures under docs/pairing/ anew"

run: .venv
	@exec .venv/bin/lyrox run --setup

test: .venv
	@exec .venv/bin/python -m pytest $(ARGS)

test-slow: .venv
	@exec .venv/bin/python -m pytest -m slow $(ARGS)

test-faults: .venv
	.venv/bin/python -m pytest -m faults -n 1 $(ARGS)
	@exec .venv/bin/python -m tests.faults.kills --kills $(KILLS) --resume

test-browser: .venv
	@exec .venv/bin/python -m pytest -m browser -n 0 $(ARGS)

screenshots: .venv
	@exec .venv/bin/python -m tests.browser.screenshots docs/pairing

check: .venv
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/uv lock --check --offline --quiet

format: .venv
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

bench: .venv
	@exec .venv/bin/python -m benchmarks.pipeline $(ARGS)

bench-footprint: .venv
	@exec .venv/bin/python -m benchmarks.footprint $(ARGS)

# The environment. Its stamp names the folder it was made in, because scripts in it hold that path.
.venv: .venv/.made

ifneq ($(shell cat .venv/.made 2>/dev/null),$(CURDIR))
.PHONY: .venv/.made
endif

.venv/.made: pyproject.toml uv.lock
	@say() { echo "lyrox: $$*" >&2; }; \
	fits() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }; \
	complete() { "$$1" -c 'import ensurepip, venv' 2>/dev/null; }; \
	python= missing=; \
	for name in python3 python3.13 python3.12 python3.11; do \
		if fits $$name; then python=$${python:-$$name}; if complete $$name; then python=$$name; break; fi; fi; \
	done; \
	if [ -z "$$python" ]; then missing="Python 3.11, 3.12 or 3.13 (package python3)"; \
	elif ! complete $$python; then missing="the venv and pip modules of $$python (package python3-venv)"; fi; \
	command -v git >/dev/null || missing="$${missing:+$$missing and }git (package git)"; \
	if [ -n "$$missing" ]; then say "please install $$missing, then run make again."; exit 1; fi; \
	set -e; \
	rm -f $@; \
	if ! fits .venv/bin/python || ! grep -qF "$(CURDIR)/.venv" .venv/bin/activate 2>/dev/null; then \
		say "making .venv with $$($$python --version)"; \
		$$python -m venv --clear .venv; \
	fi; \
	say "installing $(UV) into .venv"; \
	.venv/bin/python -m pip install --disable-pip-version-check $(UV); \
	say "installing the locked dependencies (about 300 MB the first time)"; \
	env -u VIRTUAL_ENV -u CONDA_PREFIX -u UV_PYTHON UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never \
		.venv/bin/uv sync --frozen --all-extras --python .venv/bin/python; \
	echo "$(CURDIR)" > $@
