"""Many simulated stars at once: mean and covariance are the kernel's, the same seed gives the same spots."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, norm

from spotcat import (
    AnalyticKernel,
    DoubleTrapezoidAsymmetricEnvelope,
    EdgeOnVisibility,
    ExponentialOneSidedEnvelope,
    ExponentialPlateauEnvelope,
    FacularVisibility,
    FiniteSpotVisibility,
    GaussianBelts,
    HemisphericBands,
    LightcurveModel,
    LimbDarkenedVisibility,
    LogisticPlateauEnvelope,
    ModulatedGammaEnvelope,
    SkewedGaussianEnvelope,
    SpotEvolutionModel,
    TrapezoidSymmetricEnvelope,
    UniformAreaLatitude,
    VisibilityFunction,
    gnevyshev_waldmeier,
    simulate_stars,
)
from spotcat.star.latitude import latitude_nodes

PLAIN = VisibilityFunction(3.0, 0.2, 1.1)
FINITE = FiniteSpotVisibility(3.0, 0.2, 1.1, 0.4, 0.4, 0.25)
PAIR = DoubleTrapezoidAsymmetricEnvelope(2.0, 1.0, 3.0, 0.5, 2.0)
DARK = LimbDarkenedVisibility(3.0, 0.2, 1.1, 0.4, 0.25)
BRIGHT = FacularVisibility(3.0, 0.2, 1.1, 0.4, 0.25, 0.8)
STARS = {
    "trapezoid, finite": (TrapezoidSymmetricEnvelope(4.0, 3.0), FINITE, None),
    "two trapezoids, bands": (
        DoubleTrapezoidAsymmetricEnvelope(2.0, 1.0, 3.0, 0.5, 2.0),
        PLAIN,
        HemisphericBands(0.2, 0.8),
    ),
    "plateau, faculae, belts": (ExponentialPlateauEnvelope(3.0, 0.5, 2.0), BRIGHT, GaussianBelts(0.4, 0.1)),
    "decay, edge-on": (ExponentialOneSidedEnvelope(4.0), EdgeOnVisibility(3.0), None),
    "skewed, darkened, by area": (SkewedGaussianEnvelope(2.0, 3.0), DARK, UniformAreaLatitude()),
    "modulated": (ModulatedGammaEnvelope(1.0, 1.5, 0.5, 1.0), PLAIN, None),
    "Gnevyshev-Waldmeier": (gnevyshev_waldmeier(LogisticPlateauEnvelope(3.0, 0.5), 0.3), PLAIN, None),
}
N_STAR, RATE, T = 768, 2.0, np.arange(10) * 0.75


@pytest.mark.parametrize("name", STARS)
def test_mean_and_covariance_are_the_kernels(name: str) -> None:
    envelope, visibility, latitude = STARS[name]
    model = SpotEvolutionModel(envelope, visibility, 0.01, latitude=latitude)
    flux = np.asarray(simulate_stars(model, T, N_STAR, nspot_rate=RATE, seed=1).flux)
    per_star = flux.mean(1)
    mean = float(per_star.mean())
    if visibility.separable:
        nodes = latitude_nodes(model.latitude, visibility.inc, 96)
        seen = sum(np.sum(w * visibility.c_n(s * nodes.phi, 1)[0]) for s, w in ((1, nodes.north), (-1, nodes.south)))
        hidden = 0.01 * np.sqrt(RATE) * float(seen) * mean_area(envelope)
        assert abs(1 - mean - hidden) < 3 * per_star.std() / np.sqrt(N_STAR)
    want = AnalyticKernel(model).kernel(T[:8])
    found, error = sigmas(flux, want)
    assert found < 3
    assert error < 0.08 * want[0]  # the bound above can fail
    assert sigmas(flux, 1.3 * want)[0] > 3


def sigmas(flux: np.ndarray, want: np.ndarray) -> tuple[float, float]:
    """How far a simulated covariance is from the kernel, all lags together, and the standard error at lag zero.

    The lags of one star go together, and the largest of many deviations is beyond three standard errors too often by
    itself.  So their chi-square is taken, with the covariance of the stars' own products, and said as the number of
    standard errors of a single normal variable that is as improbable.

    Args:
        flux: light curves, shape (n_star, n_time).
        want: the kernel at the first lags, shape (n_lag,).
    """
    n_star, n_time = flux.shape
    off = flux - flux.mean()
    products = np.array([(off[:, : n_time - k] * off[:, k:]).mean(1) for k in range(want.size)])
    apart, spread = products.mean(1) - want, np.cov(products) / n_star
    square = float(apart @ np.linalg.solve(spread, apart))
    return float(norm.isf(chi2.sf(square, want.size) / 2)), float(np.sqrt(spread[0, 0]))


def mean_area(envelope: object) -> float:
    """Integral of the relative area [d], averaged over the population where there is one."""
    if hasattr(envelope, "lifetimes"):
        life, weight = envelope.lifetimes.nodes()
        return mean_area(envelope.envelope) * float(np.sum(weight * life ** (1 + envelope.gw)))
    return float(np.real(envelope.Gamma_hat(0.0)))


def test_seeds_decide_and_the_table_lists_the_spots_that_live() -> None:
    model = SpotEvolutionModel(STARS["Gnevyshev-Waldmeier"][0], PLAIN, 0.01)
    first, same, other = (simulate_stars(model, T, 3, nspot_rate=RATE, seed=s) for s in (5, 5, 6))
    assert np.array_equal(first.flux, same.flux)
    assert not np.array_equal(first.flux, other.flux)
    table = first.spots.table()
    assert table.colnames == ["star", "latitude", "longitude", "peak_time", "life", "area"]
    assert str(table["peak_time"].unit) == "d"
    assert set(table["star"]) == {0, 1, 2}
    np.testing.assert_allclose(table["area"], table["life"])
    start, end = (float(x) for x in model.envelope.span())
    assert table["peak_time"].min() > -end and table["peak_time"].max() < T[-1] - start
    expected = RATE * (T[-1] + end - start) * 3
    assert abs(len(table) - expected) < 5 * np.sqrt(expected)


def test_one_star_takes_the_models_law_and_population() -> None:
    model = SpotEvolutionModel(STARS["Gnevyshev-Waldmeier"][0], PLAIN, 0.01, latitude=HemisphericBands(0.2, 0.8))
    star = LightcurveModel.from_spot_model(model, nspot=200, tsim=30, seed=2)
    latitude = np.abs(star.spots.latitude)
    assert latitude.min() > 0.2 and latitude.max() < 0.8
    assert np.std(star.spots.life) > 0.1
    assert len(star.spots.table()) == 200
