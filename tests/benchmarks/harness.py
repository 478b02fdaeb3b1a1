"""What the benchmarks share: their sizes, the line that says what was measured on what, times, Markdown tables.

Every script takes ``--smallest``, at which it runs to its end within seconds: ``tests/test_benchmarks.py`` does so.
Import this module before NumPy: it sets one thread of BLAS and of XLA, and makes the tests' samples importable.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

os.environ.update({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "NPROC": "1"} | os.environ)
sys.path.extend(str(Path(__file__).resolve().parents[1] / room) for room in ("fit", "gp", "ingest", "run", "star"))

from spotcat.config import FitConfig

BEGUN = time.perf_counter()
"""When the script began, on the clock of ``time.perf_counter``, before NumPy and JAX are loaded [s]."""
SMALLEST_FIT: dict[str, Any] = {
    "n_period": 32,
    "lifetimes": (3.0,),
    "shears": (0.0,),
    "refine_steps": 4,
    "confirm_steps": 1,
}
"""Settings of a fit that only has to end."""

_TESTS = Path(__file__).resolve().parents[1]
_EXTRAS = {"spotgp": "bench", "celerite2": "bench", "blackjax": "mcmc"}
_LIBRARIES = ("numpy", "scipy", "jax", "dask", "zarr", "pandas", "pyarrow", "lightkurve")

T = TypeVar("T")


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser of the command line that knows ``--smallest``; `doc` is the script's docstring."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--smallest", action="store_true", help="the least sizes, where no other is given")
    return made


def smallest() -> bool:
    """Whether the script was asked to run at its smallest size."""
    return "--smallest" in sys.argv[1:]


def size(usual: T, least: T) -> T:
    """The first, or the second with ``--smallest``."""
    return least if smallest() else usual


def fit_config(usual: FitConfig | None = None) -> FitConfig:
    """Settings of a fit, the defaults unless others are given, or those of one that only has to end."""
    usual = usual or FitConfig()
    return size(usual, replace(usual, **SMALLEST_FIT))


def fit_toml(**settings: Any) -> str:
    """The ``[fit]`` of a recipe."""
    import tomli_w  # a machine that only fits may lack it

    return tomli_w.dumps({"fit": settings})


def has(package: str) -> bool:
    """Whether a peer is installed; says so where it is not."""
    if find_spec(package):
        return True
    print(f"{package} is not installed (`pip install -e '.[{_EXTRAS[package]}]'`): its part is left out.\n", flush=True)
    return False


def heading() -> None:
    """Print the command, the commit, the date, the machine and the versions, as a paragraph of RESULTS.md."""
    command = shlex.join(["python", os.path.relpath(sys.argv[0], _TESTS.parent), *sys.argv[1:]])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(
        f"`{command}`, commit {_commit()}, measured on {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores "
        f"({_processor()}), {memory:.0f} GiB, load {os.getloadavg()[0]:.1f} before; {', '.join(_versions())}.\n",
        flush=True,
    )
    if smallest():
        print("The smallest size: the script runs to its end, the figures mean nothing.\n", flush=True)


def _commit() -> str:
    def git(*arguments: str) -> str:
        run = subprocess.run(["git", "-C", str(_TESTS), *arguments], capture_output=True, text=True, check=True)
        return run.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("log", "-1", "--format=%h of %cs") + (" with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions() -> list[str]:
    """Of Python and of what is installed of the libraries that take the time."""
    found = [f"Python {platform.python_version()}"]
    for package in ("spotcat", *_LIBRARIES, *_EXTRAS):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def head(*names: str) -> None:
    """Print the head of a Markdown table."""
    row(*names)
    print("|---" * len(names) + "|")


def row(*cells: object) -> None:
    """Print a row of a Markdown table."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time of a call that was made once before [s]; with ``--smallest`` the time of the first one."""
    if smallest():
        repeats = 1
    else:
        work()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def peak_memory(whose: int = resource.RUSAGE_SELF) -> float:
    """Resident memory at most [MiB]: this process's, or the largest of the ones that it has waited for."""
    return resource.getrusage(whose).ru_maxrss / 1024
