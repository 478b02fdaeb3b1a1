"""Refine: the physical model at each period mode, by damped Fisher scoring on the debiased Whittle likelihood.

For a periodogram ``I`` with expectation ``E(theta)`` the objective is ``sum ln E + I/E`` plus the negative
log-prior.  With ``J = d ln E / d theta`` its gradient is ``J^T (1 - I/E)`` and its expected curvature ``J^T J``.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from spotcat.fit.climb import Chosen, Climb, Rest, Steps, begin_at, climb_lanes
from spotcat.fit.programs import program
from spotcat.model.composite import Signal, signal_of, signal_slopes
from spotcat.model.layout import Layout
from spotcat.model.priors import negative_log_prior
from spotcat.model.whittle import Periodogram, expected_power, negative_log_likelihood

TOLERANCE = 1e-3

_FLOOR = 1e-10


def expected_and_jacobian(theta: Array, window: Array, width: Array, layout: Layout) -> tuple[Array, Array]:
    """Expected periodogram and ``d E / d theta``.

    Returns:
        Shapes (n,) and (n_theta, n).
    """
    signal = signal_of(theta, width, layout)
    expected = _expected(signal, theta, window)
    return expected, _jacobian(signal, expected, theta, window, width, layout)


def whittle_posterior(theta: Array, star: Periodogram, width: Array, layout: Layout) -> tuple[Array, Rest]:
    """Negative log-posterior under the Whittle likelihood, and its gradient and expected curvature if asked for.

    Args:
        theta: parameters, shape (n_theta,).
        star: the star's periodogram.
        width: bin width beyond the native sampling [d].
        layout: the bucket's model.
    """
    signal = signal_of(theta, width, layout)
    expected = _expected(signal, theta, star.window)

    def rest() -> tuple[Array, Array]:
        j = _jacobian(signal, expected, theta, star.window, width, layout) / expected
        slope = star.looks * (j @ (1 - star.power / expected)) + jax.grad(negative_log_prior)(theta, layout)
        return slope, star.looks * (j @ j.T) + jax.hessian(negative_log_prior)(theta, layout)

    return negative_log_likelihood(expected, star) + negative_log_prior(theta, layout), rest


def whittle_derivatives(theta: Array, star: Periodogram, width: Array, layout: Layout) -> tuple[Array, Array, Array]:
    """All three of ``whittle_posterior``: a scalar, shapes (n_theta,) and (n_theta, n_theta)."""
    value, rest = whittle_posterior(theta, star, width, layout)
    return value, *rest()


def _expected(signal: Signal, theta: Array, window: Array) -> Array:
    return jnp.maximum(expected_power(signal.covariance, window) + jnp.exp(theta[-1]), _FLOOR)


def _jacobian(signal: Signal, expected: Array, theta: Array, window: Array, width: Array, layout: Layout) -> Array:
    by_signal = expected_power(signal_slopes(signal, theta, width, layout), window)
    return jnp.concatenate([by_signal, jnp.full_like(expected, jnp.exp(theta[-1]))[None]])


@program
def begun(theta: Array) -> Climb:
    """Climbs that have not been evaluated yet, on the device; `theta` has its coordinates on the last axis."""
    return begin_at(theta, jnp)


@program(static=("lanes",))
def refine(
    modes: Climb,
    chosen: Chosen,
    owner: Array,
    stars: Periodogram,
    width: Array,
    n_steps: Array | int,
    layout: Layout,
    lanes: int,
) -> Climb:
    """Climb on with some modes; the others stay.

    Args:
        modes: leading axis N.
        chosen: which go on.
        owner: star of each mode, shape (N,).
        stars: periodograms in float64, leading axis B.
        width: bin widths [d], shape (B,).
        n_steps: most evaluations of each.
        layout: the bucket's model.
        lanes: modes side by side.
    """

    def posterior(theta: Array, i: Array) -> tuple[Array, Rest]:
        return whittle_posterior(theta, jax.tree.map(lambda a: a[i], stars), width[i], layout)

    return climb_lanes(modes, chosen, owner, posterior, Steps(n_steps, TOLERANCE, lanes), layout)


def bytes_of_lane(layout: Layout) -> int:
    """Memory that one mode takes: some ten arrays of a Jacobian's size, and the phases of its slopes."""
    return 8 * (10 * layout.n_theta * layout.n_time + 32 * (layout.n_harm + 6) * layout.n_harm * layout.n_latitude)
