"""The debiased Whittle likelihood (Sykulski et al. 2019, Biometrika 106, 251): ``O(M log M)`` a kernel.

The periodogram of a gridded, masked light curve is compared with its own expectation, which the mask's autocorrelation
gives exactly: gaps and finite length bias nothing, they only correlate neighbouring frequencies.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class Periodogram(NamedTuple):
    """A star as the Whittle likelihood sees it.

    Attributes:
        power: periodogram at frequencies 1 .. n of the grid, shape (..., n) with ``n = (M - 1) // 2``.
        window: autocorrelation of the mask at lags 0 .. M-1, normalised to 1 at lag 0, shape (..., M).
    """

    power: Array
    window: Array


def periodogram(y: Array, mask: Array) -> Periodogram:
    """Periodogram and window of gridded light curves.

    Args:
        y: flux, mean removed, shape (..., M).
        mask: 1 where there is a measurement, shape (..., M).
    """
    m = y.shape[-1]
    count = jnp.maximum(mask.sum(-1, keepdims=True), 1.0)
    power = jnp.abs(jnp.fft.rfft(y * mask)) ** 2 / count
    window = jnp.fft.irfft(jnp.abs(jnp.fft.rfft(mask, 2 * m)) ** 2, 2 * m)[..., :m] / count
    return Periodogram(power[..., 1 : (m - 1) // 2 + 1], window)


def expected_power(k: Array, window: Array) -> Array:
    """Expectation of the periodogram of a process with a given covariance.

    Args:
        k: covariance at lags 0 .. M-1 grid steps, shape (..., M).
        window: the star's window, broadcast with `k`.

    Returns:
        Shape (..., n) with ``n = (M - 1) // 2``.
    """
    m = k.shape[-1]
    seen = k * window
    # The expectation is a cosine sum over lags; folding lag M - j onto lag j makes it one real FFT.
    folded = seen.at[..., 1:].add(seen[..., :0:-1])
    return jnp.fft.rfft(folded).real[..., 1 : (m - 1) // 2 + 1]


def negative_log_likelihood(expected: Array, power: Array) -> Array:
    """``sum ln E + I / E`` over frequencies, the last axis."""
    return jnp.sum(jnp.log(expected) + power / expected, axis=-1)
