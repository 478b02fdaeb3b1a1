"""The environment that fits need, for this process, the workers it starts and the scripts of jobs."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from spotcat.config import Site
from spotcat.run.folder import RunFolder
from spotcat.status import RunError

ONE_GPU = "SPOTCAT_ONE_GPU"
"""Set where a worker must see exactly one GPU."""

KEPT_AT = "JAX_COMPILATION_CACHE_DIR"
"""Where JAX keeps compiled programs."""
_OURS = re.compile(r"jax-[\w.+]+-[\w.+]+-(cpu|cuda)-[0-9a-f]{8}")

_ZLIB = b"x"
"""First byte of what zlib compressed, as JAX does where the package zstandard is missing."""


@contextmanager
def prepared(folder: RunFolder, kind: str = "cpu") -> Iterator[None]:
    """Give this process and the workers it starts the environment that fits need, and take it back at the end.

    BLAS and JAX read it when they are first loaded, so it comes before anything imports NumPy.

    Args:
        folder: keeps the compiled programs, unless JAX_COMPILATION_CACHE_DIR names another folder for them.
        kind: cpu or cuda, what JAX computes on.
    """
    # All of it, because Dask adds variables of its own.
    before = dict(os.environ)
    os.environ.update(environment(folder, kind))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def sharing_programs(folder: Path) -> Iterator[None]:
    """Let all runs within keep their compiled programs in one folder, unless JAX_COMPILATION_CACHE_DIR says where."""
    if KEPT_AT in os.environ:
        yield
        return
    os.environ[KEPT_AT] = str(folder.absolute())
    try:
        yield
    finally:
        del os.environ[KEPT_AT]


def environment(folder: RunFolder, kind: str) -> dict[str, str]:
    """The variables of a process that fits, or starts one that does."""
    warnings = [os.environ.get("PYTHONWARNINGS", ""), "ignore:resource_tracker:UserWarning"]
    return {
        # Several processes with several BLAS threads each wait for one another a hundred times longer.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # So with XLA's threads: a second one gains nothing, and two workers with two each lose a quarter.
        **({"NPROC": "1"} if kind == "cpu" else {}),
        "JAX_PLATFORMS": kind,
        KEPT_AT: str(programs(Path(os.environ.get(KEPT_AT) or folder.compiled), kind)),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        # XLA takes its own code for another machine's when it reads it back, and says so at length.
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "DASK_LOGGING__DISTRIBUTED": "critical",
        # Python's warning that a process which was killed did not clean up.
        "PYTHONWARNINGS": ",".join(filter(None, warnings)),
    }


def programs(folder: Path, kind: str) -> Path:
    """Where this machine keeps compiled programs: below a folder, a folder for all machines that can run the same ones.

    Machine code for one processor may be illegal on another, and JAX's versions do not read each other's programs.

    Args:
        folder: one for all machines, or one that this function returned on any of them.
        kind: cpu or cuda.
    """
    above = folder.parent if _OURS.fullmatch(folder.name) else folder
    return above.absolute() / f"jax-{version('jax')}-{version('jaxlib')}-{kind}-{processor()}"


@cache
def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Eight digits for a machine's kind of processor: what it can do, or its architecture where that is unknown.

    Args:
        cpuinfo: what Linux says of it.
    """
    about = [platform.machine()]
    with suppress(OSError):
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        # As x86 and ARM call what their instructions are; of processors that differ, each counts.
        flags = {line for line in lines if line.split(":")[0].strip() in ("flags", "Features")}
        about += sorted(" ".join(sorted(line.split(":")[1].split())) for line in flags)
    return hashlib.sha256("\n".join(about).encode()).hexdigest()[:8]


def adopt(folder: RunFolder, kind: str) -> None:
    """Give a worker process, whoever started it, what JAX must find before it is loaded.

    Args:
        folder: the run folder, as this process sees it.
        kind: cpu or cuda, what its site computes on.

    Raises:
        RunError: this worker sees other workers' GPUs, or none of its own.
    """
    check_device()
    ours = environment(folder, kind)
    os.environ.update({name: ours[name] for name in ours if name.startswith(("JAX_", "TF_"))})


def heal(folder: RunFolder) -> None:
    """Delete compiled programs that a killed process wrote by half: JAX would compile them again in every process.

    Programs that are kept elsewhere are left alone, since others may be writing them.

    Raises:
        RunError: one cannot be deleted.
    """
    from spotcat.atomic import writing

    for path in folder.compiled.glob("*/*-cache"):
        with writing(path):
            if path.read_bytes()[:1] == _ZLIB and not _whole(path):
                path.unlink()


def _whole(path: Path) -> bool:
    stream = zlib.decompressobj()
    try:
        stream.decompress(path.read_bytes())
    except zlib.error:
        return False
    return stream.eof


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
