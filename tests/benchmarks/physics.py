"""Simulated against analytic covariance for every envelope with every kind of spot, and for every law of latitude.

    python tests/benchmarks/physics.py

Prints the largest deviation in standard errors over eight lags, as a Markdown table; beyond five the exit code is 1.
The tests do the same for pairs that cover each kind once: all of them take minutes.
"""

from __future__ import annotations

import sys

import jax.numpy as jnp
import numpy as np

import spotcat as sc

N_STAR, T = 2048, np.arange(16) * 0.75
ENVELOPES = (
    sc.TrapezoidSymmetricEnvelope(4.0, 3.0),
    sc.TrapezoidAsymmetricEnvelope(3.0, 1.0, 4.0),
    sc.DoubleTrapezoidEnvelope(2.0, 1.0, 2.0),
    sc.DoubleTrapezoidAsymmetricEnvelope(2.0, 1.0, 3.0, 0.5, 2.0),
    sc.TripleTrapezoidEnvelope(1.0, 0.5, 2.0, 0.5, 1.0, 1.0, 1.0, 2.0),
    sc.ExponentialEnvelope(3.0),
    sc.ExponentialAsymmetricEnvelope(1.0, 3.0),
    sc.ExponentialOneSidedEnvelope(4.0),
    sc.ExponentialPlateauEnvelope(3.0, 0.5, 2.0),
    sc.SkewedGaussianEnvelope(2.0, 3.0),
    sc.LogisticPlateauEnvelope(4.0, 0.5),
    sc.ModulatedGammaEnvelope(1.0, 1.5, 0.5, 1.0),
    sc.CustomEnvelope(lambda t, w: (1 - (t / w) ** 2) ** 2, lambda w: (-w, w), {"w": 5.0}),
    sc.gnevyshev_waldmeier(sc.TrapezoidSymmetricEnvelope(3.0, 2.0), 0.3),
)
SPOTS = (
    sc.VisibilityFunction(3.0, 0.2, 1.1),
    sc.EdgeOnVisibility(3.0),
    sc.LimbDarkenedVisibility(3.0, 0.2, 1.1, 0.4, 0.25),
    sc.FacularVisibility(3.0, 0.2, 1.1, 0.4, 0.25, 0.8),
    sc.FiniteSpotVisibility(3.0, 0.2, 1.1, 0.4, 0.4, 0.25),
)
LAWS = (
    sc.UniformAreaLatitude(),
    sc.HemisphericBands(0.2, 0.8),
    sc.GaussianBelts(0.4, 0.1),
    sc.CustomLatitude(lambda phi: jnp.exp(phi)),
)


def deviation(model: sc.SpotEvolutionModel, seed: int) -> float:
    """Largest difference between simulated and analytic covariance in standard errors."""
    if not model.visibility.separable and isinstance(model.envelope, sc.SpotPopulation):
        return np.nan  # the kernel of finite spots knows one size
    flux = np.asarray(sc.simulate_stars(model, T, N_STAR, nspot_rate=2.0, seed=seed).flux)
    off = flux - flux.mean()
    products = np.array([(off[:, : T.size - k] * off[:, k:]).mean(1) for k in range(8)])
    error = products.std(1) / np.sqrt(N_STAR)
    return float(np.max(np.abs(products.mean(1) - sc.AnalyticKernel(model).kernel(T[:8])) / error))


def main() -> None:
    worst = 0.0
    print("| envelope |", " | ".join(type(v).__name__ for v in SPOTS), "|")
    print("|---" * (1 + len(SPOTS)) + "|")
    for i, envelope in enumerate(ENVELOPES):
        row = [deviation(sc.SpotEvolutionModel(envelope, v, 0.01), 10 * i + j) for j, v in enumerate(SPOTS)]
        print(f"| {type(envelope).__name__} |", " | ".join(f"{x:.1f}" for x in row), "|", flush=True)
        worst = max(worst, np.nanmax(row))
    for k, law in enumerate(LAWS):
        found = deviation(sc.SpotEvolutionModel(ENVELOPES[0], SPOTS[0], 0.01, latitude=law), 1000 + k)
        print(f"| {type(law).__name__} | {found:.1f} |", flush=True)
        worst = max(worst, found)
    sys.exit(worst > 5)


if __name__ == "__main__":
    main()
