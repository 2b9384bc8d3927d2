#!/usr/bin/env bash
# Set up, then every check: lint, types, tests. Arguments go to pytest, as in ./run_tests.sh -k record
# The last lines of each part say how many tests were skipped, and why; a skip without a reason is a failure.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

$bin/ruff check .
$bin/ruff format --check .
$bin/mypy
# Arguments that choose no test of one of the two kinds are no failure (status 5).
$bin/python -m pytest -n auto --dist worksteal -m "not alone" "$@" || [ $? -eq 5 ]
# What times something has the machine for itself.
$bin/python -m pytest -m alone "$@" || [ $? -eq 5 ]
