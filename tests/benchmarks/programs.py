"""What XLA's options do to the programs of a bucket, and what it saves to keep them.

    python tests/benchmarks/programs.py [STARS] [--smallest]

Each line is a process of its own, and times are of its processor, so that other work on the machine changes little.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import harness
import numpy as np
from fit_samples import simulate

from spotcat.config import FitConfig
from spotcat.fit import programs
from spotcat.fit.buckets import choose_bucket
from spotcat.fit.compiled import MAPS, ON_A_CPU, compilations
from spotcat.fit.engine import fit_stars

DT = 0.5
PLAIN: dict[str, Any] = {}
LEAST = {"xla_backend_optimization_level": 1}
CASES: list[tuple[str, dict[str, Any], bool]] = [
    ("XLA's defaults", PLAIN, False),
    ("spotcat's options", programs._OPTIONS, False),
    ("spotcat's options and level 1", programs._OPTIONS | LEAST, False),
    ("spotcat's options, programs written", programs._OPTIONS, True),
    ("spotcat's options, programs read", programs._OPTIONS, True),
]


def measured(options: dict[str, Any], folder: str, n_stars: int, n_points: int, config: FitConfig) -> list[float]:
    """Of a process: programs, seconds to the end of the first batch, milliseconds a star after it, memory maps."""
    programs._OPTIONS = options
    if folder:
        os.environ[programs.KEPT_AT] = folder
    rng = np.random.default_rng(2)
    stars = [simulate(rng, n_points, DT) for _ in range(n_stars)]
    spec = choose_bucket((n_points - 1) * DT, DT, 1, config)
    compilations()
    before = _maps()
    begun = time.process_time()
    fit_stars(stars, spec, config, ON_A_CPU)
    first = time.process_time() - begun
    begun = time.process_time()
    fit_stars(stars, spec, config, ON_A_CPU)
    again = time.process_time() - begun
    count = compilations()
    return [count.compiled + count.read_back, first - again, 1000 * again / n_stars, _maps() - before]


def _maps() -> int:
    return len(Path(MAPS[0]).read_bytes().splitlines())


def main() -> None:
    """Print a line for each way to compile."""
    parser = harness.parser(__doc__)
    parser.add_argument("stars", type=int, nargs="?", default=harness.size(16, 4))
    chosen = parser.parse_args()
    harness.heading()
    harness.head("compiled with", "programs", "to get them [s]", "a star then [ms]", "memory maps")
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
    n_points, config = harness.size(300, 128), harness.fit_config()
    with tempfile.TemporaryDirectory() as folder:
        for name, options, kept in CASES:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                found = pool.submit(measured, options, folder * kept, chosen.stars, n_points, config).result()
            harness.row(name, *(f"{value:.{digits}f}" for value, digits in zip(found, (0, 1, 1, 0), strict=True)))


if __name__ == "__main__":
    main()
