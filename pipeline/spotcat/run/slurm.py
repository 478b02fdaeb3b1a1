"""Slurm jobs of a run: submit, look, cancel."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from spotcat.config import Recipe, Site, write_config
from spotcat.run.claim import owned
from spotcat.run.folder import RunFolder, existing
from spotcat.run.retry import forget_failed
from spotcat.run.script import Job, render
from spotcat.status import InputError, RunError

_JOB = "job.json"
_GONE = "Invalid job id"
_TIMEOUT = 60


@dataclass(frozen=True)
class Submission:
    """A submitted job.

    Attributes:
        job: its id; empty before it has one.
        script: the script.
    """

    job: str
    script: str


def submit(recipe: Recipe, site: Site, *, dry_run: bool = False, retry: bool = False) -> Submission:
    """Write the script of a job into the run folder, and submit it.

    Args:
        recipe: what to run.
        site: where; must have a ``[slurm]`` section with a shape.
        dry_run: write the script only.
        retry: let the job fit again what failed in an ingested run.

    Raises:
        InputError: the site has no shape, the run folder is not usable, or a job of the run is in the queue.
        RunError: Slurm refused the job or cannot be reached, or the run folder cannot be written.
    """
    from spotcat.atomic import write_file

    if not site.slurm.shape:
        raise InputError("this site is no Slurm; its section [slurm] needs shape = 'allocation' or 'array'")
    with owned(recipe) as folder:
        waiting = job_states(folder)
        if waiting and not dry_run:
            raise InputError(f"{folder.path}: {waiting[0]}; wait, or `spotcat cancel {pasted(folder.path)}`")
        # Each task of an array starts its own workers; those of an allocation come by the scheduler's file.
        site = replace(site, executor="local", workers=site.slurm.workers_per_node, scheduler_file="")
        job = Job(recipe.survey.name, RunFolder(folder.path.absolute()), site, Path.cwd(), sys.executable)
        script = folder.slurm / "job.sh"
        write_file(script, render(job).encode("utf-8", "surrogateescape"))
        write_config(site, job.site_file)
        if dry_run:
            return Submission("", str(script))
        if retry:
            forget_failed(folder, recipe, site)
        submission = Submission(_slurm("sbatch", "--parsable", script).strip().split(";")[0], str(script))
        write_file(folder.slurm / _JOB, json.dumps(asdict(submission)).encode())
    return submission


def pasted(path: str | Path) -> str:
    """A path as a word of a command that a person can paste into a shell."""
    text = str(path)
    # It must not look like an option.
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def job_states(folder: RunFolder) -> list[str]:
    """A line for each part of the run's last job that is in the queue; none where it ended or there is no job.

    Raises:
        RunError: Slurm cannot be reached.
    """
    job = _last_job(folder)
    if not job:
        return []
    try:
        found = _slurm("squeue", "--noheader", f"--jobs={job}", "--format=%i %T %M of %l (%R)")
    except RunError as error:
        # What it says of a job that it has forgotten.
        if _GONE in str(error):
            return []
        raise
    return [f"job {' '.join(line.split())}" for line in found.splitlines() if line.strip()]


def cancel(run_folder: str | Path) -> str:
    """Cancel the last job of a run; what is done is kept.

    Returns:
        The job's id.

    Raises:
        InputError: there is no run, or none of its jobs is in the queue.
        RunError: Slurm cannot be reached.
    """
    folder = existing(run_folder)
    if not job_states(folder):
        raise InputError(f"{folder.path}: no job of this run is in the queue")
    job = _last_job(folder)
    _slurm("scancel", job)
    return job


def _last_job(folder: RunFolder) -> str:
    try:
        return str(json.loads((folder.slurm / _JOB).read_text(encoding="utf-8"))["job"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _slurm(*command: object) -> str:
    """The output of a Slurm command."""
    words: Sequence[str] = [str(word) for word in command]
    # Inside of a job, sbatch would take that job's settings for the new one's.
    names = (name for name in os.environ if not name.startswith(("SLURM_", "SBATCH_")) or name == "SLURM_CONF")
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=_TIMEOUT,
            check=False,
            env={name: os.environ[name] for name in names},
        )
    except FileNotFoundError:
        raise RunError(f"{words[0]}: not found; is this a machine with Slurm?") from None
    except subprocess.TimeoutExpired:
        raise RunError(f"{words[0]} does not answer; is Slurm up?") from None
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise RunError(f"{words[0]}: {reason}")
    return done.stdout
