#!/bin/bash
# The cells of a grid as a Slurm array: a task for each cell, each in a folder of its own, because SQLite needs a disk of one machine.
#   sbatch examples/slurm/experiment-array.sh
# When all have ended, one ledger of them:
#   npx vulntune experiment run configs/experiments/table1-cpu.yaml --output studies/table1-cpu --reuse parts/table1-cpu
# A task that was stopped goes on from its checkpoint when it is submitted again.
#SBATCH --job-name=table1-cpu
#SBATCH --array=0-7
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --output=table1-cpu-%a.log
set -euo pipefail
exec npx vulntune experiment run configs/experiments/table1-cpu.yaml --output "parts/table1-cpu/$SLURM_ARRAY_TASK_ID" --cell "$SLURM_ARRAY_TASK_ID" --backend.threads "$SLURM_CPUS_PER_TASK"
