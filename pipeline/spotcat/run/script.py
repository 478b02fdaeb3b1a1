"""The batch scripts of Slurm jobs, written to be read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spotcat.config import Site
from spotcat.run.cache import GIVEN, OF_RUN, kept_at
from spotcat.run.cluster import on_gpus
from spotcat.run.environment import ONE_GPU, PROGRAMS_AT, dask_environment, environment
from spotcat.run.folder import RunFolder
from spotcat.status import RunStopped

_GRACE = 60
"""How long the workers of a scheduler that is gone wait for another, and a job for its workers' end [s]."""


@dataclass(frozen=True)
class Job:
    """What a script is about.

    Attributes:
        name: of the survey.
        folder: the run folder, with an absolute path.
        site: where it runs; ``site.slurm.shape`` must be set.
        directory: where relative paths of the recipe start.
        python: the interpreter that spotcat is installed for.
    """

    name: str
    folder: RunFolder
    site: Site
    directory: Path
    python: str

    @property
    def site_file(self) -> Path:
        """The site, as the job reads it."""
        return self.folder.slurm / "site.toml"


def render(job: Job) -> str:
    """The script of a job, as text."""
    body = _array if job.site.slurm.shape == "array" else _allocation
    blocks = [_options(job), _setup(job), _exports(job), body(job), _ending(job)]
    return "#!/bin/bash\n" + "\n".join("".join(f"{line}\n" for line in block) for block in map(list, blocks) if block)


def workers_on_a_node(site: Site) -> int:
    """Worker processes on each node of a job."""
    return site.slurm.gpus_per_node or site.slurm.workers_per_node


def _options(job: Job) -> Iterator[str]:
    slurm = job.site.slurm
    array = slurm.shape == "array"
    workers, gpus = workers_on_a_node(job.site), slurm.gpus_per_node
    logs = job.folder.slurm / ("%A-%a.log" if array else "%j.log")
    chosen = {
        "job-name": f"spotcat-{job.name}",
        "partition": slurm.partition,
        "account": slurm.account,
        # An array's task has a node, or what it needs of one, to itself.
        "array": f"1-{slurm.nodes}" if array else "",
        "nodes": 1 if array else slurm.nodes,
        "ntasks-per-node": 1 if array else workers,
        "cpus-per-task": slurm.cpus_per_worker * (workers if array else 1),
        "gpus-per-node": gpus or "",
        "mem": slurm.memory_per_node,
        "time": slurm.walltime,
        # The batch shell hears that the time is nearly up, finishes the chunks at work and goes back to the queue.
        "signal": f"B:TERM@{slurm.drain}",
        "chdir": job.directory,
        "output": logs,
        "open-mode": "append",
    }
    yield from (f"#SBATCH --{name}={shlex.quote(str(value))}" for name, value in chosen.items() if value != "")
    yield "#SBATCH --requeue"
    if not array:
        yield "#SBATCH --no-kill"
    yield from (f"#SBATCH {option}" for option in slurm.options)


def _setup(job: Job) -> Iterator[str]:
    if not job.site.slurm.setup:
        return
    yield "# A line that fails ends the job; what fails inside of a file or a function that it calls does not."
    yield "failed() {"
    yield '    echo "spotcat: exit code $1 of a line of slurm.setup: $(sed -n "$2p" "$0")" >&2'
    yield "    exit 1"
    yield "}"
    yield "trap 'code=$?; [ ${#BASH_SOURCE[@]} -gt 1 ] || failed $code $LINENO' ERR"
    yield from job.site.slurm.setup
    yield "trap - ERR"


def _exports(job: Job) -> Iterator[str]:
    yield "# What every process needs."
    cache = job.site.cache or OF_RUN  # a home may be slow, full or missing on a node
    variables = environment(job.folder, job.site.platform, cache)
    # Each node adds what it can run: it need not be the kind of machine that submits.
    variables[GIVEN] = str(kept_at(job.folder, cache))
    del variables[PROGRAMS_AT]
    # Dask is silent on a terminal; in a job it has files to write to.
    del variables["DASK_LOGGING__DISTRIBUTED"]
    if job.site.slurm.shape == "allocation":
        variables |= dask_environment(job.site)
        if on_gpus(job.site):
            variables[ONE_GPU] = "1"
    yield from (f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    yield f"python={shlex.quote(job.python)}"
    yield f"run={shlex.quote(str(job.folder.path))}"
    yield "restarts=${SLURM_RESTART_COUNT:-0}"


def _allocation(job: Job) -> Iterator[str]:
    site = job.site
    network = f" --interface {shlex.quote(site.interface)}" if site.interface else ""
    scratch = f" --local-directory {shlex.quote(site.scratch)}" if site.scratch else ""
    gpu = " --gpus-per-task=1" if site.slurm.gpus_per_node else ""
    yield "# A fresh folder for every start: an old scheduler's address must not be found."
    yield "here=$run/slurm/$SLURM_JOB_ID-$restarts"
    yield 'mkdir -p "$here"'
    yield ""
    yield "# One scheduler, one worker per task on every node, and the driver."
    yield f'"$python" -m distributed.cli.dask_scheduler --scheduler-file "$here/scheduler.json"{network} \\'
    yield '    --port 0 --dashboard-address :0 >"$here/scheduler.log" 2>&1 &'
    yield "scheduler=$!"
    yield f'srun --cpus-per-task="$SLURM_CPUS_PER_TASK"{gpu} --kill-on-bad-exit=0 --wait=0 --no-kill \\'
    yield '    --output="$here/worker-%t.log" "$python" -m distributed.cli.dask_worker \\'
    yield f'    --scheduler-file "$here/scheduler.json"{network}{scratch} --preload spotcat.run.cluster \\'
    yield f"    --nworkers 1 --nthreads 1 --memory-limit 0 --no-dashboard --death-timeout {_GRACE} &"
    yield "workers=$!"
    yield f'"$python" -m spotcat run "$run/recipe.toml" --site {_quoted(job)} \\'
    yield '    --scheduler-file "$here/scheduler.json" &'
    yield "driver=$!"
    yield from _awaited()
    yield ""
    yield "# A scheduler that is told to end tells its workers; srun would kill them, and say so."
    yield 'kill -TERM "$scheduler" 2>/dev/null'
    yield f'for _ in $(seq {_GRACE}); do kill -0 "$workers" 2>/dev/null || break; sleep 1; done'
    yield 'kill "$workers" 2>/dev/null'


def _array(job: Job) -> Iterator[str]:
    yield "# This task's share of the chunks; only the run folder connects it with the others."
    yield f'"$python" -m spotcat run "$run/recipe.toml" --site {_quoted(job)} \\'
    yield f'    --share "$SLURM_ARRAY_TASK_ID/{job.site.slurm.nodes}" &'
    yield "driver=$!"
    yield from _awaited()


def _awaited() -> Iterator[str]:
    yield ""
    yield "# A signal is for the driver; here it only ends a wait, so wait again."
    yield "trap 'asked=yes; kill -TERM \"$driver\" 2>/dev/null' TERM"
    yield "asked=yes"
    yield 'while [ "$asked" ]; do asked=; wait "$driver"; code=$?; done'


def _ending(job: Job) -> Iterator[str]:
    # The id that names one task of an array, or the whole job.
    name = "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" if job.site.slurm.shape == "array" else "$SLURM_JOB_ID"
    code, limit = RunStopped.exit_code, job.site.slurm.max_requeues
    yield f"# {code}: ended early through no fault of its own; above 128: killed.  What is done is kept."
    yield f'if {{ [ "$code" -eq {code} ] || [ "$code" -gt 128 ]; }} && [ "$restarts" -lt {limit} ] &&'
    yield "    # A job that was cancelled is told to end in the same way."
    yield f'    [ "$(squeue --noheader --jobs="{name}" --format=%T)" = RUNNING ]; then'
    yield f'    scontrol requeue "{name}" && sleep 60'
    yield "fi"
    yield 'exit "$code"'


def _quoted(job: Job) -> str:
    return '"$run/' + str(job.site_file.relative_to(job.folder.path)) + '"'
