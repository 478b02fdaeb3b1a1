"""Spectra are the covariances' Fourier transforms, sums are sums, and simulations agree."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from spotcat import (
    ActivityCycle,
    AnalyticKernel,
    DriftTerm,
    ExponentialAsymmetricEnvelope,
    FacularVisibility,
    FiniteSpotVisibility,
    GaussianBelts,
    JitterTerm,
    KernelSum,
    NonstationaryKernel,
    NumericalKernel,
    OrnsteinUhlenbeckTerm,
    SpotEvolutionModel,
    SpotTerm,
    TrapezoidSymmetricEnvelope,
    VisibilityFunction,
    gnevyshev_waldmeier,
)

ENVELOPE = TrapezoidSymmetricEnvelope(6.0, 4.0)
PLAIN = SpotEvolutionModel(ENVELOPE, VisibilityFunction(3.0, 0.2, 1.0), 0.01)
STARS = {
    "plain": PLAIN,
    "decay, faculae, belts": SpotEvolutionModel(
        ExponentialAsymmetricEnvelope(1.0, 3.0),
        FacularVisibility(3.0, 0.2, 1.0, 0.4, 0.25, 0.8),
        0.01,
        latitude=GaussianBelts(0.4, 0.1),
    ),
    "population": SpotEvolutionModel(gnevyshev_waldmeier(ENVELOPE, 0.3), VisibilityFunction(3.0, 0.2, 1.0), 0.01),
    "finite": SpotEvolutionModel(ENVELOPE, FiniteSpotVisibility(3.0, 0.2, 1.0, 0.4), 0.01),
}


covariance = jax.jit(lambda term, lag: term.covariance(lag))
spectrum = jax.jit(lambda term, omega: term.spectrum(omega))


@pytest.mark.parametrize("model", STARS.values(), ids=STARS)
def test_spectra_are_transforms_of_covariances(model: SpotEvolutionModel) -> None:
    kernel = AnalyticKernel(model)
    omega = np.array([0.0, 0.1, 2.0, 2.1, 4.2, 7.0])
    lag = np.linspace(0, 2 * float(model.kernel_support()), 2001)
    k = kernel.kernel(lag)
    weight = np.full(lag.size, 2.0) + 2.0 * (np.arange(lag.size) % 2)  # Simpson's rule
    weight[[0, -1]] = 1.0
    want = 2 * (k * weight) @ np.cos(np.outer(lag, omega)) * (lag[1] - lag[0]) / 3
    np.testing.assert_allclose(kernel.compute_psd(omega), want, atol=2e-6 * want.max())
    assert kernel.compute_psd(omega[:, None]).shape == (6, 1)


def test_the_spectrum_integrates_to_the_variance() -> None:
    omega = np.arange(-25, 25, 0.1)
    total = AnalyticKernel(PLAIN).compute_psd(omega).sum() * 0.1 / (2 * np.pi)
    assert total == pytest.approx(float(AnalyticKernel(PLAIN).kernel(0.0)), rel=1e-3)


@pytest.mark.parametrize("term", [OrnsteinUhlenbeckTerm(0.3, 2.0), DriftTerm(0.3, 4.0)], ids=lambda t: type(t).__name__)
def test_spectra_of_terms_are_transforms_of_their_covariances(term: OrnsteinUhlenbeckTerm | DriftTerm) -> None:
    lag, omega = np.linspace(0, 100, 200_001), np.array([0.0, 0.3, 2.0])
    k = np.asarray(term.covariance(lag))
    want = [2 * np.trapezoid(k * np.cos(w * lag), lag) for w in omega]
    np.testing.assert_allclose(term.spectrum(omega), want, rtol=1e-5)
    assert float(term.covariance(0.0)) == pytest.approx(0.09)
    assert term.white() == 0


def test_sums_add_up_and_keep_their_parameters_apart() -> None:
    other = PLAIN.with_params({"peq": 7.0})
    total = KernelSum(
        spots=SpotTerm.reaching(PLAIN, 20.0),
        more=SpotTerm.reaching(other, 20.0),
        jitter=JitterTerm(0.1),
        drift=DriftTerm(0.2, 9.0),
    )
    assert list(total.param_dict)[:6] == list(PLAIN.param_dict)
    assert {"more_peq", "sigma_jitter", "sigma_drift", "tau_drift"} <= total.param_dict.keys()
    changed = total.with_params({"more_peq": 8.0, "sigma_jitter": 0.3})
    assert changed.param_dict["more_peq"] == 8.0
    assert changed.param_dict["peq"] == 3.0
    assert changed.white() == pytest.approx(0.09)
    lag = np.array([0.0, 1.0, 5.0])
    drift = DriftTerm(0.2, 9.0)
    both = AnalyticKernel(PLAIN), AnalyticKernel(other)
    want = sum(k.kernel(lag) for k in both) + np.asarray(drift.covariance(lag))
    np.testing.assert_allclose(covariance(total, lag), want, atol=1e-8)
    want = sum(k.compute_psd(lag) for k in both) + np.asarray(drift.spectrum(lag))
    np.testing.assert_allclose(spectrum(total, lag), want, rtol=1e-5)


def test_the_numerical_kernel_agrees_with_the_analytic_one() -> None:
    numerical = NumericalKernel(PLAIN, tsim=30, tsamp=1.0, n_star=1_000, nspot_rate=2.0)
    want = AnalyticKernel(PLAIN).kernel(numerical.lag)
    assert np.all(np.abs(numerical.covariance - want) < 4 * numerical.error)
    assert numerical.error[0] < 0.07 * want[0]
    wrong = AnalyticKernel(PLAIN.with_params({"peq": 3.6})).kernel(numerical.lag)
    assert np.any(np.abs(numerical.covariance - wrong) > 6 * numerical.error)
    with pytest.raises(ValueError, match="two stars"):
        NumericalKernel(PLAIN, n_star=1)


def test_an_activity_cycle_modulates_the_covariance_of_its_spots() -> None:
    from spotcat import simulate_stars
    from spotcat.star.lightcurve import Spots, flux_deficit

    cycle = ActivityCycle(400.0, 0.6, 0.5)
    t = np.array([0.0, 1.0, 3.0, 100.0, 101.0, 200.0, 203.0])
    kernel = NonstationaryKernel(PLAIN, cycle)
    matrix = kernel.matrix(t)
    want = np.outer(cycle(t), cycle(t)) * AnalyticKernel(PLAIN).kernel(np.abs(t[:, None] - t[None, :]))
    np.testing.assert_allclose(matrix, want, rtol=1e-12)
    np.testing.assert_allclose(kernel.matrix(t[:2], t), matrix[:2], rtol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > 0

    # Spots whose size follows the cycle at their emergence, which is slow beside their lives.
    n_star, rate = 768, 1.0
    spots = simulate_stars(PLAIN, t, n_star, nspot_rate=rate, seed=2).spots
    sized = Spots(spots.latitude, spots.longitude, spots.peak_time, spots.life, cycle(spots.peak_time))
    flux = jax.jit(lambda s: jax.lax.map(lambda one: flux_deficit(t, PLAIN, one), s, batch_size=16))(sized)
    flux = np.asarray(flux) * PLAIN.sigma_k / np.sqrt(rate)
    off = flux - flux.mean(0)
    products = off[:, :, None] * off[:, None, :]
    error = products.std(0) / np.sqrt(n_star)
    assert np.all(np.abs(products.mean(0) - matrix) < 4.5 * error + 0.02 * matrix[0, 0])
    assert matrix[0, 0] > 4 * matrix[5, 5] > 10 * error[5, 5]
