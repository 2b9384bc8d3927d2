#!/usr/bin/env bash
# The check itself, set up by variables so that nothing of a pull request is ever read as code.
set -euo pipefail

mkdir -p "$FOLDER"
{
    echo "markdown=$FOLDER/latency.md"
    echo "benchmark-json=$FOLDER/latency.json"
} >>"${GITHUB_OUTPUT:-/dev/null}"
strict=()
if [ "$STRICT" = true ]; then strict=(--strict); fi
exec "$PYTHON" -m bench.regress --base "$BASE" --models "$MODELS" --input "$INPUT" --backend "$BACKEND" \
    --threads "$THREADS" --threshold "$THRESHOLD" --budget "$BUDGET" "${strict[@]}" \
    --results "$FOLDER/results" --markdown "$FOLDER/latency.md" --benchmark-json "$FOLDER/latency.json"
