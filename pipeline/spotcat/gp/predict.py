"""What the Gaussian process says of a gridded light curve between and at its measurements."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import cho_solve


class Prediction(NamedTuple):
    """Conditional distribution of the signal.

    Attributes:
        mean: conditional mean at every grid point, shape (M,).
        sd: conditional standard deviation, shape (M,).
        offset: best offset of each segment, shape (s,).
    """

    mean: Array
    sd: Array
    offset: Array


def predict(k: Array, variance: Array, y: Array, mask: Array, offsets: Array) -> Prediction:
    """Condition the process on the measurements (Rasmussen & Williams 2006, eqs. 2.25 and 2.42).

    Args:
        k: covariance of the signal at lags 0 .. M-1 grid steps.
        variance: noise variance of every point, shape (M,); ignored where the mask is 0.
        y: flux, shape (M,); ignored where the mask is 0.
        mask: 1 where there is a measurement, shape (M,).
        offsets: indicator columns of the segments, shape (M, s).
    """
    i = jnp.arange(k.shape[0])
    signal = k[jnp.abs(i[:, None] - i[None, :])]
    cross = signal * mask[None, :]
    factor = jnp.linalg.cholesky(cross * mask[:, None] + jnp.diag(jnp.where(mask > 0, variance, 1.0)))
    solve = cho_solve((factor, True), jnp.concatenate([(y * mask)[:, None], offsets], axis=1))
    normal = offsets.T @ solve[:, 1:]
    unused = jnp.sum(offsets, axis=0) == 0
    offset = jnp.linalg.solve(normal + jnp.diag(unused.astype(normal.dtype)), offsets.T @ solve[:, 0])
    mean = cross @ (solve[:, 0] - solve[:, 1:] @ offset)
    reduced = k[0] - jnp.sum(cross.T * cho_solve((factor, True), cross.T), axis=0)
    return Prediction(mean, jnp.sqrt(jnp.maximum(reduced, 0.0)), offset)
