"""What a fit makes of its light curve: the period that it shows, and the measurements that do not belong to it.

The mean angular velocity of the latitudes is the period of a star with many spots.  A light curve shows the few spots
that were there: given the data, the first harmonic is a curve of its own, ``h = K_1 P y`` (Rasmussen & Williams 2006,
eq. 2.25, for one term of the covariance), and the mean frequency of its periodogram is theirs.

Each measurement is compared with what all others say of it: it is ``(P y)_i / P_ii`` away, with the variance ``1 /
P_ii`` (the same, eqs. 5.10 to 5.12).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.fit.confirm import GridStar
from spotcat.fit.lanes import map_lanes
from spotcat.fit.programs import program
from spotcat.model.composite import noise_variance, red_rows, spot_levels, spot_rows, within_reach
from spotcat.model.layout import N_SHAPE, Layout
from spotcat.model.likelihood import offset_columns, score
from spotcat.model.linalg import toeplitz_product

NEAR = float(np.log(1.2))
"""Frequencies this close in ln to that of the mean angular velocity are averaged: further away lies what the first
harmonic takes of trends and of its neighbours.  A relative shear as large as the Sun's, 0.2 from equator to pole,
spreads periods as far (chosen)."""
_PADDING = 8


class Shown(NamedTuple):
    """What fits make of their light curves; JAX within the compiled program, NumPy outside.

    Attributes:
        prot: period [d] of the fitted first harmonic, shape (N,).
        deviation: of each measurement from what the others say of it, in units of its own standard deviation, 0 where
            there is none, shape (N, M).
        spots: conditional mean of the harmonics that rotate, in units of the light curve's scatter, shape (N, M).
    """

    prot: Any
    deviation: Any
    spots: Any


@program(static=("n_segments", "block", "lanes"))
def show(
    theta: Array,
    prot: Array,
    owner: Array,
    stars: GridStar,
    count: Array | int,
    layout: Layout,
    n_segments: int,
    block: int,
    lanes: int,
) -> Shown:
    """What the first `count` of some parameter vectors make of their stars; NaN where a covariance is not positive.

    Args:
        theta: parameters, shape (N, n_theta).
        prot: periods [d] of their mean angular velocities, shape (N,).
        owner: star of each, shape (N,).
        stars: leading axis B.
        count: vectors to work on.
        layout: the bucket's model.
        n_segments: offset columns.
        block: block width of the factorisation.
        lanes: vectors side by side.
    """

    def one(item: tuple[Array, Array, Array]) -> Shown:
        x, mean_period, i = item
        star = jax.tree.map(lambda a: a[i], stars)
        spots = spot_levels(x, layout)[:, None] * spot_rows(x[:N_SHAPE], star.width, layout)
        k = within_reach(spots.sum(0) + jnp.exp(x[layout.reds]) @ red_rows(layout), star.reach)
        offsets = offset_columns(star.segment, star.mask, n_segments, star.design)
        at = score(k, noise_variance(x, star.relative_variance), star.y, star.mask, offsets, block)
        both = within_reach(jnp.stack([spots[1], spots[1:].sum(0)]), star.reach)
        first, every = toeplitz_product(both, at.residual)
        # The derivative by a noise variance is -1/2 (P_ii - (P y)_i^2).
        precision = at.residual**2 - 2 * at.by_noise
        deviation = star.mask * at.residual / jnp.sqrt(jnp.where(precision > 0, precision, jnp.inf))
        return Shown(1 / mean_frequency(first, 1 / mean_period, layout.dt), deviation, every)

    return map_lanes(one, (theta, prot, owner), count, lanes)


def mean_frequency(curve: Any, near: Any, dt: Any, xp: Any = jnp) -> Any:
    """Mean frequency [1/d] of a regular curve's periodogram within ``NEAR`` of another.

    Args:
        curve: shape (M,).
        near: frequency [1/d] about which is averaged.
        dt: step of the curve [d].
        xp: jax.numpy or numpy, whichever the arrays are of.
    """
    n = _PADDING * curve.shape[0]
    step = 1 / (n * dt)
    frequency = xp.arange(n // 2 + 1) * step
    power = xp.abs(xp.fft.rfft(curve - curve.mean(), n)) ** 2
    low, high = near * np.exp(-NEAR), near * np.exp(NEAR)
    # A sample stands for the frequencies half a step to either side, as far as they are in the range.
    inside = xp.clip((high - frequency) / step + 0.5, 0, 1) * xp.clip((frequency - low) / step + 0.5, 0, 1)
    return xp.sum(inside * power * frequency) / xp.sum(inside * power)
