#!/usr/bin/env bash
# Set up, measure every network on this machine, find joints with the weights that come along, make the report.
# Safe to interrupt and to run again: what has its record is not measured a second time (delete results/local to start
# afresh).
#
#   ./run_all.sh           the paper's protocol, under 10 minutes on 2 cores
#   ./run_all.sh --quick   a first look in two to three minutes, marked as such
set -euo pipefail

quick=()
case "${1:-}" in
    "") ;;
    --quick) quick=(--quick) ;;
    *) echo "error: unknown option $1: run ./run_all.sh or ./run_all.sh --quick" >&2; exit 2 ;;
esac

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
python=.venv/bin/python

if [ ${#quick[@]} -eq 0 ]; then
    $python -m bench.complexity --missing --input 256x192,384x288
    $python -m bench.complexity --missing --input 256x256 --joints 16
else
    $python -m bench.complexity --missing
fi
$python -m bench.speed --missing --device cpu "${quick[@]}"
if $python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    $python -m bench.speed --missing --device cuda "${quick[@]}"
fi
# Drawn people, which the bundled weights learnt from: it shows that all works, and says nothing of photographs.
$python -m bench.accuracy --missing
$python -m bench.data synthetic --images 24 --seed 2000003 --out results/local/drawn --quiet >/dev/null
$python -m bench.predict results/local/drawn --out reports/local/people
$python -m bench.report
