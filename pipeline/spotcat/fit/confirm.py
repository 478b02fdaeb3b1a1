"""Confirm: refined modes under the exact likelihood, with gaps, per-point errors and segment offsets.

The same damped Newton climb as in refine, with the average of observed and expected information as its curvature: the
exact likelihood is a hundred times dearer, so few good steps matter more than cheap ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.fit.climb import Chosen, Climb, Rest, Steps, climb_lanes
from spotcat.fit.lanes import map_lanes
from spotcat.fit.programs import program
from spotcat.model.composite import noise_variance, signal_of, signal_slopes, within_reach
from spotcat.model.layout import Layout
from spotcat.model.likelihood import Score, average_information, offset_columns, project, scored
from spotcat.model.priors import negative_log_prior

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
    return _projected(theta, star, layout, n_segments, block)[1]()


def _projected(
    theta: Array, star: GridStar, layout: Layout, n_segments: int, block: int
) -> tuple[Array, Callable[[], Exact]]:
    """Exact negative log-posterior; the rest of ``exact_posterior`` if asked for."""
    offsets = offset_columns(star.segment, star.mask, n_segments, star.design)
    signal = signal_of(theta, star.width, layout)
    noise = noise_variance(theta, star.relative_variance)
    p = project(within_reach(signal.covariance, star.reach), noise, star.y, star.mask, offsets, block)
    value = negative_log_prior(theta, layout) - p.value

    def rest() -> Exact:
        jacobian = within_reach(signal_slopes(signal, theta, star.width, layout), star.reach)
        at = scored(p, star.mask)
        k_slopes = jnp.concatenate([jacobian, jnp.zeros_like(jacobian[:1])])
        noise_slopes = jnp.zeros_like(k_slopes).at[-1].set(noise)
        slope = jax.grad(negative_log_prior)(theta, layout) - k_slopes @ at.by_lag - noise_slopes @ at.by_noise
        return Exact(value, slope, at, k_slopes, noise_slopes)

    return value, rest


def exact_climb(theta: Array, star: GridStar, layout: Layout, n_segments: int, block: int) -> tuple[Array, Rest]:
    """Exact negative log-posterior, and its gradient and average information if asked for.

    Args:
        theta, star, layout, n_segments, block: as in ``exact_posterior``.
    """
    value, further = _projected(theta, star, layout, n_segments, block)

    def rest() -> tuple[Array, Array]:
        exact = further()
        information = average_information(exact.at, exact.k_slopes, exact.noise_slopes, star.mask)
        return exact.slope, information + jax.hessian(negative_log_prior)(theta, layout)

    return value, rest


def exact_derivatives(
    theta: Array, star: GridStar, layout: Layout, n_segments: int, block: int
) -> tuple[Array, Array, Array]:
    """All three of ``exact_climb``: a scalar, shapes (n_theta,) and (n_theta, n_theta)."""
    value, rest = exact_climb(theta, star, layout, n_segments, block)
    return value, *rest()


@program(static=("n_segments", "block", "lanes"))
def confirm(
    modes: Climb,
    chosen: Chosen,
    owner: Array,
    stars: GridStar,
    n_steps: Array | int,
    tolerance: Array | float,
    layout: Layout,
    n_segments: int,
    block: int,
    lanes: int,
) -> Climb:
    """Climb on with some modes; the others stay.

    Args:
        modes: leading axis N.
        chosen: which go on.
        owner: star of each mode, shape (N,).
        stars: leading axis B.
        n_steps: most evaluations of each.
        tolerance: a climb ends when a step promises less.
        layout: the bucket's model.
        n_segments: offset columns.
        block: block width of the factorisation.
        lanes: modes side by side.
    """

    def posterior(theta: Array, i: Array) -> tuple[Array, Rest]:
        return exact_climb(theta, jax.tree.map(lambda a: a[i], stars), layout, n_segments, block)

    return climb_lanes(modes, chosen, owner, posterior, Steps(n_steps, tolerance, lanes), layout)


@program(static=("n_segments", "block", "lanes"))
def exact_values(
    theta: Array,
    owner: Array,
    stars: GridStar,
    count: Array | int,
    layout: Layout,
    n_segments: int,
    block: int,
    lanes: int,
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
        lanes: vectors side by side.

    Returns:
        Shape (N,).
    """

    def one(item: tuple[Array, Array]) -> Array:
        x, i = item
        return exact_climb(x, jax.tree.map(lambda a: a[i], stars), layout, n_segments, block)[0]

    return map_lanes(one, (theta, owner), count, lanes)


def block_for(support_steps: np.ndarray, layout: Layout) -> np.ndarray:
    """The narrowest block that holds the red noise and the spots: that of the red noise, a quarter, or the grid.

    A short grid is one block: there a band saves less time than another program costs.
    """
    if layout.n_time < BANDED_FROM:
        return np.full_like(support_steps, layout.n_time)
    quarter = layout.n_time // 4
    wide = np.where(support_steps <= quarter, quarter, layout.n_time)
    return np.where(support_steps <= layout.red_steps, layout.red_steps, wide)


def bytes_of_lane(layout: Layout, block: int) -> int:
    """Memory that one mode takes: some seven times its factor, and a few arrays of a Jacobian's size."""
    return 8 * layout.n_time * (7 * block + 6 * layout.n_theta)
