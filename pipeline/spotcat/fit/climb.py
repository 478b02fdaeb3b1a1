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

from spotcat.fit.lanes import map_lanes, map_tiles
from spotcat.fit.search import N_SPOT
from spotcat.model.layout import KAPPA_MAX, LN_WHITE_MIN, N_RED, Layout

FIRST_DAMPING = 0.5
PERIOD_BOX = 0.25
"""A mode may move this far in ln P."""

ROUND = 5
"""Steps that lanes side by side take before those that have not arrived are packed together."""

Rest = Callable[[], tuple[Array, Array]]
"""Gradient and a curvature, computed when called."""
Posterior = Callable[[Array], tuple[Array, Rest]]
"""Negative log-posterior at some parameters, and the rest there: a third of all steps are not taken, and need none."""


class Climb(NamedTuple):
    """A climb to a maximum of a posterior, as far as it has come; leading axes, if any, the mode.

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


class Chosen(NamedTuple):
    """Which of N modes go on.

    Attributes:
        place: their places, filled up to shape (N,).
        slot: where in `place` each mode is, -1 if it does not go on, shape (N,).
        count: how many do.
    """

    place: Any
    slot: Any
    count: Any


class Steps(NamedTuple):
    """How far and how wide to climb: most evaluations, the promise that ends a climb, modes side by side."""

    most: Array | int
    tolerance: Array | float
    lanes: int


def chosen_of(places: np.ndarray, n: int) -> Chosen:
    """Some places among n modes, at least one."""
    slot = np.full(n, -1)
    slot[places] = np.arange(places.size)
    return Chosen(np.resize(places, n), slot, places.size)


def begin_at(theta: Any, xp: Any = np) -> Climb:
    """Climbs that have not been evaluated yet; `theta` has its coordinates on the last axis, `xp` is its module."""
    nothing = xp.zeros_like(theta[..., 0])
    infinite, damping = nothing + np.inf, nothing + FIRST_DAMPING
    curvature = xp.broadcast_to(xp.eye(theta.shape[-1]), (*theta.shape, theta.shape[-1]))
    slope, secant = xp.zeros_like(theta), xp.zeros_like(curvature)
    return Climb(theta, infinite, slope, curvature, secant, damping, theta, infinite, theta)


def climb_on(
    state: Climb, posterior: Posterior, layout: Layout, n_steps: Array | int, tolerance: Array | float
) -> Climb:
    """Take a climb up again.

    Args:
        state: as far as it has come.
        posterior: the objective.
        layout: where what is.
        n_steps: most evaluations.
        tolerance: the climb has arrived when a step promises less.
    """

    def unfinished(carry: tuple[Array, Climb]) -> Array:
        i, s = carry
        return (i < n_steps) & under_way(s, tolerance)

    def step(carry: tuple[Array, Climb]) -> tuple[Array, Climb]:
        return carry[0] + 1, stepped(carry[1], posterior, layout)

    return jax.lax.while_loop(unfinished, step, (jnp.asarray(0), state))[1]


def under_way(state: Climb, tolerance: Array | float) -> Array:
    """Whether a climb has not arrived; not "left > tolerance": a NaN step is tried again with more damping."""
    return ~(jnp.abs(state.left) < tolerance)


def stepped(s: Climb, posterior: Posterior, layout: Layout) -> Climb:
    """A climb after one evaluation more."""
    low, high = box(s.begin, layout)
    value, rest = posterior(s.trial)
    better = value < s.value
    slope, curvature = jax.lax.cond(better, rest, lambda: (s.slope, s.curvature))
    theta, value = jnp.where(better, s.trial, s.theta), jnp.where(better, value, s.value)
    damping = jnp.clip(jnp.where(better, s.damping / 5, s.damping * 4), 1e-6, 1e6)
    learnt = secant_update(s.secant, s.trial - s.theta, slope - s.slope, curvature)
    secant = jnp.where(better & jnp.isfinite(s.value), learnt, s.secant)
    # A coordinate that is pushed against its bound must not bend the step of the others.
    free = ~(((theta <= low) & (slope > 0)) | ((theta >= high) & (slope < 0)))
    change = damped_step(slope, curvature + secant, damping, free)
    proper = jnp.isfinite(change).all()
    change = jax.lax.cond(proper, lambda: change, lambda: damped_step(slope, curvature, damping, free))
    trial = jnp.clip(theta - change, low, high)
    left = 0.5 * slope @ (theta - trial)
    return Climb(theta, value, slope, curvature, secant, damping, trial, left, s.begin)


def climb_lanes(
    modes: Climb,
    chosen: Chosen,
    owner: Array,
    posterior: Callable[[Array, Array], tuple[Array, Rest]],
    steps: Steps,
    layout: Layout,
) -> Climb:
    """Climb on with some of N modes; the others stay.

    One lane climbs until it has arrived.  Lanes side by side climb in rounds, before each of which those that have not
    arrived are packed together: none waits for the slowest for longer than a round.

    Args:
        modes: leading axis N.
        chosen: which go on.
        owner: star of each mode, shape (N,).
        posterior: the objective at some parameters of a star.
        steps: how far and how wide.
        layout: where what is.
    """
    some = jax.tree.map(lambda a: jnp.asarray(a)[chosen.place], modes)
    star = jnp.asarray(owner)[chosen.place]
    if steps.lanes == 1:

        def one(item: tuple[Climb, Array]) -> Climb:
            mode, i = item
            return climb_on(mode, lambda theta: posterior(theta, i), layout, steps.most, steps.tolerance)

        moved = map_lanes(one, (some, star), chosen.count, 1)
    else:
        moved = _in_rounds(some, star, chosen.count, posterior, steps, layout)
    return jax.tree.map(lambda new, old: _chosen(chosen.slot >= 0, new[chosen.slot], old), moved, modes)


def _in_rounds(
    some: Climb,
    star: Array,
    count: Array | int,
    posterior: Callable[[Array, Array], tuple[Array, Rest]],
    steps: Steps,
    layout: Layout,
) -> Climb:
    place = jnp.arange(len(star))

    def open_ones(s: Climb) -> Array:
        return (place < count) & under_way(s, steps.tolerance)

    def one_round(begin: Array, items: tuple[Climb, Array]) -> Climb:
        state, own = items

        def step(carry: tuple[Array, Climb]) -> tuple[Array, Climb]:
            i, s = carry
            new = jax.vmap(lambda s, star: stepped(s, lambda theta: posterior(theta, star), layout))(s, own)
            going = under_way(s, steps.tolerance)
            return i + 1, jax.tree.map(lambda a, b: _chosen(going, a, b), new, s)

        def unfinished(carry: tuple[Array, Climb]) -> Array:
            i, s = carry
            return (i < ROUND) & (begin + i < steps.most) & under_way(s, steps.tolerance).any()

        return jax.lax.while_loop(unfinished, step, (jnp.asarray(0), state))[1]

    def body(carry: tuple[Array, Climb]) -> tuple[Array, Climb]:
        i, s = carry
        going = open_ones(s)
        order = jnp.argsort(~going, stable=True)
        items = jax.tree.map(lambda a: a[order], (s, star))
        new = map_tiles(lambda tile: one_round(i * ROUND, tile), items, going.sum(), steps.lanes)
        back = jnp.argsort(order)
        return i + 1, jax.tree.map(lambda a, b: _chosen(going, a[back], b), new, s)

    def unfinished(carry: tuple[Array, Climb]) -> Array:
        i, s = carry
        return (i < -(-steps.most // ROUND)) & open_ones(s).any()

    return jax.lax.while_loop(unfinished, body, (jnp.asarray(0), some))[1]


def _chosen(which: Array, new: Array, old: Any) -> Array:
    """Elements of two arrays by a truth value for each of their first axis."""
    return jnp.where(which.reshape(-1, *[1] * (new.ndim - 1)), new, old)


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
