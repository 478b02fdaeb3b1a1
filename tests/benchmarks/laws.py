"""Stars of each law that a survey may choose, fitted by that law: periods and spot lifetimes found.

    python tests/benchmarks/laws.py [STARS] [--smallest]

Sixteen stars of each unless said otherwise, 150 d at half a day, default settings but a coarser search, noise a fifth
of the scatter; prints a Markdown table.  The tests do the same for one law: each compiles programs of its own.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic

import harness
import numpy as np
from fit_samples import Star, within

import spotcat as sc
from spotcat.config import FitConfig, Spots
from spotcat.fit.buckets import choose_bucket
from spotcat.fit.compiled import ON_A_CPU
from spotcat.fit.engine import fit_stars
from spotcat.model.laws import envelope_of, latitude_of, visibility_of
from spotcat.status import LifetimeFlag

M, DT, NOISE = harness.size(300, 128), 0.5, 0.2
CONFIG = harness.fit_config(FitConfig(n_period=96, shears=(0.1,), lifetimes=(3.0, 10.0)))
DARK, FACULAR, BELTS = ("limb-darkened", (0.4, 0.25)), ("facular", (0.4, 0.25, 0.8)), ("belts", (25.0, 8.0))
CHOICES = (
    Spots(),
    Spots("exponential-plateau", (), *DARK, *BELTS),
    Spots("logistic-plateau", (), *FACULAR),
    Spots("exponential", (), "small", (), "area"),
    Spots("exponential-decay", (), *DARK, "bands", (10.0, 35.0)),
    Spots("skewed-gaussian", (3.0,), *FACULAR, *BELTS),
)


def star(spots: Spots, rng: np.random.Generator) -> tuple[Star, float]:
    """A star of the laws, and its spot lifetime [d]."""
    peq, life = float(np.exp(rng.uniform(*np.log((3.0, 15.0))))), float(rng.uniform(12.0, 40.0))
    envelope = envelope_of(spots)
    plateau, decay = (float(x) for x in envelope.split(life, rng.uniform(0.3, 0.9)))
    visibility = visibility_of(spots, peq, float(rng.uniform(0, 0.3)), float(np.arccos(rng.uniform(0, 0.9))))
    model = sc.SpotEvolutionModel(envelope.make(plateau, decay), visibility, 0.01, latitude=latitude_of(spots))
    time = np.arange(M) * DT
    flux = np.asarray(sc.simulate_stars(model, time, 1, nspot_rate=0.2, seed=int(rng.integers(2**31))).flux)[0]
    noise = NOISE * flux.std()
    photometric = peq / (1 - visibility.kappa * mean_sine(model))
    measured = flux + noise * rng.normal(size=M)
    return Star(time, measured, np.full(M, noise), np.zeros(M, int), peq, photometric), life


def mean_sine(model: sc.SpotEvolutionModel) -> float:
    """``<sin^2 phi>`` of the latitudes, weighted by what they contribute to the first harmonic."""
    phi = np.linspace(-np.pi / 2, np.pi / 2, 2001)
    weight = np.asarray(model.latitude.density(phi)) * np.asarray(model.visibility.c_n(phi, 1))[1] ** 2
    return float(np.average(np.sin(phi) ** 2, weights=weight))


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("stars", type=int, nargs="?", default=harness.size(16, 2))
    n_stars = parser.parse_args().stars
    harness.heading()
    found = ("periods within 10 %", "lifetimes without a flag", "scatter in ln", "bias in ln", "ms a star")
    harness.head("envelope", "visibility", "latitudes", *found)
    for spots in harness.size(CHOICES, CHOICES[:1]):
        law = [" ".join(f"{x:g}" if isinstance(x, float) else x for x in part) for part in spots.words.values()]
        harness.row(*law, *fitted(spots, n_stars))


def fitted(spots: Spots, n_stars: int) -> list[str]:
    """Stars of a law fitted by it: the columns of the table after the law itself."""
    config = replace(CONFIG, **spots._asdict())
    rng = np.random.default_rng(3)
    stars, lives = zip(*(star(spots, rng) for _ in range(n_stars)), strict=True)
    spec = choose_bucket(M * DT - DT, DT, 1, config)
    fit_stars(stars, spec, config, ON_A_CPU)
    begun = monotonic()
    columns = fit_stars(stars, spec, config, ON_A_CPU).columns
    spent = (monotonic() - begun) / n_stars * 1e3
    clean = columns["lifetime_flag"] == LifetimeFlag.MEASURED
    ratio = np.log(columns["spot_lifetime"] / np.array(lives))[clean]
    spread = [f"{ratio.std():.2f}", f"{ratio.mean():+.2f}"] if clean.any() else ["", ""]
    right = within(columns["prot"], list(stars))
    return [f"{right:.0%}", f"{clean.sum()} of {n_stars}", *spread, f"{spent:.0f}"]


if __name__ == "__main__":
    main()
