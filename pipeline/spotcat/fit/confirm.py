"""Confirm: refined modes under the exact likelihood, with gaps, per-point errors and segment offsets.

Every mode takes a few quasi-Newton steps on the exact posterior that start with the Whittle curvature as their metric:
the two posteriors are close, so the exact likelihood, a hundred times dearer, is called seldom.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.fit.refine import Mode, box
from spotcat.gp.composite import covariance, noise_variance
from spotcat.gp.layout import Layout
from spotcat.gp.likelihood import log_likelihood, offset_columns
from spotcat.gp.priors import negative_log_prior


class GridStar(NamedTuple):
    """One star on the grid, in units of its scatter; see ``buckets.GridBatch``."""

    y: Array
    relative_variance: Array
    mask: Array
    segment: Array
    width: Array


class Confirmed(NamedTuple):
    """A mode of the exact posterior.

    Attributes:
        theta: parameters, shape (n_theta,).
        value: exact negative log-posterior at `theta`.
        curvature: information matrix, shape (n_theta, n_theta).
        left: expected gain of a further step.
    """

    theta: Array
    value: Array
    curvature: Array
    left: Array


def negative_log_posterior(theta: Array, star: GridStar, layout: Layout, n_segments: int, block: int) -> Array:
    """Exact negative log-posterior, segment offsets marginalised.

    Args:
        theta: parameters, shape (n_theta,).
        star: the star.
        layout: the bucket's model.
        n_segments: offset columns.
        block: block width of the factorisation; the covariance must vanish from there on, or `block` be the grid.
    """
    k = covariance(theta, star.width, layout)
    offsets = offset_columns(star.segment, star.mask, n_segments)
    noise = noise_variance(theta, star.relative_variance)
    return negative_log_prior(theta, layout) - log_likelihood(k, noise, star.y, star.mask, offsets, block)


def confirm_mode(mode: Mode, star: GridStar, layout: Layout, n_segments: int, block: int, n_steps: int) -> Confirmed:
    """Climb the exact posterior from one refined mode by BFGS with step halving.

    The inverse Whittle curvature is the first metric.  A trial that does not help is not taken, but what it tells
    of the curvature is kept.
    """
    low, high = box(mode.theta, layout)
    value_and_slope = jax.value_and_grad(negative_log_posterior)

    def step(carry: tuple[Array, Array, Array, Array, Array], _: None) -> tuple[tuple, None]:
        theta, value, slope, metric, length = carry
        trial = jnp.clip(theta - length * metric @ slope, low, high)
        new_value, new_slope = value_and_slope(trial, star, layout, n_segments, block)
        metric = bfgs_update(metric, trial - theta, new_slope - slope)
        better = new_value < value
        theta, value, slope = jax.tree.map(
            lambda a, b: jnp.where(better, a, b), (trial, new_value, new_slope), (theta, value, slope)
        )
        return (
            theta,
            value,
            slope,
            metric,
            jnp.where(better, jnp.minimum(2 * length, 1.0), length / 4),
        ), None

    start = value_and_slope(mode.theta, star, layout, n_segments, block)
    carry = (mode.theta, *start, jnp.linalg.inv(mode.curvature), jnp.asarray(1.0))
    (theta, value, slope, metric, _), _ = jax.lax.scan(step, carry, None, length=n_steps)
    free = jnp.where((theta > low) & (theta < high), slope, 0.0)
    return Confirmed(theta, value, mode.curvature, 0.5 * free @ metric @ free)


def bfgs_update(metric: Array, moved: Array, slope_change: Array) -> Array:
    """BFGS update of an inverse curvature (Nocedal & Wright 2006, eq. 6.17), skipped where it loses definiteness."""
    gain = moved @ slope_change
    good = jnp.isfinite(gain) & (gain > 1e-10)
    rho = jnp.where(good, 1 / jnp.where(good, gain, 1.0), 0.0)
    change = jnp.where(good, slope_change, 0.0)
    left = jnp.eye(moved.shape[0]) - rho * jnp.outer(moved, change)
    return left @ metric @ left.T + rho * jnp.outer(moved, moved)


@partial(jax.jit, static_argnames=("layout", "n_segments", "block", "n_steps"))
def confirm(modes: Mode, stars: GridStar, layout: Layout, n_segments: int, block: int, n_steps: int) -> Confirmed:
    """Confirm every mode of every star.

    Args:
        modes: leading axes (B, k).
        stars: leading axis B.
        layout: the bucket's model.
        n_segments: offset columns.
        block: block width of the factorisation.
        n_steps: quasi-Newton steps.

    Returns:
        Leading axes (B, k).
    """
    b, k = modes.value.shape
    flat = jax.tree.map(lambda a: a.reshape(b * k, *a.shape[2:]), modes)
    repeated = jax.tree.map(lambda a: jnp.repeat(a, k, axis=0), stars)
    found = jax.lax.map(
        lambda w: confirm_mode(w[0], w[1], layout, n_segments, block, n_steps),
        (flat, repeated),
        batch_size=_lanes(layout),
    )
    return jax.tree.map(lambda a: a.reshape(b, k, *a.shape[1:]), found)


def block_for(support_steps: float, layout: Layout) -> int:
    """A quarter of the grid where spots and red noise fit in it, else the whole grid (the dense factorisation)."""
    quarter = layout.n_time // 4
    return quarter if support_steps <= quarter else layout.n_time


def _lanes(layout: Layout) -> int:
    """Modes side by side: one on a CPU, whose batched factorisations are far slower than one by one."""
    if jax.default_backend() == "cpu":
        return 1
    return int(np.clip(100_000_000 // layout.n_time**2, 1, 256))
