"""The covariance that is fitted to a star: spots by harmonic, red noise and white noise, on a regular grid.

    K(tau) = A R(tau) sum_n exp(d_n) s_n(tau)  +  sum_j r_j OU_j(tau)  +  w delta(tau)

``R`` is the normalised autocorrelation of the envelope and ``s_n`` the latitude average of harmonic n, scaled so
that the harmonics n >= 1 sum to 1 at lag zero: ``A`` is the variance that rotates.  The levels ``d_n`` let each
harmonic leave the ratio that inclination and latitude imply, under a prior (spots are few and not points).  Four
Ornstein-Uhlenbeck terms stand for flares, for granulation, for residual systematics and for slow drifts; a spherical
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

from spotcat.gp.kernel import Rotation, harmonic_covariances, harmonic_slopes, rotation_of
from spotcat.gp.layout import KAPPA_MAX, N_SHAPE, RED_TIMES, Layout
from spotcat.star.survey import envelope_of, latitude_of, visibility_of

_STATIC = ["n_time", "n_harm", "n_latitude", "priors", "spots"]
jax.tree_util.register_dataclass(Layout, data_fields=["dt"], meta_fields=_STATIC)


class Shape(NamedTuple):
    """The physical shape parameters of the spot covariance; the last two are the times of the survey's envelope."""

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


def envelope_row(shape: Array, layout: Layout) -> Array:
    """Autocorrelation of the envelope on the grid, 1 at lag zero, shape (M,); `shape` as in ``spot_rows``."""
    s, envelope = shape_of(shape), envelope_of(layout.spots)
    at_zero = envelope.autocorrelation(0.0, s.lspot, s.tau_spot)
    return envelope.autocorrelation(layout.lag, s.lspot, s.tau_spot) / at_zero


def binned_rotation(shape: Array, width: ArrayLike, layout: Layout) -> Rotation:
    """Rotation whose harmonics n >= 1 sum to 1 at lag zero, then averaged over bins.

    Averaging over a bin of width `width` multiplies harmonic n by ``sinc^2(n width / P)``.
    """
    s = shape_of(shape)
    visibility = visibility_of(layout.spots, s.peq, s.kappa, s.inc)
    rate, power = rotation_of(visibility, latitude_of(layout.spots), layout.n_harm, layout.n_latitude)
    binned = jnp.sinc(jnp.arange(layout.n_harm + 1) * width / s.peq) ** 2
    return Rotation(rate, power * binned[:, None] / power[1:].sum())


def spot_rows(shape: Array, width: ArrayLike, layout: Layout) -> Array:
    """Covariance of each harmonic on the grid, the rotating ones summing to 1 at lag zero.

    Args:
        shape: the first five coordinates of ``theta``, shape (5,).
        width: bin width beyond the native sampling [d].
        layout: the bucket's model.

    Returns:
        Shape (n_harm + 1, M).
    """
    rotation = binned_rotation(shape, width, layout)
    return envelope_row(shape, layout) * harmonic_covariances(rotation, layout.n_time, layout.dt)


def red_rows(layout: Layout) -> Array:
    """Unit-variance red-noise covariances on the grid, shape (4, M), zero from ``layout.red_steps`` on."""
    x = np.minimum(np.arange(layout.n_time) / layout.red_steps, 1.0)
    fast = [jnp.maximum(time, steps * layout.dt) for time, steps in RED_TIMES]
    times = jnp.stack([*fast, layout.n_time * layout.dt / 15])
    return jnp.exp(-layout.lag / times[:, None]) * (1 - 1.5 * x + 0.5 * x**3)


def spot_levels(theta: Array, layout: Layout) -> Array:
    """Variance factor of each harmonic, shape (n_harm + 1,)."""
    return jnp.exp(theta[N_SHAPE] + theta[layout.levels])


def covariance(theta: Array, width: ArrayLike, layout: Layout) -> Array:
    """Covariance of the signal (spots and red noise, without white noise) at the grid's lags, shape (M,)."""
    spots = spot_levels(theta, layout) @ spot_rows(theta[:N_SHAPE], width, layout)
    return spots + jnp.exp(theta[layout.reds]) @ red_rows(layout)


def covariance_jacobian(theta: Array, width: ArrayLike, layout: Layout) -> Array:
    """Derivative of ``covariance`` with respect to every coordinate but the white noise.

    Powers are logarithms of what the covariance is linear in, so only the five shape parameters need more than the
    rows themselves.

    Returns:
        Shape (n_theta - 1, M).
    """
    shape, levels = theta[:N_SHAPE], spot_levels(theta, layout)
    rotation = binned_rotation(shape, width, layout)
    turning = harmonic_covariances(rotation, layout.n_time, layout.dt)
    envelope = envelope_row(shape, layout)
    slope = jax.tree.map(
        lambda a: jnp.moveaxis(a, -1, 0),
        jax.jacfwd(lambda x: binned_rotation(jnp.concatenate([x, shape[3:]]), width, layout))(shape[:3]),
    )
    turned = harmonic_slopes(rotation, slope, levels, layout.n_time, layout.dt)
    aged = jax.jacfwd(lambda x: envelope_row(jnp.concatenate([shape[:3], x]), layout))(shape[3:])
    spots = levels[:, None] * envelope * turning
    reds = jnp.exp(theta[layout.reds])[:, None] * red_rows(layout)
    return jnp.concatenate([envelope * turned, aged.T * (levels @ turning), spots.sum(0)[None], spots, reds])


def covariance_of(jacobian: Array, layout: Layout) -> Array:
    """The covariance (or any linear function of it) from ``covariance_jacobian``.

    It is the sum of its derivatives by the logarithms of the spots' amplitude and of the red-noise variances.
    """
    return jacobian[N_SHAPE] + jacobian[layout.reds].sum(0)


def within_reach(k: Array, reach: ArrayLike) -> Array:
    """A covariance, or its derivatives, without the lags across closed gaps.

    Args:
        k: at lags 0, 1, ..., shape (..., M).
        reach: the first lag to leave out, see ``GridBatch``.
    """
    return jnp.where(jnp.arange(k.shape[-1]) < reach, k, 0.0)


def noise_variance(theta: Array, relative: Array) -> Array:
    """White-noise variance of every point.

    Args:
        theta: parameters.
        relative: the points' error variances divided by their mean, shape (M,).
    """
    return jnp.exp(theta[-1]) * relative


def support_steps(theta: np.ndarray, layout: Layout) -> np.ndarray:
    """Grid steps from which the spots' covariance is zero; `theta` has its coordinates on the last axis."""
    with jax.enable_x64(True):
        reach = envelope_of(layout.spots).reach(np.exp(theta[..., 3]), np.exp(theta[..., 4]))
        return np.ceil(np.asarray(reach) / layout.dt)
