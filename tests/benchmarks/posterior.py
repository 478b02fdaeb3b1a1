"""Widths of the three posteriors beside one another: Laplace, importance sampling, no-U-turn chains.

    python tests/benchmarks/posterior.py [STARS] [--smallest]

Simulated stars (75 d at half a day, periods of 2-12 d), 20 unless said otherwise.  Prints, for each star and in the
median, the width of the 68 % interval of ln prot against that of the chains, how well the chains and the weights did,
and the time of each.  The chains need the ``mcmc`` extra; without them Laplace stands beside importance sampling.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import harness
import numpy as np
from fit_samples import simulate

from spotcat.fit.buckets import choose_bucket
from spotcat.fit.engine import fit_stars

POINTS, BATCH = harness.size(150, 128), 4
CHAINS = "nuts"

Columns = dict[str, np.ndarray]


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("stars", type=int, nargs="?", default=harness.size(20, 1))
    n_stars = parser.parse_args().stars
    harness.heading()
    samplers = ["laplace", "importance", *([CHAINS] if harness.has("blackjax") else [])]
    rng, config = np.random.default_rng(404), harness.fit_config()
    stars = [simulate(rng, m=POINTS, periods=(2.0, 12.0)) for _ in range(n_stars)]
    spec = choose_bucket((POINTS - 1) * 0.5, 0.5, 1, config)
    parts: dict[str, list[Columns]] = {sampler: [] for sampler in samplers}
    seconds = dict.fromkeys(samplers, 0.0)
    widths = [f"width of {sampler}" for sampler in samplers]
    harness.head("gain", "prot", *widths, "r_hat", "n_eff", "n_divergent", "pareto_k")
    for i in range(0, n_stars, BATCH):
        for sampler in samplers:
            started = monotonic()
            chosen = replace(config, sampler=sampler)
            parts[sampler].append(fit_stars(stars[i : i + BATCH], spec, chosen, BATCH).columns)
            seconds[sampler] += monotonic() - started
        print_rows({sampler: some[-1] for sampler, some in parts.items()})
    print()
    print_medians(
        {s: {key: np.concatenate([part[key] for part in some]) for key in some[0]} for s, some in parts.items()}
    )
    spent = ", ".join(f"{sampler} {taken / n_stars:.2f}" for sampler, taken in seconds.items())
    print(f"\nSeconds a star, compilation included: {spent}.")


def width(columns: Columns) -> np.ndarray:
    """Of the raw 68 % interval of ln prot, shape (n,)."""
    return np.log(columns["prot_upper_raw"] / columns["prot_lower_raw"])


def print_rows(columns: dict[str, Columns]) -> None:
    """A row for each star of some batch; `columns` by sampler, the last one the judge of the rest."""
    judge, weights = list(columns.values())[-1], columns["importance"]
    for i in range(len(judge["prot"])):
        widths = [f"{width(some)[i]:.4f}" for some in columns.values()]
        numbers = [f"{judge[name][i]:.3f}" for name in ("r_hat", "n_eff", "n_divergent")]
        harness.row(
            f"{judge['lnl_rotation'][i]:.1f}",
            f"{judge['prot'][i]:.3f}",
            *widths,
            *numbers,
            f"{weights['pareto_k'][i]:.2f}",
        )


def print_medians(columns: dict[str, Columns]) -> None:
    """Median ratio of the widths to those of the last sampler, of all stars and of those where it can be trusted."""
    *others, last = columns
    judge = columns[last]
    sure = judge["rotating"] == 1
    if last == CHAINS:
        sure &= judge["r_hat"] < 1.1
    harness.head("stars", *(f"{sampler} over {last}" for sampler in others))
    for words, which in (("all", np.ones(len(sure), bool)), ("detected, chains converged", sure)):
        ratios = [width(columns[sampler])[which] / width(judge)[which] for sampler in others]
        harness.row(f"{words} ({which.sum()})", *(f"{np.median(ratio):.2f}" if which.any() else "" for ratio in ratios))


if __name__ == "__main__":
    main()
