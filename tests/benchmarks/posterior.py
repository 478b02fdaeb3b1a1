"""Widths of the three posteriors beside one another: Laplace, importance sampling, no-U-turn chains.

    python tests/benchmarks/posterior.py [STARS]

Simulated stars (75 d at half a day, periods of 2-12 d), 20 unless said otherwise; needs the ``mcmc`` extra.  Prints,
for each star and in the median, the width of the 68 % interval of ln prot against that of the chains, how well the
chains and the weights did, and the time of each.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "fit"))

from fit_samples import simulate

from spotcat.config import FitConfig
from spotcat.fit.buckets import choose_bucket
from spotcat.fit.engine import fit_stars

SAMPLERS = ("laplace", "importance", "nuts")
BATCH = 4


def main() -> None:
    n_stars = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    rng = np.random.default_rng(404)
    stars = [simulate(rng, m=150, periods=(2.0, 12.0)) for _ in range(n_stars)]
    spec = choose_bucket(74.5, 0.5, 1, FitConfig())
    columns: dict[str, list[dict[str, np.ndarray]]] = {sampler: [] for sampler in SAMPLERS}
    seconds = dict.fromkeys(SAMPLERS, 0.0)
    print("gain, prot, width of the chains, Laplace and importance against it, r_hat, n_eff, n_divergent, pareto_k")
    for i in range(0, n_stars, BATCH):
        for sampler in SAMPLERS:
            started = monotonic()
            config = replace(FitConfig(), sampler=sampler)
            columns[sampler].append(fit_stars(stars[i : i + BATCH], spec, config, BATCH).columns)
            seconds[sampler] += monotonic() - started
        print_rows({sampler: parts[-1] for sampler, parts in columns.items()})
    for sampler, spent in seconds.items():
        print(f"{sampler}: {spent / n_stars:.2f} s a star, compilation included")
    rows = {s: {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} for s, parts in columns.items()}
    found, widths = rows["nuts"], {sampler: width(row) for sampler, row in rows.items()}
    sure = (found["r_hat"] < 1.1) & (found["rotating"] == 1)
    for sampler in ("laplace", "importance"):
        ratio = widths[sampler] / widths["nuts"]
        for words, which in (("all stars", np.ones(n_stars, bool)), ("detected, chains converged", sure)):
            print(f"{sampler}, {words} ({which.sum()}): median width {np.median(ratio[which]):.2f} of the chains'")


def width(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Of the raw 68 % interval of ln prot, shape (n,)."""
    return np.log(columns["prot_upper_raw"] / columns["prot_lower_raw"])


def print_rows(columns: dict[str, dict[str, np.ndarray]]) -> None:
    """A line for each star of some batch; `columns` by sampler."""
    widths = {sampler: width(row) for sampler, row in columns.items()}
    found, weights = columns["nuts"], columns["importance"]
    for i, wide in enumerate(widths["nuts"]):
        print(
            f"{found['lnl_rotation'][i]:7.1f} {found['prot'][i]:7.3f} {wide:7.4f}"
            f" {widths['laplace'][i] / wide:6.2f} {widths['importance'][i] / wide:6.2f}"
            f" {found['r_hat'][i]:6.3f} {found['n_eff'][i]:6.0f}"
            f" {found['n_divergent'][i]:4.0f} {weights['pareto_k'][i]:6.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
