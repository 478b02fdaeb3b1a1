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

from spotcat.model.harmonics import Phases, Rotation, harmonic_covariances, harmonic_slopes, phases_of, rotation_of
from spotcat.model.laws import envelope_of, latitude_of, visibility_of
from spotcat.model.layout import KAPPA_MAX, N_SHAPE, RED_TIMES, Layout

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
    return _binned(s.peq, s.kappa, s.inc, width, layout)


def _binned(peq: Array, kappa: Array, inc: Array, width: ArrayLike, layout: Layout) -> Rotation:
    visibility = visibility_of(layout.spots, peq, kappa, inc)
    rate, power = rotation_of(visibility, latitude_of(layout.spots), layout.n_harm, layout.n_latitude)
    binned = jnp.sinc(jnp.arange(layout.n_harm + 1) * width / peq) ** 2
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


class Signal(NamedTuple):
    """The covariance of the signal and what its derivatives share with it.

    Attributes:
        rotation: of the spots.
        phases: of the rotation.
        turning: covariance of each harmonic of spots that last for ever, shape (n_harm + 1, M).
        envelope: what it is multiplied with, shape (M,).
        spots: both, each harmonic at its level, shape (n_harm + 1, M).
        reds: the red-noise terms, shape (4, M).
    """

    rotation: Rotation
    phases: Phases
    turning: Array
    envelope: Array
    spots: Array
    reds: Array

    @property
    def covariance(self) -> Array:
        """Covariance at the grid's lags, without white noise, shape (M,)."""
        return self.spots.sum(0) + self.reds.sum(0)


def signal_of(theta: Array, width: ArrayLike, layout: Layout) -> Signal:
    """The signal at some parameters, shape (n_theta,), binned to `width` [d] beyond the native sampling."""
    rotation = binned_rotation(theta[:N_SHAPE], width, layout)
    phases = phases_of(rotation, layout.n_time, layout.dt)
    turning = harmonic_covariances(rotation, layout.n_time, layout.dt, phases)
    envelope = envelope_row(theta[:N_SHAPE], layout)
    spots = spot_levels(theta, layout)[:, None] * envelope * turning
    return Signal(rotation, phases, turning, envelope, spots, jnp.exp(theta[layout.reds])[:, None] * red_rows(layout))


def covariance(theta: Array, width: ArrayLike, layout: Layout) -> Array:
    """Covariance of the signal (spots and red noise, without white noise) at the grid's lags, shape (M,)."""
    return signal_of(theta, width, layout).covariance


def covariance_jacobian(theta: Array, width: ArrayLike, layout: Layout) -> Array:
    """``signal_slopes`` at some parameters, shape (n_theta - 1, M)."""
    return signal_slopes(signal_of(theta, width, layout), theta, width, layout)


def signal_slopes(signal: Signal, theta: Array, width: ArrayLike, layout: Layout) -> Array:
    """Derivative of ``covariance`` with respect to every coordinate but the white noise.

    Powers are logarithms of what the covariance is linear in, so only the five shape parameters need more than the
    rows themselves.

    Returns:
        Shape (n_theta - 1, M).
    """
    shape, levels = theta[:N_SHAPE], spot_levels(theta, layout)
    slope = _rotation_slopes(shape, width, layout)
    turned = harmonic_slopes(signal.rotation, slope, levels, layout.n_time, layout.dt, signal.phases)
    aged = jax.jacfwd(lambda x: envelope_row(jnp.concatenate([shape[:3], x]), layout))(shape[3:])
    by_shape = signal.envelope * turned, aged.T * (levels @ signal.turning)
    return jnp.concatenate([*by_shape, signal.spots.sum(0)[None], signal.spots, signal.reds])


def _rotation_slopes(shape: Array, width: ArrayLike, layout: Layout) -> Rotation:
    """Derivatives of ``binned_rotation`` by the coordinates of period, shear and inclination, on a first axis of 3."""
    s = shape_of(shape)
    physical = jnp.stack([s.peq, s.kappa, s.inc])
    by_physical = jax.jacfwd(lambda x: _binned(x[0], x[1], x[2], width, layout))(physical)
    # What the coordinates make of them.  As a matrix product the compiler computes it once, and not at every lag.
    chain = jnp.diag(physical * jnp.stack([jnp.ones_like(s.peq), 1 - s.kappa / KAPPA_MAX, 1 - s.inc / (jnp.pi / 2)]))
    rows = jnp.concatenate([by_physical.rate[None], by_physical.power]).reshape(-1, 3)
    slopes = (chain @ rows.T).reshape(3, layout.n_harm + 2, -1)
    return Rotation(slopes[:, 0], slopes[:, 1:])


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
