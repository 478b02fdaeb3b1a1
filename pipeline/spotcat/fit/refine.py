"""Refine: the physical model at each period mode, by damped Fisher scoring on the debiased Whittle likelihood.

For a periodogram ``I`` with expectation ``E(theta)`` the objective is ``sum ln E + I/E`` plus the negative
log-prior.  With ``J = d ln E / d theta`` its gradient is ``J^T (1 - I/E)`` and its expected curvature ``J^T J``.
Powers enter ``E`` linearly, so only the five shape parameters need derivatives of the kernel.  Trip counts are
fixed and a step that does not help is not taken, so every lane of a batch does the same work and none can spoil
another.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.gp.composite import red_rows, spot_levels, spot_rows
from spotcat.gp.layout import KAPPA_MAX, N_RED, N_SHAPE, Layout
from spotcat.gp.priors import negative_log_prior
from spotcat.gp.whittle import Periodogram, expected_power, negative_log_likelihood

PERIOD_BOX = 0.25
"""A mode may move this far in ln P."""
LN_WHITE_MIN = -5.0
"""No spot model describes a star to better than 8 % of its scatter; less noise would let misfit decide the period."""

_FLOOR = 1e-10


class Mode(NamedTuple):
    """A local maximum of the posterior under the Whittle likelihood.

    Attributes:
        theta: parameters, shape (n_theta,).
        value: negative log-posterior.
        curvature: expected information of likelihood plus prior, shape (n_theta, n_theta).
    """

    theta: Array
    value: Array
    curvature: Array


def starting_point(template: Array, powers: Array, layout: Layout) -> Array:
    """Coordinates of a search template with its profiled powers.

    Args:
        template: ln P, kappa, ln lspot, ln tau_spot.
        powers: component powers, shape (n_harm + 5,).
        layout: where what is.

    Returns:
        Shape (n_theta,).
    """
    n = layout.n_harm + 1
    p = jnp.maximum(powers, 1e-6)
    rotating = p[1:n].sum()
    kappa = template[1] + 0.02
    shape = [template[0], jnp.log(kappa / (KAPPA_MAX - kappa)), jnp.asarray(0.6), template[2], template[3]]
    constant = jnp.clip(jnp.log(p[0] / rotating), -3.0, 3.0)
    return jnp.concatenate([jnp.stack([*shape, jnp.log(rotating), constant]), jnp.zeros(layout.n_harm), jnp.log(p[n:])])


@partial(jax.jit, static_argnums=2)
def starting_points(templates: Array, powers: Array, layout: Layout) -> Array:
    """``starting_point`` over stars and modes: shapes (B, k, 4) and (B, k, n_harm + 5) to (B, k, n_theta)."""
    return jax.vmap(jax.vmap(lambda t, p: starting_point(t, p, layout)))(templates, powers)


def box(start: Array, layout: Layout) -> tuple[Array, Array]:
    """Lower and upper bounds of the coordinates for a mode that starts at `start`."""
    low = [-PERIOD_BOX, -6.0, -6.0, -3.0, -3.0, -14.0] + [-8.0] * (layout.n_harm + 1) + [-16.0] * N_RED + [LN_WHITE_MIN]
    high = [PERIOD_BOX, 6.0, 6.0, 7.0, 7.0, 6.0] + [8.0] * (layout.n_harm + 1) + [4.0] * (N_RED + 1)
    at_period = jnp.where(jnp.arange(layout.n_theta) == 0, start[0], 0.0)
    return jnp.array(low) + at_period, jnp.array(high) + at_period


def expected_and_jacobian(theta: Array, window: Array, width: Array, layout: Layout) -> tuple[Array, Array]:
    """Expected periodogram and ``d E / d theta``.

    Returns:
        Shapes (n,) and (n, n_theta).
    """
    shape = theta[:N_SHAPE]
    levels = spot_levels(theta, layout)
    rows = spot_rows(shape, width, layout) * levels[:, None]
    d_rows = jax.jacfwd(lambda s: levels @ spot_rows(s, width, layout))(shape)
    reds = red_rows(layout) * jnp.exp(theta[layout.reds])[:, None]
    parts = expected_power(jnp.concatenate([d_rows.T, rows, reds]), window)
    d_shape, spots, red = jnp.split(parts, [N_SHAPE, N_SHAPE + layout.n_harm + 1])
    white = jnp.broadcast_to(jnp.exp(theta[-1]), spots.shape[1:])
    total = spots.sum(0) + red.sum(0) + white
    jacobian = jnp.concatenate([d_shape, spots.sum(0)[None], spots, red, white[None]])
    return jnp.maximum(total, _FLOOR), jacobian.T


def refine_mode(start: Array, star: Periodogram, width: Array, layout: Layout, n_steps: int) -> Mode:
    """Climb from one starting point.

    Args:
        start: starting coordinates, shape (n_theta,).
        star: the star's periodogram.
        width: bin width beyond the native sampling [d].
        layout: the bucket's model.
        n_steps: Fisher-scoring steps.
    """
    low, high = box(start, layout)
    prior_slope = jax.grad(negative_log_prior)
    prior_curvature = jax.hessian(negative_log_prior)

    def derivatives(theta: Array) -> tuple[Array, Array, Array]:
        expected, jacobian = expected_and_jacobian(theta, star.window, width, layout)
        j = jacobian / expected[:, None]
        value = negative_log_likelihood(expected, star.power) + negative_log_prior(theta, layout)
        slope = j.T @ (1 - star.power / expected) + prior_slope(theta, layout)
        return value, slope, j.T @ j + prior_curvature(theta, layout)

    def step(carry: tuple[Array, Array, Array, Array, Array], _: None) -> tuple[tuple, None]:
        theta, value, slope, curvature, damping = carry
        trial = jnp.clip(theta - damped_step(slope, curvature, damping), low, high)
        new = derivatives(trial)
        better = new[0] < value
        theta, value, slope, curvature = jax.tree.map(
            lambda a, b: jnp.where(better, a, b), (trial, *new), (theta, value, slope, curvature)
        )
        damping = jnp.clip(jnp.where(better, damping / 5, damping * 4), 1e-6, 1e6)
        return (theta, value, slope, curvature, damping), None

    carry = (start, *derivatives(start), jnp.asarray(0.1))
    (theta, value, _, curvature, _), _ = jax.lax.scan(step, carry, None, length=n_steps)
    return Mode(theta, value, _positive_definite(curvature))


def _positive_definite(curvature: Array) -> Array:
    """Nearest matrix without eigenvalues below that of a weak prior; the prior on inclination can add some."""
    values, vectors = jnp.linalg.eigh(curvature)
    return (vectors * jnp.maximum(values, 1e-2)) @ vectors.T


@partial(jax.jit, static_argnums=3)
def curvature_at(theta: Array, stars: Periodogram, width: Array, layout: Layout) -> Array:
    """Expected information of likelihood plus prior at given points.

    Args:
        theta: parameters, shape (B, n_theta).
        stars: periodograms in float64, leading axis B.
        width: bin widths [d], shape (B,).
        layout: the bucket's model.

    Returns:
        Positive definite matrices, shape (B, n_theta, n_theta).
    """

    def one(point: tuple[Array, Periodogram, Array]) -> Array:
        t, star, w = point
        expected, jacobian = expected_and_jacobian(t, star.window, w, layout)
        j = jacobian / expected[:, None]
        return _positive_definite(j.T @ j + jax.hessian(negative_log_prior)(t, layout))

    return jax.lax.map(one, (theta, stars, width))


def damped_step(slope: Array, curvature: Array, damping: Array) -> Array:
    """Levenberg-Marquardt step; NaN, and so never taken, where the damped curvature is not positive definite."""
    scale = jnp.abs(jnp.diagonal(curvature)) + 1e-3
    factor = jnp.linalg.cholesky(curvature + jnp.diag(damping * scale))
    return jax.scipy.linalg.cho_solve((factor, True), slope)


@partial(jax.jit, static_argnums=(3, 4, 5))
def refine(starts: Array, stars: Periodogram, width: Array, layout: Layout, n_steps: int, lanes: int) -> Mode:
    """Refine every mode of every star.

    Args:
        starts: starting coordinates, shape (B, n_modes, n_theta).
        stars: periodograms in float64, leading axis B.
        width: bin widths [d], shape (B,).
        layout: the bucket's model.
        n_steps: Fisher-scoring steps.
        lanes: modes computed side by side; bounds the memory.

    Returns:
        Modes with leading axes (B, n_modes).
    """
    b, k, _ = starts.shape
    repeat = partial(jnp.repeat, repeats=k, axis=0)
    work = (starts.reshape(b * k, -1), jax.tree.map(repeat, stars), repeat(width))
    found = jax.lax.map(lambda w: refine_mode(w[0], w[1], w[2], layout, n_steps), work, batch_size=lanes)
    return jax.tree.map(lambda a: a.reshape(b, k, *a.shape[1:]), found)


def lanes_for(layout: Layout) -> int:
    """Modes side by side so that one kernel evaluation stays within tens of megabytes."""
    return int(np.clip(2_000_000 // (layout.n_time * layout.n_latitude), 1, 64))
