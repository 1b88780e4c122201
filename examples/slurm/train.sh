#!/usr/bin/env bash
# One run of `vulntune train` on two nodes: a process for each half of a node. Start it from the clone with `sbatch examples/slurm/train.sh`.
#SBATCH --job-name=vulntune
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
# two minutes before the time is over every process is asked to save and end; the job then waits in the queue again
#SBATCH --signal=TERM@120
#SBATCH --requeue
set -euo pipefail

output=runs/slurm-first
code=0
# pmix is for Open MPI; for MPICH and its relatives --mpi=pmi2
srun --mpi=pmix --cpu-bind=cores --kill-on-bad-exit=1 \
	npx vulntune train configs/smollm2-x1.yaml --output "$output" --resume --training.accumulation 16 || code=$?

# 130: stopped and saved
if [ "$code" -eq 130 ]; then
	scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
