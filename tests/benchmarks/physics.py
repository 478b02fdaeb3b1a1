"""Simulated against analytic covariance for every envelope with every kind of spot, and for every law of latitude.

    python tests/benchmarks/physics.py [--smallest]

Prints for each pair the deviation of eight lags together, in standard errors (``sigmas`` of
``tests/star/test_star_simulate.py`` says how), as a Markdown table.  Of that many pairs one in 370 is beyond three by
chance: more than two, or one beyond 4.5, and the exit code is 1.  The tests do the same for pairs that cover each kind
once: all of them take minutes.
"""

from __future__ import annotations

import sys

import harness
import jax.numpy as jnp
import numpy as np
from test_star_simulate import sigmas

import spotcat as sc

N_STAR, T = harness.size(2048, 256), np.arange(16) * 0.75
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
    """Difference between simulated and analytic covariance in standard errors, all lags together."""
    if not model.visibility.separable and isinstance(model.envelope, sc.SpotPopulation):
        return np.nan  # the kernel of finite spots knows one size
    flux = np.asarray(sc.simulate_stars(model, T, N_STAR, nspot_rate=2.0, seed=seed).flux)
    return sigmas(flux, sc.AnalyticKernel(model).kernel(T[:8]))[0]


def main() -> None:
    harness.parser(__doc__).parse_args()
    harness.heading()
    every = []
    harness.head("envelope", *(type(v).__name__ for v in SPOTS))
    for i, envelope in enumerate(harness.size(ENVELOPES, ENVELOPES[:1])):
        row = [deviation(sc.SpotEvolutionModel(envelope, v, 0.01), 10 * i + j) for j, v in enumerate(SPOTS)]
        harness.row(type(envelope).__name__, *(f"{x:.1f}" for x in row))
        every += [x for x in row if np.isfinite(x)]
    for k, law in enumerate(harness.size(LAWS, LAWS[:1])):
        found = deviation(sc.SpotEvolutionModel(ENVELOPES[0], SPOTS[0], 0.01, latitude=law), 1000 + k)
        harness.row(type(law).__name__, f"{found:.1f}", *[""] * (len(SPOTS) - 1))
        every.append(found)
    beyond = int(np.sum(np.array(every) > 3))
    print(
        f"\n{len(every)} pairs, {beyond} beyond 3, the largest {max(every):.1f}, their root mean square "
        f"{np.sqrt(np.mean(np.square(every))):.2f}"
    )
    sys.exit(beyond > 2 or max(every) > 4.5)


if __name__ == "__main__":
    main()
