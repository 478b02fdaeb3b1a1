"""Other envelopes for a mode: a map of the Whittle posterior over lifetime and shape, rotation held.

A precise light curve sees the side lobes of the envelope's spectrum, so its posterior has a maximum for each lobe that
can be mistaken for another, and a climb ends in the nearest.  With rotation held a kernel on this map costs one Fourier
transform, and its powers are profiled as in the search.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.fit.lanes import map_lanes
from spotcat.fit.programs import program
from spotcat.model.composite import binned_rotation, envelope_row, red_rows, spot_levels
from spotcat.model.harmonics import harmonic_covariances
from spotcat.model.laws import envelope_of
from spotcat.model.layout import LN_WHITE_MIN, N_SHAPE, Layout
from spotcat.model.priors import negative_log_prior
from spotcat.model.whittle import Periodogram, expected_power, negative_log_likelihood, profiled_powers

LIVES = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
"""Lifetimes of the map relative to the mode's."""
SHARES = (0.05, 0.25, 0.45, 0.65, 0.8, 0.95)
"""The plateau's shares of the lifetime."""
UPDATES = 6

_FLOOR = 1e-10


@program(static=("lanes",))
def envelope_values(
    theta: Array, owner: Array, stars: Periodogram, width: Array, count: Array | int, layout: Layout, lanes: int
) -> tuple[Array, Array]:
    """Map the first `count` of some modes.

    Args:
        theta: parameters, shape (N, n_theta).
        owner: star of each mode, shape (N,).
        stars: periodograms in float64, leading axis B.
        width: bin widths [d], shape (B,).
        count: modes to work on.
        layout: the grid's model.
        lanes: modes side by side; where there are several, so are the points of their maps.

    Returns:
        ln lspot and ln tau_spot of the map's points, shape (N, 7, 6, 2), and the negative log-posterior, powers
        profiled, shape (N, 7, 6).
    """

    def one(item: tuple[Array, Array]) -> tuple[Array, Array]:
        at, i = item
        star = jax.tree.map(lambda a: a[i], stars)
        rotation = binned_rotation(at[:N_SHAPE], width[i], layout)
        turning = spot_levels(at, layout) @ harmonic_covariances(rotation, layout.n_time, layout.dt)
        red = expected_power(red_rows(layout), star.window)
        start = jnp.exp(jnp.concatenate([jnp.zeros(1), at[layout.reds.start :]]))

        def value(envelope: Array) -> Array:
            shape = at[:N_SHAPE].at[3:].set(envelope)
            spots = expected_power(envelope_row(shape, layout) * turning, star.window)
            parts = jnp.maximum(jnp.concatenate([spots[None], red, jnp.ones_like(red[:1])]), _FLOOR)
            p = profiled_powers(parts, start, star.power, UPDATES)
            p = p.at[-1].max(np.exp(LN_WHITE_MIN))
            changed = at.at[3:5].set(envelope).at[5].add(jnp.log(p[0])).at[layout.reds.start :].set(jnp.log(p[1:]))
            return negative_log_likelihood(p @ parts, star) + negative_log_prior(changed, layout)

        family = envelope_of(layout.spots)
        life = family.lifetime(jnp.exp(at[3]), jnp.exp(at[4])) * jnp.array(LIVES)[:, None]
        times = family.split(life, jnp.array(SHARES)[None, :])
        envelopes = jnp.log(jnp.stack(jnp.broadcast_arrays(*times), axis=-1))
        points = envelopes.reshape(-1, 2)
        values = jax.lax.map(value, points) if lanes == 1 else jax.vmap(value)(points)
        return envelopes, values.reshape(envelopes.shape[:-1])

    return map_lanes(one, (theta, owner), count, lanes)


def bytes_of_map(layout: Layout) -> int:
    """Memory that the map of one mode takes: at each of its points some twelve arrays of the grid's length."""
    return 8 * 12 * len(LIVES) * len(SHARES) * layout.n_time


def best_envelopes(envelopes: np.ndarray, values: np.ndarray, n: int) -> list[np.ndarray]:
    """The best envelopes of each mode's map that have no better neighbour; where those are few, the best of the rest.

    Args:
        envelopes: points of the maps, shape (N, a, b, 2).
        values: of the posterior there, shape (N, a, b).
        n: envelopes to return.

    Returns:
        n arrays of shape (N, 2).
    """
    a, b = values.shape[1:]
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)), constant_values=np.inf)
    around = np.stack([padded[:, i : i + a, j : j + b] for i in range(3) for j in range(3)])
    lowest = (values <= around.min(axis=0)).reshape(len(values), -1)
    order = np.lexsort((values.reshape(len(values), -1), ~lowest), axis=1)[:, :n]
    return list(np.swapaxes(np.take_along_axis(envelopes.reshape(len(values), -1, 2), order[:, :, None], axis=1), 0, 1))
