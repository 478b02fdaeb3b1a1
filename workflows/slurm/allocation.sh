#!/bin/bash
#SBATCH --job-name=spotcat-demo
#SBATCH --partition=standard
#SBATCH --account=my-project
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=16
#SBATCH --cpus-per-task=1
#SBATCH --mem=64G
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@600
#SBATCH --chdir=/home/me
#SBATCH --output=/home/me/runs/demo/slurm/%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --no-kill

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
export DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=2
export DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT=120s
export DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING=False
export DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False
python=/home/me/.venv/bin/python
run=/home/me/runs/demo
restarts=${SLURM_RESTART_COUNT:-0}

# A fresh folder for every start: an old scheduler's address must not be found.
here=$run/slurm/$SLURM_JOB_ID-$restarts
mkdir -p "$here"

# One scheduler, one worker per task on every node, and the driver.
"$python" -m distributed.cli.dask_scheduler --scheduler-file "$here/scheduler.json" \
    --port 0 --dashboard-address :0 >"$here/scheduler.log" 2>&1 &
scheduler=$!
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=0 --wait=0 --no-kill \
    --output="$here/worker-%t.log" "$python" -m distributed.cli.dask_worker \
    --scheduler-file "$here/scheduler.json" --local-directory /tmp --preload spotcat.run.cluster \
    --nworkers 1 --nthreads 1 --memory-limit 0 --no-dashboard --death-timeout 60 &
workers=$!
"$python" -m spotcat run "$run/recipe.toml" --site "$run/slurm/site.toml" \
    --scheduler-file "$here/scheduler.json" &
driver=$!

# A signal is for the driver; here it only ends a wait, so wait again.
trap 'asked=yes; kill -TERM "$driver" 2>/dev/null' TERM
asked=yes
while [ "$asked" ]; do asked=; wait "$driver"; code=$?; done

# A scheduler that is told to end tells its workers; srun would kill them, and say so.
kill -TERM "$scheduler" 2>/dev/null
for _ in $(seq 60); do kill -0 "$workers" 2>/dev/null || break; sleep 1; done
kill "$workers" 2>/dev/null

# 75: ended early through no fault of its own; above 128: killed.  What is done is kept.
if { [ "$code" -eq 75 ] || [ "$code" -gt 128 ]; } && [ "$restarts" -lt 10 ] &&
    # A job that was cancelled is told to end in the same way.
    [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" = RUNNING ]; then
    scontrol requeue "$SLURM_JOB_ID" && sleep 60
fi
exit "$code"
