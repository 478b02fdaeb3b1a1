"""The Slurm job of a run: what the queue says of it, and taking it out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from spotcat.run.folder import RunFolder, existing
from spotcat.status import InputError, RunError

_JOB = "job.json"
_GONE = "Invalid job id"
_TIMEOUT = 60


def job_file(folder: RunFolder) -> Path:
    """Where a run notes its last job."""
    return folder.slurm / _JOB


def job_states(folder: RunFolder) -> list[str]:
    """A line for each part of the run's last job that is in the queue; none where it ended or there is no job.

    Raises:
        RunError: Slurm cannot be reached.
    """
    job = _last_job(folder)
    if not job:
        return []
    try:
        found = slurm("squeue", "--noheader", f"--jobs={job}", "--format=%i %T %M of %l (%R)")
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
    slurm("scancel", job)
    return job


def _last_job(folder: RunFolder) -> str:
    try:
        return str(json.loads(job_file(folder).read_text(encoding="utf-8"))["job"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def slurm(*command: object) -> str:
    """The output of a Slurm command.

    Raises:
        RunError: there is no such command, or it fails or does not answer.
    """
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
