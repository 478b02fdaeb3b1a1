"""Refine: the physical model at each period mode, by damped Fisher scoring on the debiased Whittle likelihood.

For a periodogram ``I`` with expectation ``E(theta)`` the objective is ``sum ln E + I/E`` plus the negative
log-prior.  With ``J = d ln E / d theta`` its gradient is ``J^T (1 - I/E)`` and its expected curvature ``J^T J``.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.fit.climb import Climb, climb_on
from spotcat.fit.lanes import map_lanes
from spotcat.fit.programs import program
from spotcat.gp.composite import covariance_jacobian, covariance_of
from spotcat.gp.layout import Layout
from spotcat.gp.priors import negative_log_prior
from spotcat.gp.whittle import Periodogram, expected_power, negative_log_likelihood

TOLERANCE = 1e-3

_FLOOR = 1e-10


def expected_and_jacobian(theta: Array, window: Array, width: Array, layout: Layout) -> tuple[Array, Array]:
    """Expected periodogram and ``d E / d theta``.

    Returns:
        Shapes (n,) and (n_theta, n).
    """
    jacobian = expected_power(covariance_jacobian(theta, width, layout), window)
    white = jnp.full((1, jacobian.shape[1]), jnp.exp(theta[-1]))
    total = covariance_of(jacobian, layout) + white[0]
    return jnp.maximum(total, _FLOOR), jnp.concatenate([jacobian, white])


def whittle_derivatives(theta: Array, star: Periodogram, width: Array, layout: Layout) -> tuple[Array, Array, Array]:
    """Negative log-posterior under the Whittle likelihood, its gradient and its expected curvature.

    Args:
        theta: parameters, shape (n_theta,).
        star: the star's periodogram.
        width: bin width beyond the native sampling [d].
        layout: the bucket's model.
    """
    expected, jacobian = expected_and_jacobian(theta, star.window, width, layout)
    j = jacobian / expected
    value = negative_log_likelihood(expected, star) + negative_log_prior(theta, layout)
    slope = star.looks * (j @ (1 - star.power / expected)) + jax.grad(negative_log_prior)(theta, layout)
    return value, slope, star.looks * (j @ j.T) + jax.hessian(negative_log_prior)(theta, layout)


@program(static=("lanes",))
def refine(
    modes: Climb,
    owner: Array,
    stars: Periodogram,
    width: Array,
    n_steps: Array | int,
    count: Array | int,
    layout: Layout,
    lanes: int,
) -> Climb:
    """Climb on with the first `count` of some modes.

    Args:
        modes: leading axis N.
        owner: star of each mode, shape (N,).
        stars: periodograms in float64, leading axis B.
        width: bin widths [d], shape (B,).
        n_steps: most evaluations of each.
        count: modes to work on.
        layout: the bucket's model.
        lanes: modes side by side.
    """

    def one(item: tuple[Climb, Array]) -> Climb:
        mode, i = item
        star = jax.tree.map(lambda a: a[i], stars)
        derivatives = partial(whittle_derivatives, star=star, width=width[i], layout=layout)
        return climb_on(mode, derivatives, layout, n_steps, TOLERANCE)

    return map_lanes(one, (modes, owner), count, lanes)


def lanes_for(layout: Layout) -> int:
    """Modes side by side: one on a CPU; elsewhere as many as keep a kernel evaluation within tens of megabytes."""
    if jax.default_backend() == "cpu":
        return 1
    return int(np.clip(2_000_000 // (layout.n_time * layout.n_latitude), 1, 64))
