"""What the Gaussian process says of a gridded light curve between and at its measurements."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import cho_solve

from spotcat.model.composite import noise_variance, red_rows, spot_levels, spot_rows, within_reach
from spotcat.model.grid import GridBatch
from spotcat.model.layout import N_SHAPE, Layout
from spotcat.model.likelihood import offset_columns, unused_columns


class Prediction(NamedTuple):
    """Conditional distribution of the signal.

    Attributes:
        mean: conditional mean at every point asked for, shape (P,).
        sd: conditional standard deviation, shape (P,).
        offset: best coefficient of each column that was marginalised, 0 of an unused one, shape (s,).
    """

    mean: Array
    sd: Array
    offset: Array


def predict(
    k: Array, variance: Array, y: Array, mask: Array, offsets: Array, at: Array | None = None, per_step: int = 1
) -> Prediction:
    """Condition the process on the measurements (Rasmussen & Williams 2006, eqs. 2.25 and 2.42).

    Args:
        k: covariance of the signal at lags 0, 1, ... in units of 1/per_step of a grid step, shape (M per_step,).
        variance: noise variance of every grid point, shape (M,); ignored where the mask is 0.
        y: flux, shape (M,); ignored where the mask is 0.
        mask: 1 where there is a measurement, shape (M,).
        offsets: what is marginalised, shape (M, s), columns of zeros are left out; see ``offset_columns``.
        at: where to predict, integers in units of 1/per_step of a grid step, shape (P,); every grid point if None.
        per_step: how often a grid step is divided.
    """
    grid = jnp.arange(y.shape[0]) * per_step
    at = grid if at is None else at
    signal = k[jnp.abs(grid[:, None] - grid[None, :])] * mask[:, None] * mask[None, :]
    cross = k[jnp.abs(at[:, None] - grid[None, :])] * mask[None, :]
    factor = jnp.linalg.cholesky(signal + jnp.diag(jnp.where(mask > 0, variance, 1.0)))
    solve = cho_solve((factor, True), jnp.concatenate([(y * mask)[:, None], offsets], axis=1))
    normal = offsets.T @ solve[:, 1:]
    unused = unused_columns(offsets).astype(normal.dtype)
    offset = jnp.linalg.solve(normal + jnp.diag(unused), offsets.T @ solve[:, 0])
    mean = cross @ (solve[:, 0] - solve[:, 1:] @ offset)
    reduced = k[0] - jnp.sum(cross.T * cho_solve((factor, True), cross.T), axis=0)
    return Prediction(mean, jnp.sqrt(jnp.maximum(reduced, 0.0)), offset)


class StarPrediction(NamedTuple):
    """What a fitted parameter vector says of its star, in units of the star's scatter; NumPy, float64.

    Attributes:
        mean: conditional mean of the signal at every point asked for, shape (P,).
        sd: conditional standard deviation, shape (P,).
        offset: best offset of each segment, then the best coefficients of its vectors, in the order of
            ``offset_columns``, shape (s (1 + v),).
        covariance: fitted covariance of the signal at lags 0, 1, ... in units of 1/per_step of a grid step.
        white: fitted variance of the white noise.
    """

    mean: np.ndarray
    sd: np.ndarray
    offset: np.ndarray
    covariance: np.ndarray
    white: float


def predict_star(
    theta: np.ndarray, star: GridBatch, layout: Layout, at: np.ndarray | None = None, per_step: int = 1
) -> StarPrediction:
    """Condition the fitted process on its star, in float64 whatever JAX's default precision.

    Args:
        theta: fitted parameters, shape (n_theta,).
        star: one star on the grid of its fit.
        layout: the model of that grid.
        at: where to predict, integers in units of 1/per_step of a grid step, shape (P,); every grid point if None.
        per_step: how often a grid step is divided.
    """
    n_segments = int(star.segment.max()) + 1
    with jax.enable_x64(True):
        arrays = jax.tree.map(jnp.asarray, (theta, star, at))
        found, k = _predict_star(*arrays, layout, n_segments, per_step)
        mean, sd, offset = (np.asarray(a) for a in found)
    return StarPrediction(mean, sd, offset, np.asarray(k), float(np.exp(theta[-1])))


@partial(jax.jit, static_argnums=(4, 5))
def _predict_star(
    theta: Array, star: Any, at: Array | None, layout: Layout, n_segments: int, per_step: int
) -> tuple[Prediction, Array]:
    k = within_reach(_covariance_between(theta, star.width, layout, per_step), star.reach * per_step)
    variance = noise_variance(theta, star.relative_variance)
    offsets = offset_columns(star.segment, star.mask, n_segments, star.design)
    return predict(k, variance, star.y, star.mask, offsets, at, per_step), k


def _covariance_between(theta: Array, width: Array, layout: Layout, per_step: int) -> Array:
    """``composite.covariance`` at lags that divide the grid step.

    Red noise is defined on the grid.  Between its lags it is interpolated linearly, which keeps a covariance one.
    """
    finer = replace(layout, n_time=layout.n_time * per_step, dt=layout.dt / per_step)
    spots = spot_levels(theta, layout) @ spot_rows(theta[:N_SHAPE], width, finer)
    red = jnp.exp(theta[layout.reds]) @ red_rows(layout)
    return spots + jnp.interp(finer.lag, layout.lag, red)
