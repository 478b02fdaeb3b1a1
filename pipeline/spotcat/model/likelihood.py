"""The exact Gaussian-process likelihood of a gridded light curve, offsets of segments marginalised.

With ``C`` the covariance and ``A`` the offset columns, integrating offsets with a flat prior leaves

    -1/2 [ y^T P y + ln det C + ln det G + (n - s) ln 2 pi ],   G = A^T C^-1 A,   P = C^-1 - C^-1 A G^-1 A^T C^-1

(Rasmussen & Williams 2006, eq. 2.45 in the limit of a vague prior), the restricted likelihood of mixed models, with

    d lnL = -1/2 tr(P dC) + 1/2 y^T P dC P y.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular

from spotcat.model.linalg import (
    Factor,
    autocorrelation_sums,
    factorise,
    inverse_diagonals,
    toeplitz_product,
    unwhiten,
    whiten,
)


class Projection(NamedTuple):
    """Data and offsets in the coordinates where the covariance is one.

    Attributes:
        factor: of the covariance.
        basis: orthonormal columns that span the whitened offsets, shape (M, s).
        rest: whitened flux without them, shape (M,).
        value: log-likelihood.
    """

    factor: Factor
    basis: Array
    rest: Array
    value: Array


class Score(NamedTuple):
    """Log-likelihood and its derivatives.

    Attributes:
        value: log-likelihood; NaN where the covariance is not positive definite.
        by_lag: derivative with respect to the covariance at each lag, within the band, shape (M,).
        by_noise: derivative with respect to each noise variance, shape (M,).
        residual: ``P y``, shape (M,).
        projection: what ``average_information`` needs further.
    """

    value: Array
    by_lag: Array
    by_noise: Array
    residual: Array
    projection: Projection


def offset_columns(segment: Array, mask: Array, n_segments: int, design: Array | None = None) -> Array:
    """What is marginalised: an indicator column for each segment, and the segment's own part of each design column.

    Args:
        segment: segment number of every grid point, shape (M,).
        mask: 1 where there is a measurement, shape (M,).
        n_segments: at least the number of segments.
        design: further columns that every segment has with coefficients of its own, shape (M, v).

    Returns:
        Shape (M, n_segments (1 + v)), the offsets first.
    """
    own = mask[:, None] * (segment[:, None] == jnp.arange(n_segments)[None, :])
    if design is None:
        return own
    each = own[:, :, None] * design[:, None, :]
    return jnp.concatenate([own, each.reshape(len(mask), -1)], axis=1)


def unused_columns(columns: Array) -> Array:
    """Which columns are zero throughout, truth values of shape (s,) for columns of shape (M, s).

    Their sum does not tell: a slope, or any vector without mean, sums to zero too.
    """
    return ~jnp.any(columns != 0, axis=0)


@partial(jax.custom_vjp, nondiff_argnums=(5,))
def log_likelihood(k: Array, variance: Array, y: Array, mask: Array, offsets: Array, block: int) -> Array:
    """Log-likelihood of ``y = GP + offsets + noise`` with a flat prior on every offset.

    Args:
        k: covariance at lags 0 .. M-1 grid steps, zero from `block` steps on unless `block` is M.
        variance: noise variance of every point, shape (M,); ignored where the mask is 0.
        y: flux, shape (M,); ignored where the mask is 0.
        mask: 1 where there is a measurement, shape (M,); not differentiated.
        offsets: what is marginalised, shape (M, s), columns of zeros are left out; not differentiated.
        block: block width of the factorisation.

    Returns:
        Scalar; NaN where the covariance is not positive definite.
    """
    return project(k, variance, y, mask, offsets, block).value


def score(k: Array, variance: Array, y: Array, mask: Array, offsets: Array, block: int) -> Score:
    """Log-likelihood with its derivatives, for little more than two further factorisations.

    Args:
        k, variance, y, mask, offsets, block: as in ``log_likelihood``.
    """
    return scored(project(k, variance, y, mask, offsets, block), mask)


def scored(p: Projection, mask: Array) -> Score:
    """The derivatives of a likelihood whose value is known; a climb asks for them only where it goes on from."""
    back = unwhiten(p.factor, jnp.concatenate([p.rest[:, None], p.basis], axis=1)).T
    residual, spanned = back[0], back[1:]
    sums, diagonal = inverse_diagonals(p.factor, mask)
    by_lag = -0.5 * (sums - autocorrelation_sums(spanned) - autocorrelation_sums(residual))
    by_noise = -0.5 * (diagonal - jnp.sum(spanned**2, axis=0) - residual**2)
    return Score(p.value, by_lag, by_noise, residual, p)


def average_information(at: Score, k_slopes: Array, noise_slopes: Array, mask: Array) -> Array:
    """Average of observed and expected information, ``1/2 y^T P C_a P C_b P y``, of parameters that C is linear in.

    Positive semi-definite, and by its data term close to the true curvature: what Newton steps on a restricted
    likelihood need (Gilmour, Thompson & Cullis 1995, Biometrics 51, 1440).

    Args:
        at: the likelihood's score.
        k_slopes: derivatives of the covariance at each lag, shape (p, M).
        noise_slopes: derivatives of the noise variances, shape (p, M).
        mask: 1 where there is a measurement, shape (M,).

    Returns:
        Shape (p, p).
    """
    moved = toeplitz_product(k_slopes, at.residual) * mask + noise_slopes * at.residual
    z = whiten(at.projection.factor, moved.T)
    z = z - at.projection.basis @ (at.projection.basis.T @ z)
    return 0.5 * z.T @ z


def project(k: Array, variance: Array, y: Array, mask: Array, offsets: Array, block: int) -> Projection:
    """Log-likelihood and what its derivatives need; arguments as in ``log_likelihood``."""
    factor = factorise(k, jnp.where(mask > 0, variance, 1.0), mask, block)
    z = whiten(factor, jnp.concatenate([(y * mask)[:, None], offsets], axis=1))
    return Projection(factor, *marginalised(z, offsets, factor.log_det, jnp.sum(mask)))


def marginalised(z: Array, offsets: Array, log_det: Array, n_measured: Array) -> tuple[Array, Array, Array]:
    """Integrate the coefficients of some columns, each with a flat prior.

    Args:
        z: whitened flux, then the whitened columns, shape (M, 1 + s).
        offsets: the columns before they were whitened, shape (M, s); those of zeros are left out.
        log_det: logarithm of the determinant of the covariance.
        n_measured: number of measurements.

    Returns:
        Orthonormal basis of the whitened columns (M, s), the whitened flux without them (M,), the log-likelihood.
    """
    unused = unused_columns(offsets)
    normal = jnp.linalg.cholesky(z[:, 1:].T @ z[:, 1:] + jnp.diag(unused.astype(z.dtype)))
    basis = solve_triangular(normal, z[:, 1:].T, lower=True).T
    rest = z[:, 0] - basis @ (basis.T @ z[:, 0])
    log_det = log_det + 2 * jnp.sum(jnp.log(jnp.diagonal(normal)))
    degrees = n_measured - jnp.sum(~unused)
    return basis, rest, -0.5 * (rest @ rest + log_det + degrees * jnp.log(2 * jnp.pi))


def _forward(k: Array, variance: Array, y: Array, mask: Array, offsets: Array, block: int) -> tuple[Array, tuple]:
    found = score(k, variance, y, mask, offsets, block)
    return found.value, (found.by_lag, found.by_noise, -found.residual, mask, offsets)


def _backward(_: int, saved: tuple[Array, ...], cotangent: Array) -> tuple[Array, ...]:
    by_lag, by_noise, by_flux, mask, offsets = saved
    slopes = (cotangent * by_lag, cotangent * by_noise, cotangent * by_flux)
    return *slopes, jnp.zeros_like(mask), jnp.zeros_like(offsets)


log_likelihood.defvjp(_forward, _backward)
