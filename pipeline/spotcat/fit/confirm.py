"""Confirm: refined modes under the exact likelihood, with gaps, per-point errors and segment offsets.

The same damped Newton climb as in refine, with the average of observed and expected information as its curvature: the
exact likelihood is a hundred times dearer, so few good steps matter more than cheap ones.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.fit.climb import Climb, climb_on
from spotcat.fit.lanes import map_lanes
from spotcat.fit.programs import program
from spotcat.gp.composite import covariance, covariance_jacobian, covariance_of, noise_variance, within_reach
from spotcat.gp.layout import Layout
from spotcat.gp.likelihood import Score, average_information, log_likelihood, offset_columns, score
from spotcat.gp.priors import negative_log_prior

BANDED_FROM = 256


class GridStar(NamedTuple):
    """One star on the grid, in units of its scatter; see ``buckets.GridBatch``."""

    y: Array
    relative_variance: Array
    mask: Array
    segment: Array
    design: Array
    reach: Array
    width: Array


class Exact(NamedTuple):
    """The exact posterior of a star at some parameters.

    Attributes:
        value: negative log-posterior.
        slope: its gradient, shape (n_theta,).
        at: the likelihood.
        k_slopes: derivatives of the covariance at each lag, shape (n_theta, M).
        noise_slopes: derivatives of the noise variances, shape (n_theta, M).
    """

    value: Array
    slope: Array
    at: Score
    k_slopes: Array
    noise_slopes: Array


def exact_posterior(theta: Array, star: GridStar, layout: Layout, n_segments: int, block: int) -> Exact:
    """Exact negative log-posterior, segment offsets marginalised, and its gradient.

    The likelihood is differentiated with respect to the covariance at each lag and the noise, and the covariance by
    its own Jacobian, so the kernel is never differentiated in reverse.

    Args:
        theta: parameters, shape (n_theta,).
        star: the star.
        layout: the bucket's model.
        n_segments: offset columns.
        block: block width of the factorisation; the covariance must vanish from there on, or `block` be the grid.
    """
    offsets = offset_columns(star.segment, star.mask, n_segments, star.design)
    jacobian = within_reach(covariance_jacobian(theta, star.width, layout), star.reach)
    noise = noise_variance(theta, star.relative_variance)
    at = score(covariance_of(jacobian, layout), noise, star.y, star.mask, offsets, block)
    k_slopes = jnp.concatenate([jacobian, jnp.zeros_like(jacobian[:1])])
    noise_slopes = jnp.zeros_like(k_slopes).at[-1].set(noise)
    slope = k_slopes @ at.by_lag + noise_slopes @ at.by_noise
    prior, prior_slope = jax.value_and_grad(negative_log_prior)(theta, layout)
    return Exact(prior - at.value, prior_slope - slope, at, k_slopes, noise_slopes)


def exact_derivatives(
    theta: Array, star: GridStar, layout: Layout, n_segments: int, block: int
) -> tuple[Array, Array, Array]:
    """Exact negative log-posterior, its gradient and its average information; arguments of ``exact_posterior``.

    Returns:
        A scalar, and shapes (n_theta,) and (n_theta, n_theta).
    """
    exact = exact_posterior(theta, star, layout, n_segments, block)
    information = average_information(exact.at, exact.k_slopes, exact.noise_slopes, star.mask)
    return exact.value, exact.slope, information + jax.hessian(negative_log_prior)(theta, layout)


@program(static=("n_segments", "block"))
def confirm(
    modes: Climb,
    owner: Array,
    stars: GridStar,
    n_steps: Array | int,
    tolerance: Array | float,
    count: Array | int,
    layout: Layout,
    n_segments: int,
    block: int,
) -> Climb:
    """Climb on with the first `count` of some modes.

    Args:
        modes: leading axis N.
        owner: star of each mode, shape (N,).
        stars: leading axis B.
        n_steps: most evaluations of each.
        tolerance: a climb ends when a step promises less.
        count: modes to work on.
        layout: the bucket's model.
        n_segments: offset columns.
        block: block width of the factorisation.
    """

    def one(item: tuple[Climb, Array]) -> Climb:
        mode, i = item
        star = jax.tree.map(lambda a: a[i], stars)
        derivatives = partial(exact_derivatives, star=star, layout=layout, n_segments=n_segments, block=block)
        return climb_on(mode, derivatives, layout, n_steps, tolerance)

    return map_lanes(one, (modes, owner), count, lanes_for(layout))


@program(static=("n_segments", "block"))
def exact_values(
    theta: Array, owner: Array, stars: GridStar, count: Array | int, layout: Layout, n_segments: int, block: int
) -> Array:
    """Exact negative log-posterior of the first `count` of some parameter vectors.

    Args:
        theta: parameters, shape (N, n_theta).
        owner: star of each, shape (N,).
        stars: leading axis B.
        count: vectors to work on.
        layout: the bucket's model.
        n_segments: offset columns.
        block: block width of the factorisation.

    Returns:
        Shape (N,).
    """

    def one(item: tuple[Array, Array]) -> Array:
        x, i = item
        star = jax.tree.map(lambda a: a[i], stars)
        offsets = offset_columns(star.segment, star.mask, n_segments, star.design)
        noise = noise_variance(x, star.relative_variance)
        signal = within_reach(covariance(x, star.width, layout), star.reach)
        return negative_log_prior(x, layout) - log_likelihood(signal, noise, star.y, star.mask, offsets, block)

    return map_lanes(one, (theta, owner), count, lanes_for(layout))


def block_for(support_steps: np.ndarray, layout: Layout) -> np.ndarray:
    """The narrowest block that holds the red noise and the spots: that of the red noise, a quarter, or the grid.

    A short grid is one block: there a band saves less time than another program costs.
    """
    if layout.n_time < BANDED_FROM:
        return np.full_like(support_steps, layout.n_time)
    quarter = layout.n_time // 4
    wide = np.where(support_steps <= quarter, quarter, layout.n_time)
    return np.where(support_steps <= layout.red_steps, layout.red_steps, wide)


def lanes_for(layout: Layout) -> int:
    """Modes side by side: one on a CPU, whose batched factorisations are far slower than one by one."""
    if jax.default_backend() == "cpu":
        return 1
    return int(np.clip(100_000_000 // layout.n_time**2, 1, 256))
