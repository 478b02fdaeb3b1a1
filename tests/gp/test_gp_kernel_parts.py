"""The kernel with every law of latitude and every kind of spot, against brute averages and finer rules."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spotcat import (
    AnalyticKernel,
    CustomLatitude,
    EdgeOnVisibility,
    ExponentialPlateauEnvelope,
    FacularVisibility,
    FiniteSpotVisibility,
    GaussianBelts,
    HemisphericBands,
    LimbDarkenedVisibility,
    SpotEvolutionModel,
    TrapezoidSymmetricEnvelope,
    UniformAreaLatitude,
    VisibilityFunction,
    gnevyshev_waldmeier,
)
from spotcat.gp.covariance import spot_covariance
from spotcat.gp.kernel import harmonics_needed
from spotcat.star.laws import LatitudeLaw

ENVELOPE = TrapezoidSymmetricEnvelope(6.0, 4.0)
LAWS = {
    "area": UniformAreaLatitude(),
    "bands": HemisphericBands(0.1, 0.7),
    "belts": GaussianBelts(0.4, 0.08),
    "north": CustomLatitude(lambda phi, tilt: jnp.exp(tilt * jnp.sin(phi)), {"tilt": 1.5}),
}
SPOTS = {
    "edge-on": EdgeOnVisibility(3.0),
    "darkened": LimbDarkenedVisibility(3.0, 0.2, 1.0, 0.4, 0.25),
    "facular": FacularVisibility(3.0, 0.2, 1.0, 0.4, 0.25, 1.5),
    "finite": FiniteSpotVisibility(3.0, 0.2, 1.0, 0.35, 0.4, 0.25),
}


def brute(model: SpotEvolutionModel, lag: float, n_phi: int = 30, n_long: int = 192) -> float:
    """Mean product of deficits over latitude, longitude and time of emergence, on plain grids."""
    x, w = np.polynomial.legendre.leggauss(n_phi)
    inc = model.visibility.inc
    ends = np.array([-np.pi / 2, -inc, 0.0, inc, np.pi / 2])
    half = np.diff(ends)[:, None] / 2
    phi, w = ((ends[1:] + ends[:-1])[:, None] / 2 + half * x).ravel(), (half * w).ravel()
    law = w * np.asarray(model.latitude.density(phi))
    x, w = np.polynomial.legendre.leggauss(16)
    kinks = np.asarray(ENVELOPE.edges())
    kinks = np.sort(np.clip(np.concatenate([kinks, kinks - lag]), kinks[0], kinks[-1] - lag))
    half = np.diff(kinks)[:, None] / 2
    t, w = ((kinks[1:] + kinks[:-1])[:, None] / 2 + half * x).ravel(), (half * w).ravel()
    here, later = ENVELOPE.Gamma(t), ENVELOPE.Gamma(t + lag)
    longitude = (np.arange(n_long) + 0.5) / n_long * 2 * np.pi

    def seen(phi: jax.Array, turn: jax.Array, radius: jax.Array) -> jax.Array:
        mu = jnp.cos(inc) * jnp.sin(phi) + jnp.sin(inc) * jnp.cos(phi) * jnp.cos(longitude + turn)
        return model.visibility.deficit(mu[:, None], radius[None, :])

    def one(p: jax.Array) -> jax.Array:
        product = seen(p, jnp.zeros(()), here) * seen(p, model.visibility.omega_0(p) * lag, later)
        return jnp.sum(w * product.mean(0))

    return float(law @ np.asarray(jax.jit(lambda p: jax.lax.map(one, p))(phi)))


@pytest.mark.parametrize("kind", SPOTS)
def test_every_kind_of_spot_equals_brute_averages(kind: str) -> None:
    model = SpotEvolutionModel(ENVELOPE, SPOTS[kind], 1.0, latitude=GaussianBelts(0.4, 0.15))
    lags = np.array([0.0, 5.3])
    got = AnalyticKernel(model).kernel(lags)
    want = [brute(model, lag, 16, 48) for lag in lags] if kind == "finite" else [brute(model, lag) for lag in lags]
    np.testing.assert_allclose(got, want, atol=3e-5 * want[0])


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_every_law_holds_the_error_bound(law: LatitudeLaw) -> None:
    rng = np.random.default_rng(5)
    fine = jax.jit(spot_covariance, static_argnums=2)
    for _ in range(2):
        vis = VisibilityFunction(
            float(rng.uniform(0.5, 5)), float(rng.uniform(0, 0.9)), float(rng.uniform(0, np.pi / 2))
        )
        model = SpotEvolutionModel(ENVELOPE, vis, 1.0, latitude=law)
        lags = np.array([0.0, *rng.uniform(0, 14, 5)])
        got = AnalyticKernel(model).kernel(lags)
        want = np.asarray(fine(lags, jax.tree.map(jnp.asarray, model), 2048))
        assert np.max(np.abs(got - want)) < 1e-6 * want[0]


def test_finite_spots_of_many_sizes_are_refused() -> None:
    model = SpotEvolutionModel(gnevyshev_waldmeier(ENVELOPE, 0.3), SPOTS["finite"], 1.0)
    with pytest.raises(ValueError, match="NumericalKernel"):
        spot_covariance(jnp.zeros(1), model, 96)


def test_harmonics_are_as_many_as_the_tolerance_asks_for() -> None:
    lags = np.linspace(0, 12, 40)
    model = SpotEvolutionModel(ENVELOPE, SPOTS["darkened"], 1.0)
    covariance = jax.jit(spot_covariance, static_argnums=(2, 3))
    want = np.asarray(covariance(lags, model, 96, 128))
    for tolerance in (1e-3, 1e-6):
        n = harmonics_needed(model, tolerance)
        assert np.max(np.abs(np.asarray(covariance(lags, model, 96, n)) - want)) < tolerance * want[0]
    assert harmonics_needed(model, 1e-3) < n
    plain = SpotEvolutionModel(ENVELOPE, VisibilityFunction(3.0, 0.2, 1.0), 1.0)
    none = SpotEvolutionModel(ENVELOPE, LimbDarkenedVisibility(3.0, 0.2, 1.0, 0.0, 0.0), 1.0)
    np.testing.assert_allclose(AnalyticKernel(none).kernel(lags), AnalyticKernel(plain).kernel(lags), atol=1e-6)


def test_any_parts_make_a_model_and_its_gradient() -> None:
    model = SpotEvolutionModel(
        ExponentialPlateauEnvelope(5.0, 1.0, 4.0), SPOTS["facular"], 0.01, latitude=GaussianBelts(0.4, 0.1)
    )
    keys = (
        "peq",
        "kappa",
        "inc",
        "u1",
        "u2",
        "q_fac",
        "lspot",
        "tau_em",
        "tau_dec",
        "lat_mean",
        "lat_sigma",
        "sigma_k",
    )
    assert model.param_keys == keys
    assert model.with_params({"lat_mean": 0.3}).latitude == GaussianBelts(0.3, 0.1)
    assert "latitude=GaussianBelts" in repr(model)
    lag = jnp.array([0.0, 1.3, 4.0])

    @jax.jit
    def value(theta: jax.Array) -> jax.Array:
        return spot_covariance(lag, model.with_params(dict(zip(keys, theta, strict=True))), 96, 16)

    at = np.array(list(model.param_dict.values()))
    slope = np.asarray(jax.jit(jax.jacfwd(value))(at))
    k0 = float(value(at)[0])
    for j in range(len(keys)):
        step = 1e-4 * max(at[j], 0.1) * np.eye(len(keys))[j]
        near, far = ((value(at + k * step) - value(at - k * step)) / (2 * k * step[j]) for k in (1, 2))
        np.testing.assert_allclose(slope[:, j] * at[j], np.asarray(4 * near - far) / 3 * at[j], atol=1e-5 * k0)
