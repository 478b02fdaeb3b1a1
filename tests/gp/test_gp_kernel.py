"""The kernel against adaptive quadrature over the whole box, and its gradients."""

from __future__ import annotations

import time
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from spotcat import AnalyticKernel, SpotEvolutionModel, TrapezoidSymmetricEnvelope, UniformLatitude, VisibilityFunction
from spotcat.gp.covariance import spot_covariance
from spotcat.gp.kernel import _compiled
from spotcat.model.harmonics import Rotation, harmonic_covariances, harmonic_slopes, rotation_of


def random_model(rng: np.random.Generator) -> SpotEvolutionModel:
    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    return SpotEvolutionModel(
        TrapezoidSymmetricEnvelope(float(rng.uniform(0, 100)), log_uniform(0.1, 50)),
        VisibilityFunction(log_uniform(0.2, 80), float(rng.uniform(0, 0.9)), float(rng.uniform(0, np.pi / 2))),
        sigma_k=1.0,
    )


def longitude_average(psi: float, a0: float, a1: float) -> float:
    """Average of V(x) V(x + psi) from its own definition, with elementary antiderivatives between sign changes."""
    if a0 <= -a1:
        return 0.0
    half = np.pi if a0 >= a1 else np.arccos(-a0 / a1)
    total = 0.0
    for turn in (-2 * np.pi, 0.0, 2 * np.pi):  # copies of the second factor's arc
        low, high = max(-half, -half - psi + turn), min(half, half - psi + turn)
        if high > low:

            def antiderivative(x: float) -> float:
                waves = a0 * a1 * (np.sin(x) + np.sin(x + psi))
                return a0**2 * x + waves + a1**2 / 2 * (x * np.cos(psi) + np.sin(2 * x + psi) / 2)

            total += antiderivative(high) - antiderivative(low)
    return total / (2 * np.pi)


def quadrature(model: SpotEvolutionModel, lag: float) -> float:
    """The kernel by adaptive quadrature in latitude, split where the phase has run through each quarter turn."""
    vis = model.visibility
    omega = 2 * np.pi / vis.peq

    def integrand(phi: float) -> float:
        psi = np.mod(omega * (1 - vis.kappa * np.sin(phi) ** 2) * lag, 2 * np.pi)
        return sum(
            longitude_average(psi, np.cos(vis.inc) * np.sin(p), np.sin(vis.inc) * np.cos(p)) for p in (phi, -phi)
        )

    radians = omega * vis.kappa * lag
    turns = np.linspace(0, 1, int(np.ceil(radians / np.pi)) + 2)
    edges = np.unique(np.concatenate([np.arcsin(np.sqrt(turns)), [vis.inc]]))
    pieces = (quad(integrand, a, b, epsabs=1e-10, epsrel=1e-8, limit=100)[0] for a, b in pairwise(edges))
    return float(model.sigma_k**2 * model.envelope.R_Gamma(lag)) * sum(pieces) / np.pi


@pytest.mark.slow
def test_kernel_equals_adaptive_quadrature_on_200_random_stars() -> None:
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(200):
        model = random_model(rng)
        # Long lags of fast, strongly sheared stars cost the quadrature thousands of panels: one lag a star, uniform in
        # the support, keeps every combination of the box in play.
        lag = float(rng.uniform(0, model.kernel_support()))
        radians = 2 * np.pi / model.peq * model.visibility.kappa * lag
        if radians > 300:
            lag *= 300 / radians
        got = AnalyticKernel(model).kernel(np.array([0.0, lag]))
        worst = max(worst, abs(got[1] - quadrature(model, lag)) / got[0], abs(got[0] - quadrature(model, 0.0)) / got[0])
    assert worst < 1e-6


def test_fast_and_strongly_sheared_stars_at_full_lag_against_sixteen_times_the_nodes() -> None:
    rng, dense = np.random.default_rng(2), jax.jit(spot_covariance, static_argnums=2)
    for _ in range(12):
        model = random_model(rng).with_params(
            {"peq": float(rng.uniform(0.2, 1.0)), "kappa": float(rng.uniform(0.4, 0.9))}
        )
        lag = np.array([0.0, *rng.uniform(0.3, 1, 3) * model.kernel_support()])
        got = AnalyticKernel(model).kernel(lag)
        fine = np.asarray(dense(lag, jax.tree.map(jnp.asarray, model), 1 << 18))
        assert np.max(np.abs(got - fine)) < 1e-6 * fine[0]


def test_gradients_are_finite_everywhere_and_equal_finite_differences() -> None:
    rng = np.random.default_rng(3)
    keys = ("peq", "kappa", "inc", "lspot", "tau_spot", "sigma_k")

    def value(theta: jax.Array, template: SpotEvolutionModel, lag: jax.Array) -> jax.Array:
        return spot_covariance(lag, template.with_params(dict(zip(keys, theta, strict=True))), 512)

    slope = jax.jit(jax.jacfwd(value))
    for i in range(60):
        model = random_model(rng)
        limits = {"inc": [0.0, np.pi / 2, 1e-6][i % 3]} if i < 12 else {}
        limits |= {"lspot": 0.0} if i % 5 == 0 else {}
        limits |= {"kappa": 0.0} if i % 7 == 0 else {}
        model = model.with_params(limits)
        theta = np.array(list(model.param_dict.values()))
        lag = jnp.asarray(rng.uniform(0, 1.1, 6) * model.kernel_support())
        assert np.isfinite(slope(theta, model, lag)).all()
    for _ in range(6):
        model = random_model(rng).with_params({"peq": 20.0})
        theta = np.array(list(model.param_dict.values()))
        lag = jnp.asarray(rng.uniform(0.05, 0.9, 6) * model.kernel_support())
        analytic = np.asarray(slope(theta, model, lag))
        k0 = float(spot_covariance(jnp.zeros(1), model, 512)[0])
        for j in range(len(keys)):
            step = np.zeros(len(keys))
            step[j] = 1e-5 * max(theta[j], 1e-2)
            difference = (value(theta + step, model, lag) - value(theta - step, model, lag)) / (2 * step[j])
            np.testing.assert_allclose(analytic[:, j] * step[j] * 1e5, difference * step[j] * 1e5, atol=1e-5 * k0)


def test_harmonics_sum_to_the_closed_form() -> None:
    model = SpotEvolutionModel(TrapezoidSymmetricEnvelope(15.0, 5.0), VisibilityFunction(10.0, 0.3, 1.0), 1.0)
    lag = np.arange(48) * 0.5
    rows = harmonic_covariances(rotation_of(model.visibility, model.latitude, 60, 512), lag.size, 0.5)
    total = np.asarray(rows.sum(0) * model.envelope.R_Gamma(lag))
    np.testing.assert_allclose(total, AnalyticKernel(model).kernel(lag), atol=3e-6 * total[0])


@pytest.mark.parametrize("n_time", [64, 320, 2048])
def test_harmonics_on_a_grid_equal_the_plain_sum(n_time: int) -> None:
    def rotation(x: jax.Array) -> Rotation:
        return rotation_of(VisibilityFunction(x[0], x[1], x[2]), UniformLatitude(), 4, 64)

    point, dt = jnp.array([3.0, 0.3, 1.0]), 0.25
    levels = jnp.array([0.5, 1.0, 2.0, 0.3, 0.7])
    lag = jnp.arange(n_time) * dt

    def plain(r: Rotation) -> jax.Array:
        order = jnp.arange(5)[:, None, None]
        return jnp.sum(r.power[:, None, :] * jnp.cos(order * lag[:, None] * r.rate), axis=-1)

    at = rotation(point)
    np.testing.assert_allclose(harmonic_covariances(at, n_time, dt), plain(at), atol=1e-12)
    slope = jax.tree.map(lambda a: jnp.moveaxis(a, -1, 0), jax.jacfwd(rotation)(point))
    got = harmonic_slopes(at, slope, levels, n_time, dt)
    want = jax.jacfwd(lambda x: levels @ plain(rotation(x)))(point).T
    np.testing.assert_allclose(got, want, atol=1e-9)


def test_objects_jit_grad_and_vmap() -> None:
    models = SpotEvolutionModel(
        TrapezoidSymmetricEnvelope(jnp.array([5.0, 15.0]), jnp.array([5.0, 2.0])),
        VisibilityFunction(jnp.array([3.0, 8.0]), jnp.array([0.1, 0.3]), jnp.array([1.0, 0.5])),
        sigma_k=jnp.array([1.0, 2.0]),
    )
    lag = jnp.linspace(0, 12, 7)
    both = jax.jit(jax.vmap(lambda m: spot_covariance(lag, m, 64)))(models)
    for i in range(2):
        one = jax.tree.map(lambda a, i=i: a[i], models)
        np.testing.assert_allclose(both[i], spot_covariance(lag, one, 64), rtol=1e-12)
        np.testing.assert_allclose(both[i], AnalyticKernel(one).kernel(lag), rtol=1e-5, atol=1e-8)
    slope = jax.grad(lambda m: spot_covariance(lag, m, 64).sum())(one)
    assert float(slope.sigma_k) == pytest.approx(float(both[1].sum()) * 2 / 2.0)


def test_another_number_of_lags_does_not_compile_again() -> None:
    model = SpotEvolutionModel(TrapezoidSymmetricEnvelope(15.0, 5.0), VisibilityFunction(10.0, 0.3, 1.0), 0.01)
    kernel = AnalyticKernel(model).build_jax()
    before = _compiled._cache_size()
    for n in (300, 17, 512):
        kernel.kernel(np.linspace(0, 25, n))
    assert _compiled._cache_size() == before
    start = time.perf_counter()
    assert kernel.kernel(3.0).shape == ()
    assert time.perf_counter() - start < 5
