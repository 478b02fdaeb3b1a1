"""The covariance of a spotted star on a regular grid of lags, its harmonics apart.

The latitude average of the visibility's autocorrelation (see ``gp.covariance``) is a sum over nodes ``j`` and harmonics
``n`` of ``power_nj cos(n rate_j tau)``; a fit gives each harmonic its own level.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from spotcat.star.latitude import latitude_nodes
from spotcat.star.laws import LatitudeLaw
from spotcat.star.visibility import VisibilityFunction, sine_and_cosine

_OUTER_LAGS = 16


class Rotation(NamedTuple):
    """What of a star turns how fast, at the nodes of a rule in latitude.

    Attributes:
        rate: angular velocity [rad/d], shape (n_latitude,).
        power: share ``m_n w c_n^2`` of each harmonic, ``m_0 = 1`` and ``m_n = 2``, shape (n_harm + 1, n_latitude).
    """

    rate: Array
    power: Array


def rotation_of(visibility: VisibilityFunction, latitude: LatitudeLaw, n_harm: int, n_latitude: int) -> Rotation:
    """Rates and powers of spots of a law of latitudes that is the same in both hemispheres.

    Args:
        visibility: rotation and inclination of the star.
        latitude: where spots emerge.
        n_harm: highest harmonic.
        n_latitude: latitude nodes of each interval of the law in one hemisphere.
    """
    nodes = latitude_nodes(latitude, visibility.inc, n_latitude)
    c_squared = visibility.c_n(nodes.phi, n_harm) ** 2 + visibility.c_n(-nodes.phi, n_harm) ** 2
    twice = jnp.where(jnp.arange(n_harm + 1) == 0, 1.0, 2.0)[:, None]
    return Rotation(visibility.omega_0(nodes.phi), nodes.north * c_squared * twice)


class Phases(NamedTuple):
    """``exp(i n rate_j tau)`` for n >= 1 and lags ``tau = (a B + b) dt``, cosines and sines of `a` and of `b` apart.

    So the sum over latitudes is a matrix product and ``M`` lags cost ``A + M / A`` sines a node.

    Attributes:
        inner: cosines and sines of b, shape (n_harm, 2 n_latitude, M / 16).
        cosine: of a, shape (n_harm, 16, n_latitude).
        sine: of a, shape (n_harm, 16, n_latitude).
    """

    inner: Array
    cosine: Array
    sine: Array


def phases_of(rotation: Rotation, n_time: int, dt: float | Array) -> Phases:
    """The phases of a rotation on a regular grid.

    Args:
        rotation: its rates.
        n_time: lags M, a multiple of 16.
        dt: grid step [d].
    """
    step, n = n_time // _OUTER_LAGS, rotation.power.shape[0] - 1
    inner = _multiples(rotation.rate[:, None] * (jnp.arange(step) * dt), n)
    outer = _multiples(rotation.rate * (jnp.arange(_OUTER_LAGS)[:, None] * step * dt), n)
    return Phases(jnp.concatenate(inner, axis=1), *outer)


def _multiples(psi: Array, n: int) -> tuple[Array, Array]:
    """Cosines and sines of ``psi, 2 psi, .. n psi``, stacked on a first axis."""
    turns = psi / (2 * jnp.pi)
    half_sine, half_cosine = sine_and_cosine(jnp.pi * (turns - jnp.floor(turns)))
    cosine, sine = half_cosine**2 - half_sine**2, 2 * half_sine * half_cosine
    cosines, sines = [cosine], [sine]
    for _ in range(n - 1):
        c, s = cosines[-1], sines[-1]
        cosines.append(c * cosine - s * sine)
        sines.append(c * sine + s * cosine)
    return jnp.stack(cosines), jnp.stack(sines)


def harmonic_covariances(rotation: Rotation, n_time: int, dt: float | Array, phases: Phases | None = None) -> Array:
    """Latitude averages ``sum_j power_nj cos(n rate_j tau)`` on a regular grid of lags.

    Args:
        rotation: rates and powers.
        n_time: lags M, a multiple of 16.
        dt: grid step [d].
        phases: those of the rotation, if they are known.

    Returns:
        Shape (n_harm + 1, M); the row of harmonic 0 is constant in lag.
    """
    at = phases_of(rotation, n_time, dt) if phases is None else phases
    power = rotation.power[1:, None]
    outer = jnp.concatenate([power * at.cosine, -power * at.sine], axis=2)
    constant = jnp.full((1, n_time), rotation.power[0].sum())
    return jnp.concatenate([constant, (outer @ at.inner).reshape(-1, n_time)])


def harmonic_slopes(
    rotation: Rotation, slope: Rotation, levels: Array, n_time: int, dt: float | Array, phases: Phases | None = None
) -> Array:
    """Derivatives of ``levels @ harmonic_covariances(rotation, n_time, dt)`` in directions of `rotation`.

    Args:
        rotation: rates and powers.
        slope: their derivatives, one more axis in front: the direction, of length d.
        levels: weight of each harmonic, shape (n_harm + 1,).
        n_time: lags M, a multiple of 16.
        dt: grid step [d].
        phases: those of the rotation, if they are known.

    Returns:
        Shape (d, M).
    """
    d, n = slope.rate.shape[0], rotation.power.shape[0] - 1
    at = phases_of(rotation, n_time, dt) if phases is None else phases
    level, order = levels[1:, None], jnp.arange(1, n + 1)[:, None]
    power = (level * slope.power[:, 1:])[:, None]
    turn = (order * level * rotation.power[1:] * slope.rate[:, None])[:, None]
    # Shape (d, 16, n_harm, n_latitude).
    cosine, sine = (jnp.swapaxes(a, 0, 1) for a in (at.cosine, at.sine))
    by_power = jnp.concatenate([power * cosine, -power * sine], axis=3)
    by_rate = jnp.concatenate([-turn * sine, -turn * cosine], axis=3)
    outer = jnp.concatenate([by_power, by_rate]).reshape(2 * d * _OUTER_LAGS, -1)
    sums = (outer @ at.inner.reshape(outer.shape[1], -1)).reshape(2 * d, n_time)
    return sums[:d] + jnp.arange(n_time) * dt * sums[d:] + levels[0] * slope.power[:, 0].sum(-1, keepdims=True)
