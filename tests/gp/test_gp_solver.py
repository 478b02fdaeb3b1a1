"""The one-star solver: exact posterior, gradients, maximum, prediction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from spotcat import (
    AnalyticKernel,
    GPSolver,
    LightcurveModel,
    SpotEvolutionModel,
    TrapezoidSymmetricEnvelope,
    VisibilityFunction,
)


@pytest.fixture(scope="module")
def star() -> tuple[SpotEvolutionModel, LightcurveModel, np.ndarray]:
    model = SpotEvolutionModel(TrapezoidSymmetricEnvelope(10.0, 4.0), VisibilityFunction(5.0, 0.1, 1.2), 0.005)
    lc = LightcurveModel.from_spot_model(model, nspot=25, tsim=60, tsamp=0.5, seed=3)
    return model, lc, lc.flux + np.random.default_rng(0).normal(0, 1e-3, lc.flux.size)


def test_posterior_differences_equal_the_explicit_ones(star: tuple) -> None:
    model, lc, flux = star
    solver = GPSolver(lc.t, flux, 1e-3, model)
    other = model.with_params({"peq": 5.2, "lspot": 8.0})

    def explicit(m: SpotEvolutionModel) -> float:
        covariance = AnalyticKernel(m).kernel(np.abs(lc.t[:, None] - lc.t[None, :])) + 1e-6 * np.eye(lc.t.size)
        # A vague prior on the offset stands for the marginalised one.
        normal = multivariate_normal(np.zeros(lc.t.size), covariance + 10.0, allow_singular=True)
        p = m.param_dict
        log_prior = np.log(np.sin(p["inc"])) - sum(np.log(p[k]) for k in ("peq", "lspot", "tau_spot", "sigma_k"))
        return float(normal.logpdf(flux)) + log_prior

    got = solver.log_posterior(list(other.param_dict.values())) - solver.log_posterior(solver.theta0)
    assert got == pytest.approx(explicit(other) - explicit(model), abs=2e-2)
    assert solver.neg_log_posterior(solver.theta0) == -solver.log_posterior(solver.theta0)


def test_gradients_equal_finite_differences(star: tuple) -> None:
    model, lc, flux = star
    solver = GPSolver(lc.t, flux, 1e-3, model).build_jax()
    slope = solver.grad_log_posterior(solver.theta0)
    np.testing.assert_array_equal(slope, -solver.grad_neg_log_posterior(solver.theta0))
    for j, value in enumerate(solver.theta0):
        step = 1e-4 * value * np.eye(6)[j]
        at = {s: solver.log_posterior(solver.theta0 + s * step) for s in (-2, -1, 1, 2)}
        near, far = ((at[s] - at[-s]) / (2e-4 * s) for s in (1, 2))
        assert slope[j] * value == pytest.approx((4 * near - far) / 3, rel=1e-5, abs=1e-5)


def test_fit_map_climbs_and_prediction_follows_the_flux(star: tuple) -> None:
    model, lc, flux = star
    solver = GPSolver(lc.t, flux, 1e-3, model.with_params({"peq": 4.8, "sigma_k": 0.01}))
    found = solver.fit_map()
    assert found.log_posterior > solver.log_posterior(solver.theta0) + 1
    assert found.params["peq"] == pytest.approx(5.0, rel=0.1)
    mean, sd = solver.predict(lc.t, list(found.params.values()))
    assert np.std(mean - lc.flux) < 1e-3  # closer to the truth than the noise
    assert np.mean(np.abs(mean - lc.flux) < 2 * sd) > 0.8


def test_outside_the_bounds_and_bad_input(star: tuple) -> None:
    model, lc, flux = star
    solver = GPSolver(lc.t, flux, 1e-3, model, bounds={"peq": (4.0, 6.0)})
    outside = solver.theta0
    outside[0] = 7.0
    assert solver.log_posterior(outside) == -np.inf
    with pytest.raises(ValueError, match="no such parameter"):
        GPSolver(lc.t, flux, 1e-3, model, bounds={"period": (1.0, 2.0)})
    with pytest.raises(ValueError, match="one length"):
        GPSolver(lc.t, flux[:-1], 1e-3, model)
    with pytest.raises(ValueError, match="finite"):
        GPSolver(lc.t, flux, 0.0, model)
