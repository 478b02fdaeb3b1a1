"""The covariance that is fitted to a star: spots by harmonic, red noise and white noise, on a regular grid.

    K(tau) = A R(tau) sum_n exp(d_n) s_n(tau)  +  sum_j r_j OU_j(tau)  +  w delta(tau)

``R`` is the normalised autocorrelation of the envelope and ``s_n`` the latitude average of harmonic n, scaled so
that the harmonics n >= 1 sum to 1 at lag zero: ``A`` is the variance that rotates.  The levels ``d_n`` let each
harmonic leave the ratio that inclination and latitude imply, under a prior (spots are few and not points).  Three
Ornstein-Uhlenbeck terms stand for granulation and flares, for residual systematics and for slow drifts; a spherical
taper gives them compact support, so that the whole covariance is banded.  Everything is in units of the light
curve's own variance.

A star is one vector ``theta`` in unconstrained coordinates; ``Layout`` says where what is.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.gp.kernel import harmonic_covariances
from spotcat.gp.layout import KAPPA_MAX, N_SHAPE, Layout
from spotcat.star.envelope import trapezoid_autocorrelation


class Shape(NamedTuple):
    """The physical shape parameters of the spot covariance."""

    peq: Array
    kappa: Array
    inc: Array
    lspot: Array
    tau_spot: Array


def shape_of(theta: Array) -> Shape:
    """Physical parameters from unconstrained coordinates; `theta` has its coordinates on the last axis."""
    return Shape(
        jnp.exp(theta[..., 0]),
        KAPPA_MAX * jax.nn.sigmoid(theta[..., 1]),
        jnp.pi / 2 * jax.nn.sigmoid(theta[..., 2]),
        jnp.exp(theta[..., 3]),
        jnp.exp(theta[..., 4]),
    )


def spot_rows(shape: Array, width: ArrayLike, layout: Layout) -> Array:
    """Covariance of each harmonic on the grid, the rotating ones summing to 1 at lag zero.

    Averaging over a bin of width `width` multiplies harmonic n by ``sinc^2(n width / P)``.

    Args:
        shape: the first five coordinates of ``theta``, shape (5,).
        width: bin width beyond the native sampling [d].
        layout: the bucket's model.

    Returns:
        Shape (n_harm + 1, M).
    """
    s = shape_of(shape)
    envelope = trapezoid_autocorrelation(layout.lag, s.lspot, s.tau_spot) / trapezoid_autocorrelation(
        0.0, s.lspot, s.tau_spot
    )
    rows = harmonic_covariances(layout.lag, s.peq, s.kappa, s.inc, layout.n_harm, layout.n_latitude)
    binned = jnp.sinc(jnp.arange(layout.n_harm + 1) * width / s.peq) ** 2
    return envelope * rows * binned[:, None] / rows[1:, 0].sum()


def red_rows(layout: Layout) -> np.ndarray:
    """Unit-variance red-noise covariances on the grid, shape (3, M), zero from a quarter of the grid on."""
    x = np.minimum(np.arange(layout.n_time) / (layout.n_time // 4), 1.0)
    taper = 1 - 1.5 * x + 0.5 * x**3
    return np.stack([np.exp(-layout.lag / t) * taper for t in layout.red_times])


def spot_levels(theta: Array, layout: Layout) -> Array:
    """Variance factor of each harmonic, shape (n_harm + 1,)."""
    return jnp.exp(theta[N_SHAPE] + theta[layout.levels])


def covariance(theta: Array, width: ArrayLike, layout: Layout) -> Array:
    """Covariance of the signal (spots and red noise, without white noise) at the grid's lags, shape (M,)."""
    spots = spot_levels(theta, layout) @ spot_rows(theta[:N_SHAPE], width, layout)
    return spots + jnp.exp(theta[layout.reds]) @ red_rows(layout)


def noise_variance(theta: Array, relative: Array) -> Array:
    """White-noise variance of every point.

    Args:
        theta: parameters.
        relative: the points' error variances divided by their mean, shape (M,).
    """
    return jnp.exp(theta[-1]) * relative


def support_steps(theta: Array, dt: float) -> Array:
    """Grid steps from which the spots' covariance is zero; `theta` has its coordinates on the last axis."""
    s = shape_of(theta)
    return jnp.ceil((s.lspot + 2 * s.tau_spot) / dt)
