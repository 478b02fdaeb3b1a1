"""The fitted covariance under the laws that a survey may choose: its rows, its derivatives and where it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spotcat.config import FitConfig, Spots
from spotcat.model.composite import covariance_jacobian, covariance_of, shape_of, spot_levels, support_steps
from spotcat.model.grid import Grid
from spotcat.model.harmonics import rotation_of
from spotcat.model.laws import envelope_of, latitude_of, visibility_of
from spotcat.model.layout import LN_WHITE_MIN, Layout
from spotcat.model.likelihood import log_likelihood
from spotcat.star.envelope import Envelope
from spotcat.star.latitude import latitude_nodes
from spotcat.star.laws import LatitudeLaw
from spotcat.star.visibility import VisibilityFunction

M, DT, WIDTH = 128, 0.5, 0.2
BELTS, BANDS = ("belts", (20.0, 5.0)), ("bands", (10.0, 40.0))
DARK = ("limb-darkened", (0.4, 0.25))
CHOICES = {
    "exponential-plateau": Spots("exponential-plateau", (), *DARK, *BELTS),
    "logistic-plateau": Spots("logistic-plateau", (), "facular", (0.4, 0.25, 0.8)),
    "exponential": Spots("exponential", (), *DARK, "area"),
    "exponential-decay": Spots("exponential-decay", (), "small", (), *BANDS),
    "skewed-gaussian": Spots("skewed-gaussian", (3.0,), "facular", (0.4, 0.25, 0.8), *BELTS),
}
ONE_TIME = {"exponential", "exponential-decay", "skewed-gaussian"}
THETA = np.array([np.log(4.0), -1.0, 0.6, np.log(6.0), np.log(2.0), -0.4, -1.0, 0.1, 0, 0, 0, -4, -3.5, -3, -2, -2.5])


def layout_of(name: str) -> Layout:
    return Grid(M, DT).layout(FitConfig(**CHOICES[name]._asdict()))


@cache
def fitted(name: str) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Covariance and Jacobian, compiled once for all tests."""
    layout = layout_of(name)

    @jax.jit
    def compiled(theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        slopes = covariance_jacobian(theta, WIDTH, layout)
        return covariance_of(slopes, layout), slopes

    def call(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with jax.enable_x64(True):
            k, slopes = compiled(jnp.asarray(theta))
            return np.asarray(k), np.asarray(slopes)

    return call


@pytest.mark.parametrize("name", CHOICES)
def test_derivatives_equal_finite_differences(name: str) -> None:
    slopes = fitted(name)(THETA)[1]
    assert slopes.shape == (THETA.size - 1, M)
    for j, slope in enumerate(slopes):
        step = 1e-4 * np.eye(THETA.size)[j]
        near, far = (
            (fitted(name)(THETA + n * step)[0] - fitted(name)(THETA - n * step)[0]) / (2e-4 * n) for n in (1, 2)
        )
        want = (4 * near - far) / 3
        np.testing.assert_allclose(slope, want, atol=1e-5 * max(abs(want).max(), 1e-3))
        if name in ONE_TIME and j == 3:
            assert not slope.any()


@jax.jit
def parts(envelope: Envelope, visibility: VisibilityFunction, law: LatitudeLaw, lag: jax.Array) -> tuple:
    """What the objects say: ``R_Gamma``; at many latitudes rates, weights and coefficients north and south."""
    nodes = latitude_nodes(law, visibility.inc, 256)
    c = tuple(visibility.c_n(side * nodes.phi, 4) for side in (1, -1))
    rows = envelope.R_Gamma(jnp.concatenate([jnp.zeros(1), lag]))
    return rows, visibility.omega_0(nodes.phi), (nodes.north, nodes.south), c


def plainly(name: str, theta: np.ndarray) -> np.ndarray:
    """Covariance of the spots alone, never cut off, by plain sums over many latitudes."""
    choice, layout = CHOICES[name], layout_of(name)
    with jax.enable_x64(True):
        peq, kappa, inc, plateau, decay = (float(x) for x in shape_of(jnp.asarray(theta)))
        envelope, visibility = envelope_of(choice).make(plateau, decay), visibility_of(choice, peq, kappa, inc)
        found = parts(envelope, visibility, latitude_of(choice), layout.lag)
        rows, rate, weights, c = jax.tree.map(np.asarray, found)
        levels = np.asarray(spot_levels(jnp.asarray(theta), layout))
    order = np.arange(layout.n_harm + 1)
    power = np.where(order == 0, 1, 2)[:, None] * sum(w * x**2 for w, x in zip(weights, c, strict=True))
    binned = levels * np.sinc(order * WIDTH / peq) ** 2 / power[1:].sum()
    turning = np.cos(order[:, None, None] * layout.lag[:, None] * rate)
    return rows[1:] / rows[0] * np.einsum("n,nj,nlj->l", binned, power, turning)


@pytest.mark.parametrize("name", CHOICES)
def test_spots_have_the_covariance_of_the_chosen_objects(name: str) -> None:
    theta = THETA.copy()
    theta[layout_of(name).reds] = -np.inf
    want = plainly(name, theta)
    # Thirty-two latitudes, and what is cut off.
    np.testing.assert_allclose(fitted(name)(theta)[0], want, atol=1e-5 * want[0])


@pytest.mark.parametrize("name", CHOICES)
def test_cutting_an_envelope_without_end_changes_nothing_that_counts(name: str) -> None:
    """With the least white noise that a fit may have: positive definite, and the same likelihood to 1e-6."""
    theta, layout = THETA.copy(), layout_of(name)
    theta[3], theta[5], theta[-1] = 0.7, 0.6, LN_WHITE_MIN
    theta[4] = max(x for x in np.linspace(-1, 3, 81) if support_steps(np.array([*theta[:4], x]), layout) < 90)
    end = int(support_steps(theta, layout))
    assert 80 < end < 90 and layout.red_steps < end
    cut = fitted(name)(theta)[0]
    assert not cut[end:].any()
    whole = np.where(np.arange(M) < end, cut, plainly(name, theta))
    assert whole[end:].any()
    lag = abs(np.subtract.outer(range(M), range(M)))
    noise = np.full(M, np.exp(LN_WHITE_MIN))
    assert np.linalg.eigvalsh(cut[lag] + np.diag(noise)).min() > 0.99 * noise[0]
    y = np.linalg.cholesky(whole[lag] + np.diag(noise)) @ np.random.default_rng(2).normal(size=M)
    with jax.enable_x64(True):
        values = [float(value(k, noise, y)) for k in (cut, whole)]
    assert values[0] == pytest.approx(values[1], abs=1e-6)


@jax.jit
def value(k: jax.Array, noise: jax.Array, y: jax.Array) -> jax.Array:
    return log_likelihood(k, noise, y, jnp.ones(M), jnp.ones((M, 1)), M)


def test_no_law_of_latitudes_has_nodes_worse_placed_than_the_uniform_one() -> None:
    """The 32 nodes of a fit against 512, for a star of strong shear over 25 periods."""
    lag, rotation = np.linspace(0, 100, 100)[:, None], jax.jit(rotation_of, static_argnums=(2, 3))

    def worst(choice: Spots) -> float:
        errors = []
        for inc in (0.4, 1.4):
            sums = []
            for n in (32, 512):
                r = rotation(visibility_of(choice, 4.0, 0.3, inc), latitude_of(choice), 2, n)
                sums.append(np.cos(lag * np.asarray(r.rate)) @ np.asarray(r.power[1]) / float(r.power[1].sum()))
            errors.append(abs(sums[0] - sums[1]).max())
        return max(errors)

    with jax.enable_x64(True):
        plain = worst(Spots())
        for law in (
            ("area", ()),
            BANDS,
            ("bands", (50.0, 51.0)),
            BELTS,
            ("belts", (60.0, 0.5)),
            ("belts", (5.0, 30.0)),
        ):
            assert worst(Spots("trapezoid", (), "small", (), *law)) <= plain, law
