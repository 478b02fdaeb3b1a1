"""Distributed lifetimes and sizes: quadrature against dense averages, quantiles, and the light curves they make."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.stats import norm

from spotcat import (
    FixedScale,
    LogNormalScale,
    NormalScale,
    SpotPopulation,
    TrapezoidSymmetricEnvelope,
    UniformScale,
    gnevyshev_waldmeier,
)
from spotcat.star.envelope import Envelope
from spotcat.star.population import REACH, Scale

ENVELOPE = TrapezoidSymmetricEnvelope(6.0, 4.0)
SCALES = [UniformScale(0.5, 2.0), NormalScale(0.3), NormalScale(0.8), LogNormalScale(0.4)]


def dense(scale: Scale, n: int = 4001) -> tuple[np.ndarray, np.ndarray]:
    """The distribution on a fine grid, written out again."""
    match scale:
        case UniformScale(low, high):
            x = np.linspace(low, high, n)
            p = np.ones(n)
        case NormalScale(sigma):
            x = np.linspace(max(1 - REACH * sigma, 1e-9), 1 + REACH * sigma, n)
            p = norm.pdf(x, 1, sigma)
        case LogNormalScale(sigma):
            z = np.linspace(-REACH, REACH, n)
            x, p = np.exp(sigma * z), norm.pdf(z) / np.exp(sigma * z)
    return x, p / trapezoid(p, x)


@pytest.mark.parametrize("scale", SCALES, ids=repr)
def test_nodes_and_quantiles_are_those_of_the_distribution(scale: Scale) -> None:
    x, p = dense(scale)
    nodes, weights = scale.nodes()
    assert float(weights.sum()) == pytest.approx(1)
    for power in (1, 2, 4):
        assert float(jnp.sum(weights * nodes**power)) == pytest.approx(trapezoid(p * x**power, x), rel=1e-5)
    u = np.linspace(0.01, 0.99, 9)
    below = np.concatenate([[0], np.cumsum((p[1:] + p[:-1]) / 2 * np.diff(x))])
    np.testing.assert_allclose(scale.quantile(u), np.interp(u, below, x), rtol=1e-4)


@pytest.mark.parametrize("scale", SCALES, ids=repr)
def test_population_averages_equal_dense_ones(scale: Scale) -> None:
    population = SpotPopulation(ENVELOPE, scale, UniformScale(0.5, 1.5), 0.7)
    f, p = dense(scale)
    squared_area = (1.5**3 - 0.5**3) / 3
    lag, omega = np.linspace(0, 1, 5) * float(population.kernel_support()), np.array([0.0, 0.2, 1.0])
    rows = np.asarray(jax.jit(ENVELOPE.R_Gamma)(lag[:, None] / f)) * f
    want = squared_area * trapezoid(p * f**1.4 * rows, f, axis=1)
    np.testing.assert_allclose(population.R_Gamma(lag), want, atol=1e-5 * want[0])
    rows = np.asarray(jax.jit(ENVELOPE.Gamma_hat_sq)(omega[:, None] * f)) * f**2
    want = squared_area * trapezoid(p * f**1.4 * rows, f, axis=1)
    np.testing.assert_allclose(population.Gamma_hat_sq(omega), want, atol=1e-5 * want[0])


def test_a_population_of_equals_is_its_envelope() -> None:
    same: Envelope = SpotPopulation(ENVELOPE)
    lag = np.linspace(0, 20, 30)
    np.testing.assert_allclose(same.R_Gamma(lag), ENVELOPE.R_Gamma(lag), rtol=1e-12)
    assert float(same.kernel_support()) == ENVELOPE.kernel_support()
    assert same.param_dict == {"lspot": 6.0, "tau_spot": 4.0, "gw": 0.0}


def test_areas_follow_lifetimes_after_gnevyshev_and_waldmeier() -> None:
    population = gnevyshev_waldmeier(ENVELOPE, 0.4)
    life, area = population.draw(np.linspace(0.1, 0.9, 5), np.full(5, 0.5))
    np.testing.assert_allclose(area, life)
    assert population.param_dict == {"lspot": 6.0, "tau_spot": 4.0, "life_sigma": 0.4, "gw": 1.0}
    changed = population.with_params({"life_sigma": 0.2, "lspot": 3.0, "gw": 0.5})
    assert changed == SpotPopulation(TrapezoidSymmetricEnvelope(3.0, 4.0), LogNormalScale(0.2), FixedScale(), 0.5)


def test_gradients_equal_finite_differences() -> None:
    names = ("lspot", "tau_spot", "life_sigma", "area_sigma", "gw")
    start = SpotPopulation(ENVELOPE, LogNormalScale(0.4), NormalScale(0.2), 0.8)
    assert tuple(start.param_dict) == names
    lag = jnp.array([0.0, 3.0, 9.0, 20.0])
    values = jax.jit(lambda p: start.with_params(dict(zip(names, p, strict=True))).R_Gamma(lag))
    at = np.array(list(start.param_dict.values()))
    slope = np.asarray(jax.jacfwd(values)(at))
    for j in range(len(at)):
        step = 1e-4 * at[j] * np.eye(len(at))[j]
        near, far = ((values(at + k * step) - values(at - k * step)) / (2 * k * step[j]) for k in (1, 2))
        np.testing.assert_allclose(slope[:, j], np.asarray(4 * near - far) / 3, atol=1e-5 * float(values(at)[0]))
