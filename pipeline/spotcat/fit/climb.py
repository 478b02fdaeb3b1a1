"""Damped Newton climbs: the one optimiser of the fit, for the Whittle and for the exact posterior.

A climb is a state that can be taken up again, so a stage may give every mode a few steps and only the likely ones more.
Trip counts are bounded, a step that does not help is not taken, and a climb that has arrived stands still: no star
spoils or delays another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.fit.search import N_SPOT
from spotcat.gp.layout import KAPPA_MAX, LN_WHITE_MIN, N_RED, Layout

FIRST_DAMPING = 0.5
PERIOD_BOX = 0.25
"""A mode may move this far in ln P."""

Derivatives = Callable[[Array], tuple[Array, Array, Array]]
"""Negative log-posterior, its gradient and a curvature at some parameters."""


class Climb(NamedTuple):
    """A climb to a maximum of a posterior, as far as it has come; leading axes, if any, the mode.

    NumPy between the stages, JAX within a compiled one.

    Attributes:
        theta: best parameters so far, shape (n_theta,).
        value: negative log-posterior there; infinite before the first step.
        slope: its gradient.
        curvature: at `theta`, shape (n_theta, n_theta).
        secant: what the steps so far have shown the curvature to lack, shape (n_theta, n_theta).
        damping: of the next step.
        trial: where the next step evaluates.
        left: expected gain of that step.
        begin: where the climb began, the middle of its box.
    """

    theta: Any
    value: Any
    slope: Any
    curvature: Any
    secant: Any
    damping: Any
    trial: Any
    left: Any
    begin: Any


def begin_at(theta: np.ndarray) -> Climb:
    """Climbs that have not been evaluated yet; `theta` has its coordinates on the last axis."""
    nothing = np.zeros_like(theta[..., 0])
    infinite, damping = nothing + np.inf, nothing + FIRST_DAMPING
    curvature = np.broadcast_to(np.eye(theta.shape[-1]), (*theta.shape, theta.shape[-1]))
    slope, secant = np.zeros_like(theta), np.zeros_like(curvature)
    return Climb(theta, infinite, slope, curvature, secant, damping, theta, infinite, theta)


def climb_on(
    state: Climb, derivatives: Derivatives, layout: Layout, n_steps: Array | int, tolerance: Array | float
) -> Climb:
    """Take a climb up again.

    Args:
        state: as far as it has come.
        derivatives: of the objective.
        layout: where what is.
        n_steps: most evaluations.
        tolerance: the climb has arrived when a step promises less.
    """
    low, high = box(state.begin, layout)

    def step(carry: tuple[Array, Climb]) -> tuple[Array, Climb]:
        i, s = carry
        new = derivatives(s.trial)
        better = new[0] < s.value
        theta, value, slope, curvature = jax.tree.map(
            lambda a, b: jnp.where(better, a, b), (s.trial, *new), (s.theta, s.value, s.slope, s.curvature)
        )
        damping = jnp.clip(jnp.where(better, s.damping / 5, s.damping * 4), 1e-6, 1e6)
        learnt = secant_update(s.secant, s.trial - s.theta, new[1] - s.slope, new[2])
        secant = jnp.where(better & jnp.isfinite(s.value), learnt, s.secant)
        # A coordinate that is pushed against its bound must not bend the step of the others.
        free = ~(((theta <= low) & (slope > 0)) | ((theta >= high) & (slope < 0)))
        change = damped_step(slope, curvature + secant, damping, free)
        change = jnp.where(jnp.isfinite(change).all(), change, damped_step(slope, curvature, damping, free))
        trial = jnp.clip(theta - change, low, high)
        left = 0.5 * slope @ (theta - trial)
        return i + 1, Climb(theta, value, slope, curvature, secant, damping, trial, left, s.begin)

    def unfinished(carry: tuple[Array, Climb]) -> Array:
        i, s = carry
        # Not "left > tolerance": a step that came out NaN is tried again with more damping.
        return (i < n_steps) & ~(jnp.abs(s.left) < tolerance)

    return jax.lax.while_loop(unfinished, step, (jnp.asarray(0), state))[1]


def secant_update(secant: Array, moved: Array, slope_change: Array, curvature: Array) -> Array:
    """Structured secant update of the part of the curvature that `curvature` leaves out.

    After the sizing of Dennis, Gay & Welsch (1981, ACM Trans. Math. Softw. 7, 348; NL2SOL) the sum of both maps the
    step to the change of slope.  Left alone where the slope did not grow along the step.
    """
    along = moved @ slope_change
    good = jnp.isfinite(along) & (along > 1e-12)
    lacking = slope_change - curvature @ moved
    seen = moved @ secant @ moved
    size = jnp.minimum(jnp.abs(moved @ lacking) / jnp.where(seen == 0, 1.0, jnp.abs(seen)), 1.0)
    secant = secant * jnp.where(seen == 0, 1.0, size)
    gap, y = lacking - secant @ moved, slope_change / jnp.where(good, along, 1.0)
    updated = secant + jnp.outer(gap, y) + jnp.outer(y, gap) - (moved @ gap) * jnp.outer(y, y)
    return jnp.where(good, updated, secant)


def damped_step(slope: Array, curvature: Array, damping: Array, free: Array) -> Array:
    """Levenberg-Marquardt step of the free coordinates; NaN where the damped curvature is not positive definite."""
    scale = jnp.abs(jnp.diagonal(curvature)) + 1e-3
    held = jnp.where(free[:, None] & free[None, :], curvature, 0.0) + jnp.diag(jnp.where(free, damping * scale, 1.0))
    factor = jnp.linalg.cholesky(held)
    return jax.scipy.linalg.cho_solve((factor, True), jnp.where(free, slope, 0.0))


def box(begin: Array, layout: Layout) -> tuple[Array, Array]:
    """Lower and upper bounds of the coordinates for a climb that began at `begin`."""
    low, high = (jnp.array(ends) for ends in bounds(layout))
    at_period = jnp.where(jnp.arange(layout.n_theta) == 0, begin[0], 0.0)
    return low + at_period, high + at_period


def bounds(layout: Layout) -> tuple[list[float], list[float]]:
    """Lower and upper bounds of the coordinates, that of ln P relative to where a climb began."""
    low = [-PERIOD_BOX, -6.0, -6.0, -3.0, -3.0, -14.0] + [-8.0] * (layout.n_harm + 1) + [-16.0] * N_RED + [LN_WHITE_MIN]
    high = [PERIOD_BOX, 6.0, 6.0, 7.0, 7.0, 6.0] + [8.0] * (layout.n_harm + 1) + [4.0] * (N_RED + 1)
    return low, high


def positive_definite(curvature: np.ndarray) -> np.ndarray:
    """Nearest matrices without eigenvalues below that of a weak prior; the prior on inclination can add some."""
    values, vectors = np.linalg.eigh(curvature)
    return (vectors * np.maximum(values, 1e-2)[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def starting_points(templates: np.ndarray, powers: np.ndarray, layout: Layout) -> np.ndarray:
    """Coordinates of search templates with their profiled powers.

    Args:
        templates: ln P, kappa, ln lspot, ln tau_spot, shape (..., 4).
        powers: component powers of the search, shape (..., 8).
        layout: where what is.

    Returns:
        Shape (..., n_theta).
    """
    p = np.maximum(powers, 1e-6)
    rotating = p[..., 1:N_SPOT].sum(-1)
    theta = np.zeros((*p.shape[:-1], layout.n_theta))
    kappa = templates[..., 1] + 0.02
    theta[..., 0], theta[..., 3:5] = templates[..., 0], templates[..., 2:]
    theta[..., 1], theta[..., 2] = np.log(kappa / (KAPPA_MAX - kappa)), 0.6
    theta[..., 5] = np.log(rotating)
    theta[..., 6] = np.clip(np.log(p[..., 0] / rotating), -3.0, 3.0)
    theta[..., layout.reds.start :] = np.log(p[..., N_SPOT:])
    # A start below the floor of the white noise would be better than all that is allowed, and no step be taken.
    return np.maximum(theta, np.where(np.arange(layout.n_theta) == layout.n_theta - 1, LN_WHITE_MIN, -np.inf))
