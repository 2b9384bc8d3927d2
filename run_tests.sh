#!/usr/bin/env bash
# Set up, then every check: lint, types, tests. Arguments go to pytest, as in ./run_tests.sh -k record
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python -m pytest -n auto "$@"
