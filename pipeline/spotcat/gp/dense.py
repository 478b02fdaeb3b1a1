"""Exact likelihood, prediction and information for any sampling in time, dense, padded so that stars share programs.

Measurements are padded to a ladder of lengths and lags to powers of two: a second star of the same padded shape
compiles nothing.  Offsets of segments are marginalised as in ``model.likelihood``.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import cho_solve, solve_triangular

from spotcat.model.grid import grid_lengths
from spotcat.model.likelihood import marginalised, unused_columns

_SAME_LAG = 9
"""Decimals of a day to which lags are one: a tenth of a millisecond."""


class Observations(NamedTuple):
    """One padded light curve.

    Attributes:
        lag: distinct lags [d], shape (L,).
        place: of every pair of times among them, shape (n, n).
        y: flux, shape (n,); 0 where padded.
        variance: squared errors, shape (n,).
        mask: 1 where there is a measurement, shape (n,).
        weight: amplitude of the signal relative to the term's, 0 where padded, shape (n,).
        offsets: an indicator column for each segment, shape (n, s).
    """

    lag: Any
    place: Any
    y: Any
    variance: Any
    mask: Any
    weight: Any
    offsets: Any


class Posterior(NamedTuple):
    """Conditional distribution of the signal at other times.

    Attributes:
        mean: best offset of the first segment plus the conditional mean, shape (m,).
        covariance: conditional covariance of the signal, shape (m, m).
    """

    mean: Array
    covariance: Array


def padded_length(n: int) -> int:
    """The step of the ladder 64, 80, 96, 128, ... that holds `n` points."""
    return next(length for length in grid_lengths(n) if length >= n)


def distinct_lags(x1: np.ndarray, x2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct lags [d] between times, padded to a power of two, and the place of every pair among them.

    On a regular cadence there are as many as grid points, not as matrix elements.
    """
    lags, index = np.unique(np.round(np.abs(x1[:, None] - x2[None, :]), _SAME_LAG), return_inverse=True)
    padded = np.zeros(1 << (max(lags.size, len(x1), len(x2)) - 1).bit_length())
    padded[: lags.size] = lags
    return padded, index.reshape(x1.size, x2.size)


def observe(
    x: np.ndarray, y: np.ndarray, yerr: np.ndarray, segment: np.ndarray, amplitude: np.ndarray | float = 1.0
) -> Observations:
    """Pad a light curve; all arguments of shape (n,), segments numbered from 0."""
    n, size = x.size, padded_length(x.size)
    lag, place = distinct_lags(x, x)
    columns = 1 << int(segment.max()).bit_length()
    offsets = np.zeros((size, columns))
    offsets[np.arange(n), segment] = 1.0
    mask = np.zeros(size)
    mask[:n] = 1.0
    missing = (0, size - n)
    variance = np.pad(yerr**2, missing, constant_values=1.0)
    weight = np.pad(np.broadcast_to(amplitude, n), missing)
    return Observations(lag, np.pad(place, [missing, missing]), np.pad(y, missing), variance, mask, weight, offsets)


def measured_covariance(term: Any, data: Observations) -> Array:
    """Covariance of the measurements under a term, the identity where padded, shape (n, n)."""
    signal = term.covariance(data.lag)[data.place] * data.weight[:, None] * data.weight[None, :]
    return signal + jnp.diag(jnp.where(data.mask > 0, data.variance + term.white(), 1.0))


def log_likelihood(term: Any, data: Observations) -> Array:
    """Log-likelihood, a flat prior on the offset of each segment integrated; NaN if not positive definite."""
    factor = jnp.linalg.cholesky(measured_covariance(term, data))
    z = solve_triangular(factor, jnp.concatenate([data.y[:, None], data.offsets], axis=1), lower=True)
    log_det = 2 * jnp.sum(jnp.log(jnp.diagonal(factor)))
    return marginalised(z, data.offsets, log_det, jnp.sum(data.mask))[2]


def _projector(term: Any, data: Observations) -> tuple[Array, Array]:
    """``P = C^-1 - C^-1 A (A^T C^-1 A)^-1 A^T C^-1`` and the best offsets."""
    factor = jnp.linalg.cholesky(measured_covariance(term, data))
    inverse = cho_solve((factor, True), jnp.eye(len(data.y)))
    spanned = inverse @ data.offsets
    normal = data.offsets.T @ spanned + jnp.diag(unused_columns(data.offsets).astype(inverse.dtype))
    offset = jnp.linalg.solve(normal, spanned.T @ data.y)
    return inverse - spanned @ jnp.linalg.solve(normal, spanned.T), offset


@jax.jit
def posterior(term: Any, data: Observations, lag: Array, places: tuple[Array, Array], amplitude: Array) -> Posterior:
    """Condition the signal on the measurements (Rasmussen & Williams 2006, eq. 2.42: offsets are unknown).

    Args:
        term: covariance.
        data: measurements.
        lag: distinct lags [d] of the places.
        places: of every pair of asked and measured time among them, shape (m, n), and of asked times, shape (m, m).
        amplitude: of the signal at the asked times, shape (m,).
    """
    p, offset = _projector(term, data)
    k = term.covariance(lag)
    cross, own = places
    to_data = k[cross] * amplitude[:, None] * data.weight
    signal = k[own] * amplitude[:, None] * amplitude[None, :]
    return Posterior(offset[0] + to_data @ (p @ data.y), signal - to_data @ p @ to_data.T)


@partial(jax.jit, static_argnums=2)
def fisher_information(theta: Array, data: Observations, keys: tuple[str, ...], term: Any) -> Array:
    """Expected information on the parameters, ``1/2 tr(P dC_a P dC_b)``, shape (p, p).

    Args:
        theta: parameters in the order of `keys`, shape (p,).
        data: times, errors and segments; the flux does not matter.
        keys: parameter names.
        term: covariance, of the parameters' kind.
    """

    def parts(values: Array) -> tuple[Array, Array]:
        changed = term.with_params(dict(zip(keys, values, strict=True)))
        return changed.covariance(data.lag), jnp.asarray(changed.white(), float)

    at = term.with_params(dict(zip(keys, theta, strict=True)))
    p, _ = _projector(at, data)
    slopes, white = jax.jacfwd(parts)(theta)

    def moved(inputs: tuple[Array, Array]) -> Array:
        slope, noise = inputs
        change = slope[data.place] * data.weight[:, None] * data.weight[None, :] + jnp.diag(noise * data.mask)
        return p @ change

    products = jax.lax.map(moved, (slopes.T, jnp.broadcast_to(white, (len(keys),))))
    return 0.5 * jnp.einsum("aij,bji->ab", products, products)
