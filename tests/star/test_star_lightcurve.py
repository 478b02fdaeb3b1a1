"""Simulated light curves have the mean and covariance that the kernel promises."""

from __future__ import annotations

import numpy as np
import pytest

from spotcat import AnalyticKernel, LightcurveModel, SpotEvolutionModel, TrapezoidSymmetricEnvelope, VisibilityFunction


def make_model(**amplitude: float) -> SpotEvolutionModel:
    return SpotEvolutionModel(
        TrapezoidSymmetricEnvelope(6.0, 4.0), VisibilityFunction(5.0, 0.2, 1.1), **(amplitude or {"sigma_k": 0.01})
    )


@pytest.mark.slow
@pytest.mark.parametrize("nspot", [8, 60])
def test_simulated_covariance_equals_the_kernel(nspot: int) -> None:
    model = make_model()
    kernel = AnalyticKernel(model)
    step, n = 0.5, 60
    flux = np.array(
        [LightcurveModel.from_spot_model(model, nspot, tsim=60.0, tsamp=step, seed=s).flux for s in range(2_000)]
    )
    # Spot numbers are fixed, not Poisson: the expected product of means, rate^2 E[f]^2, is short by one part in nspot.
    deviations = flux - flux.mean()
    lags = np.arange(0, n, 6)
    per_star = np.array([[np.mean(d[: d.size - k] * d[k:]) for k in lags] for d in deviations])
    error = per_star.std(axis=0) / np.sqrt(len(per_star))
    want = kernel.kernel(lags * step) - (1 - flux.mean()) ** 2 / nspot
    assert np.all(np.abs(per_star.mean(axis=0) - want) < 4 * error)
    assert error[0] < 0.05 * want[0]  # the bound above can fail


def test_the_physical_triplet_gives_sigma_k() -> None:
    model = make_model(nspot_rate=0.25, fspot=0.4, alpha_max=0.1)
    assert model.sigma_k == pytest.approx(0.5 * 0.6 * 0.01)
    with pytest.raises(ValueError, match="either"):
        make_model(sigma_k=0.1, fspot=0.4)
    with pytest.raises(ValueError, match="either"):
        make_model(fspot=0.4)


def test_seeds_decide_and_global_state_is_honoured() -> None:
    model = make_model()
    first, same, other = (LightcurveModel.from_spot_model(model, seed=s).flux for s in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    runs = []
    for _ in range(2):
        np.random.seed(42)  # noqa: NPY002
        runs.append(LightcurveModel.from_spot_model(model).flux)
    assert np.array_equal(*runs)


def test_times_and_bad_arguments() -> None:
    lc = LightcurveModel.from_spot_model(make_model(), nspot=30, tsim=150, tsamp=0.5, seed=1)
    assert (lc.t[0], lc.t[-1], lc.t.size) == (0.0, 149.5, 300)
    assert np.all(lc.flux <= 1)
    with pytest.raises(ValueError, match="positive"):
        LightcurveModel.from_spot_model(make_model(), nspot=0)
