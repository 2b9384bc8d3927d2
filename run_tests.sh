#!/usr/bin/env bash
# Set up, then every check: lint, types, tests. Arguments go to pytest, as in ./run_tests.sh -k record
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python -m pytest -n auto -m "not alone" "$@"
# What times something has the machine for itself. Arguments that choose none of these are no failure (status 5).
.venv/bin/python -m pytest -m alone "$@" || [ $? -eq 5 ]
if [ $# -eq 0 ] && git rev-parse --quiet --verify HEAD~1 >/dev/null; then
    echo "For information: is this revision slower than the one before it?"
    .venv/bin/python -m bench.regress --base HEAD~1 --models lightweight_mobilenetv3 --budget 40 || true
fi
