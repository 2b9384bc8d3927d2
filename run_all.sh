#!/usr/bin/env bash
# Set up, measure every network on this machine, find joints with the weights that come along, make the report.
# Safe to interrupt and to run again: what has its record is not measured a second time (delete results/local to start
# afresh).
#
#   ./run_all.sh           the paper's protocol on the paper's eight networks
#   ./run_all.sh --quick   a first look in a few minutes, marked as such
set -euo pipefail

quick=()
people=()
case "${1:-}" in
    "") ;;
    --quick)
        quick=(--quick)
        people=(--images 40) # a set of its own, smaller than the usual one
        ;;
    *) echo "error: unknown option $1: run ./run_all.sh or ./run_all.sh --quick" >&2; exit 2 ;;
esac

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
python=$bin/python
# "${quick[@]}" of nothing is an error in the bash of macOS, hence the longer form below.
export LIGHTPOSE_PARENT=$$ # commands end with this script, however it ends

step() { echo "== $1" >&2; }

step "1 of 5: counting parameters and multiply-adds"
if [ ${#quick[@]} -eq 0 ]; then
    $python -m bench.complexity --missing --input 256x192,384x288
    $python -m bench.complexity --missing --input 256x256 --joints 16
else
    $python -m bench.complexity --missing
fi
step "2 of 5: timing"
$python -m bench.speed --missing --device cpu ${quick[@]+"${quick[@]}"}
if $python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    $python -m bench.speed --missing --device cuda ${quick[@]+"${quick[@]}"}
fi
# Drawn people, which the bundled weights learnt from: it shows that all works, and says nothing of photographs.
step "3 of 5: evaluating the bundled weights on drawn people"
$python -m bench.accuracy --missing ${people[@]+"${people[@]}"}
step "4 of 5: finding joints in drawn pictures"
# The folder is named by what decides every pixel: whatever else lies in results/local is left alone.
drawn=results/local/drawn_$($python -c 'from bench.data.synthetic.dataset import fingerprint
print(fingerprint(24, 2000003, "scenes")[:12])')
$python -m bench.data synthetic --images 24 --seed 2000003 --out "$drawn" --quiet >/dev/null
$python -m bench.predict "$drawn" --out reports/local/people
step "5 of 5: the report"
$python -m bench.report
