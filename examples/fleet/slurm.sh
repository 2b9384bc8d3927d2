#!/bin/bash
# One node for itself, timed by a kit:  sbatch --array=0-3 examples/fleet/slurm.sh /shared/kit
# Each task works in a copy of its own, and goes on from there if it is started again on the same node.
#SBATCH --job-name=lightpose-kit
#SBATCH --exclusive
#SBATCH --nodes=1
#SBATCH --time=04:00:00
#SBATCH --output=lightpose-%N-%A_%a.log
set -euo pipefail
kit=${1:?give the folder of the kit}
own=$kit-on-$(hostname -s)
[ -d "$own" ] || cp -r "$kit" "$own"
cd "$own"
exec srun python3 run.py "${@:2}"
