# Every target is a script that also runs without make. `make` alone prints this help.
.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast check bench lock clean
ARGS ?=

help:       ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
setup:      ## make the environment in .venv (pinned packages, plugins, the webmacs command)
	@scripts/setup
run:        ## set up if need be, then start everything; Ctrl-C stops it
	@scripts/run $(ARGS)
test:       ## checks, then the whole suite on SQLite and PostgreSQL (ARGS="-k login" picks tests)
	@scripts/test $(ARGS)
test-fast:  ## the tests without browser and processes, on SQLite
	@scripts/test-fast $(ARGS)
check:      ## lint, types, import contracts, templates
	@scripts/check
bench:      ## the benchmarks
	@scripts/bench $(ARGS)
lock:       ## compile the pinned lists from requirements/*.in (ARGS=--upgrade)
	@scripts/lock $(ARGS)
clean:      ## remove the environment and the caches; your data stays
	@scripts/clean
