"""The exact Gaussian-process likelihood of a gridded light curve, offsets of segments marginalised."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular

from spotcat.gp.linalg import whiten


def offset_columns(segment: Array, mask: Array, n_segments: int) -> Array:
    """One indicator column for each segment.

    Args:
        segment: segment number of every grid point, shape (M,).
        mask: 1 where there is a measurement, shape (M,).
        n_segments: number of columns; at least the number of segments.

    Returns:
        Shape (M, n_segments).
    """
    return mask[:, None] * (segment[:, None] == jnp.arange(n_segments)[None, :])


def log_likelihood(k: Array, variance: Array, y: Array, mask: Array, offsets: Array, block: int) -> Array:
    """Log-likelihood of ``y = GP + offsets + noise`` with a flat prior on every offset.

    With ``C`` the covariance and ``A`` the offset columns, integrating the offsets leaves

        -1/2 [ y^T C^-1 y - b^T G^-1 b + ln det C + ln det G + (n - s) ln 2 pi ],   G = A^T C^-1 A,  b = A^T C^-1 y

    (Rasmussen & Williams 2006, eq. 2.45 in the limit of a vague prior).

    Args:
        k: covariance at lags 0 .. M-1 grid steps, zero from `block` steps on unless `block` is M.
        variance: noise variance of every point, shape (M,); ignored where the mask is 0.
        y: flux, shape (M,); ignored where the mask is 0.
        mask: 1 where there is a measurement, shape (M,).
        offsets: indicator columns, shape (M, s); columns without a measurement are left out.
        block: block width, a divisor of M.

    Returns:
        Scalar; NaN where the covariance is not positive definite.
    """
    noise = jnp.where(mask > 0, variance, 1.0)
    columns = jnp.concatenate([(y * mask)[:, None], offsets], axis=1)
    gram, log_det = whiten(k, noise, mask, columns, block)
    used = jnp.sum(offsets, axis=0) > 0
    normal = gram[1:, 1:] + jnp.diag(jnp.where(used, 0.0, 1.0))
    factor = jnp.linalg.cholesky(normal)
    z = solve_triangular(factor, gram[1:, 0], lower=True)
    chi2 = gram[0, 0] - jnp.dot(z, z)
    log_det_offsets = 2 * jnp.sum(jnp.log(jnp.diagonal(factor)))
    degrees = jnp.sum(mask) - jnp.sum(used)
    return -0.5 * (chi2 + log_det + log_det_offsets + degrees * jnp.log(2 * jnp.pi))
