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
    widths, rows = {}, {}
    for sampler in SAMPLERS:
        config, started = replace(FitConfig(), sampler=sampler), monotonic()
        parts = [fit_stars(stars[i : i + BATCH], spec, config, BATCH).columns for i in range(0, n_stars, BATCH)]
        rows[sampler] = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        widths[sampler] = np.log(rows[sampler]["prot_upper_raw"] / rows[sampler]["prot_lower_raw"])
        print(f"{sampler}: {(monotonic() - started) / n_stars:.2f} s a star, compilation included", flush=True)
    print("gain, prot, width of the chains, Laplace and importance against it, r_hat, n_eff, n_divergent, pareto_k")
    found, weights = rows["nuts"], rows["importance"]
    for i in range(n_stars):
        ratios = [widths[s][i] / widths["nuts"][i] for s in ("laplace", "importance")]
        print(
            f"{found['lnl_rotation'][i]:7.1f} {found['prot'][i]:7.3f} {widths['nuts'][i]:7.4f}"
            f" {ratios[0]:6.2f} {ratios[1]:6.2f} {found['r_hat'][i]:6.3f} {found['n_eff'][i]:6.0f}"
            f" {found['n_divergent'][i]:4.0f} {weights['pareto_k'][i]:6.2f}"
        )
    sure = (found["r_hat"] < 1.1) & (found["rotating"] == 1)
    for sampler in ("laplace", "importance"):
        ratio = widths[sampler] / widths["nuts"]
        for words, which in (("all stars", np.ones(n_stars, bool)), ("detected, chains converged", sure)):
            print(f"{sampler}, {words} ({which.sum()}): median width {np.median(ratio[which]):.2f} of the chains'")


if __name__ == "__main__":
    main()
