#!/bin/bash
#SBATCH --job-name=spotcat-demo
#SBATCH --partition=standard
#SBATCH --account=my-project
#SBATCH --array=1-16
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@600
#SBATCH --chdir=/home/me
#SBATCH --output=/home/me/runs/demo/slurm/%A-%a.log
#SBATCH --open-mode=append
#SBATCH --requeue

# A line that fails ends the job; what fails inside of a file or a function that it calls does not.
failed() {
    echo "spotcat: exit code $1 of a line of slurm.setup: $(sed -n "$2p" "$0")" >&2
    exit 1
}
trap 'code=$?; [ ${#BASH_SOURCE[@]} -gt 1 ] || failed $code $LINENO' ERR
module load python
trap - ERR

# What every process needs.
export OPENBLAS_NUM_THREADS=1
export OMP_NUM_THREADS=1
export NPROC=1
export JAX_PLATFORMS=cpu
export JAX_COMPILATION_CACHE_DIR=/home/me/runs/demo/.jax-cache
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES=-1
export TF_CPP_MIN_LOG_LEVEL=3
export PYTHONWARNINGS='ignore:resource_tracker:UserWarning,ignore:Error reading persistent,ignore:Error writing persistent'
python=/home/me/.venv/bin/python
run=/home/me/runs/demo
restarts=${SLURM_RESTART_COUNT:-0}

# This task's share of the chunks; only the run folder connects it with the others.
"$python" -m spotcat run "$run/recipe.toml" --site "$run/slurm/site.toml" \
    --share "$SLURM_ARRAY_TASK_ID/16" &
driver=$!

# A signal is for the driver; here it only ends a wait, so wait again.
trap 'asked=yes; kill -TERM "$driver" 2>/dev/null' TERM
asked=yes
while [ "$asked" ]; do asked=; wait "$driver"; code=$?; done

# 75: ended early through no fault of its own; above 128: killed.  What is done is kept.
if { [ "$code" -eq 75 ] || [ "$code" -gt 128 ]; } && [ "$restarts" -lt 10 ] &&
    # A job that was cancelled is told to end in the same way.
    [ "$(squeue --noheader --jobs="${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" --format=%T)" = RUNNING ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" && sleep 60
fi
exit "$code"
