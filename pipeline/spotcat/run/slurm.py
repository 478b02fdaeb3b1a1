"""Submitting a run as a Slurm job."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from spotcat.config import Recipe, Site, write_config
from spotcat.run.claim import owned
from spotcat.run.folder import RunFolder
from spotcat.run.jobs import job_file, job_states, slurm
from spotcat.run.retry import forget_failed
from spotcat.run.script import Job, render
from spotcat.status import InputError


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
        submission = Submission(slurm("sbatch", "--parsable", script).strip().split(";")[0], str(script))
        write_file(job_file(folder), json.dumps(asdict(submission)).encode())
    return submission


def pasted(path: str | Path) -> str:
    """A path as a word of a command that a person can paste into a shell."""
    text = str(path)
    # It must not look like an option.
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
