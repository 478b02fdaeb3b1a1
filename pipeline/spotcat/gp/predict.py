"""What the Gaussian process says of a gridded light curve between and at its measurements."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import cho_solve

from spotcat.gp.composite import covariance, noise_variance
from spotcat.gp.grid import GridBatch
from spotcat.gp.layout import Layout
from spotcat.gp.likelihood import offset_columns


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


class StarPrediction(NamedTuple):
    """What a fitted parameter vector says of its star, in units of the star's scatter; NumPy, float64.

    Attributes:
        mean: conditional mean of the signal at every grid point, shape (M,).
        sd: conditional standard deviation, shape (M,).
        offset: best offset of each segment, shape (s,).
        covariance: fitted covariance of the signal at lags 0 .. M-1 grid steps, shape (M,).
        white: fitted variance of the white noise.
    """

    mean: np.ndarray
    sd: np.ndarray
    offset: np.ndarray
    covariance: np.ndarray
    white: float


def predict_star(theta: np.ndarray, star: GridBatch, layout: Layout) -> StarPrediction:
    """Condition the fitted process on its star, in float64 whatever JAX's default precision.

    Args:
        theta: fitted parameters, shape (n_theta,).
        star: one star on the grid of its fit.
        layout: the model of that grid.
    """
    n_segments = int(star.segment.max()) + 1
    with jax.enable_x64(True):
        found, k = _predict_star(jnp.asarray(theta), jax.tree.map(jnp.asarray, star), layout, n_segments)
        mean, sd, offset = (np.asarray(a) for a in found)
    return StarPrediction(mean, sd, offset, np.asarray(k), float(np.exp(theta[-1])))


@partial(jax.jit, static_argnums=(2, 3))
def _predict_star(theta: Array, star: Any, layout: Layout, n_segments: int) -> tuple[Prediction, Array]:
    k = covariance(theta, star.width, layout)
    variance = noise_variance(theta, star.relative_variance)
    offsets = offset_columns(star.segment, star.mask, n_segments)
    return predict(k, variance, star.y, star.mask, offsets), k
