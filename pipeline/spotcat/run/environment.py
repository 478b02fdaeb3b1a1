"""The environment that fits need, for this process, the workers it starts and the scripts of jobs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spotcat.config import Site
from spotcat.run.cache import GIVEN, kept_at, programs
from spotcat.run.folder import RunFolder
from spotcat.status import RunError

ONE_GPU = "SPOTCAT_ONE_GPU"
"""Set where a worker must see exactly one GPU."""

PROGRAMS_AT = "SPOTCAT_PROGRAMS"
"""Where the fit keeps its own programs; ``fit.programs`` reads it."""


@contextmanager
def prepared(folder: RunFolder, kind: str = "cpu", cache: str = "") -> Iterator[None]:
    """Give this process and the workers it starts the environment that fits need, and take it back at the end.

    BLAS and JAX read it when they are first loaded, so it comes before anything imports NumPy.

    Args:
        folder: of the run.
        kind: cpu or cuda, what JAX computes on.
        cache: where its site keeps compiled programs.
    """
    # All of it, because Dask adds variables of its own.
    before = dict(os.environ)
    os.environ.update(environment(folder, kind, cache))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def environment(folder: RunFolder, kind: str, cache: str = "") -> dict[str, str]:
    """The variables of a process that fits, or starts one that does; arguments of ``prepared``."""
    # A process that was killed did not clean up; a program that cannot be kept or read is compiled.
    unkept = (f"ignore:Error {doing} persistent" for doing in ("reading", "writing"))
    warnings = [os.environ.get("PYTHONWARNINGS", ""), "ignore:resource_tracker:UserWarning", *unkept]
    kept = str(programs(kept_at(folder, cache), kind))
    return {
        # Several processes with several BLAS threads each wait for one another a hundred times longer.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # So with XLA's threads: a second one gains nothing, and two workers with two each lose a quarter.
        **({"NPROC": "1"} if kind == "cpu" else {}),
        "JAX_PLATFORMS": kind,
        GIVEN: kept,
        PROGRAMS_AT: kept,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        # XLA takes its own code for another machine's when it reads it back, and says so at length.
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "DASK_LOGGING__DISTRIBUTED": "critical",
        "PYTHONWARNINGS": ",".join(filter(None, warnings)),
    }


def adopt(folder: RunFolder, kind: str, cache: str = "") -> None:
    """Give a worker process, whoever started it, what JAX must find before it is loaded.

    Args:
        folder: the run folder, as this process sees it.
        kind: cpu or cuda, what its site computes on.
        cache: where its site keeps compiled programs.

    Raises:
        RunError: this worker sees other workers' GPUs, or none of its own.
    """
    check_device()
    ours = environment(folder, kind, cache)
    os.environ.update({name: ours[name] for name in ours if name.startswith(("JAX_", "TF_", PROGRAMS_AT))})


def dask_settings(site: Site) -> dict[str, object]:
    """Settings of the Dask scheduler and its workers, by dotted name."""
    return {
        # A worker that dies takes the blame for what it worked on; the third death is no accident.
        "distributed.scheduler.allowed-failures": 2,
        "distributed.scheduler.no-workers-timeout": f"{site.patience}s",
        # Items are few and long: moving them about gains nothing.
        "distributed.scheduler.work-stealing": False,
        "distributed.worker.profile.enabled": False,
    }


def dask_environment(site: Site) -> dict[str, str]:
    """The same settings as Dask reads them from the environment."""
    return {
        f"DASK_{name.replace('.', '__').replace('-', '_').upper()}": str(value)
        for name, value in dask_settings(site).items()
    }


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))


def check_device() -> None:
    """Refuse to work where a worker must have one GPU and sees another number: all would use the first.

    Raises:
        RunError: it does.
    """
    gpus = visible_gpus() if os.environ.get(ONE_GPU) else ["0"]
    if len(gpus) != 1:
        raise RunError(
            f"a worker must see one GPU, this one sees {len(gpus)} ({', '.join(gpus) or 'none'}); "
            f"see slurm.gpus_per_node and the options of srun"
        )
