"""The debiased Whittle likelihood (Sykulski et al. 2019, Biometrika 106, 251): ``O(M log M)`` a kernel.

The periodogram of a gridded, masked light curve is compared with its own expectation, which the mask's autocorrelation
gives exactly: gaps and finite length bias nothing, they only correlate neighbouring frequencies.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from spotcat.model.composite import within_reach


class Periodogram(NamedTuple):
    """A star as the Whittle likelihood sees it.

    Attributes:
        power: periodogram at frequencies 1 .. n of the grid, shape (..., n) with ``n = (M - 1) // 2``.
        window: autocorrelation of the mask at lags 0 .. M-1, normalised to 1 at lag 0, shape (..., M).
        looks: how many independent periodograms `power` is the mean of, shape (...).
    """

    power: Array
    window: Array
    looks: Array


def periodogram(y: Array, mask: Array, reach: Array | None = None) -> Periodogram:
    """Periodogram and window of gridded light curves, averaged over their pieces.

    The mean over pieces (Bartlett 1948, Nature 161, 686), each weighted by its measurements, has the same expectation
    as one piece with the mean window would have.

    Args:
        y: flux, mean removed, shape (..., pieces, M).
        mask: 1 where there is a measurement, shape (..., pieces, M).
        reach: lag [grid steps] from which measurements are independent, shape (...); none if None.
    """
    m = y.shape[-1]
    seen = mask.sum(-1)
    count = jnp.maximum(seen.sum(-1, keepdims=True), 1.0)
    power = jnp.sum(jnp.abs(jnp.fft.rfft(y * mask)) ** 2, axis=-2) / count
    window = jnp.fft.irfft(jnp.sum(jnp.abs(jnp.fft.rfft(mask, 2 * m)) ** 2, axis=-2), 2 * m)[..., :m] / count
    if reach is not None:
        window = within_reach(window, reach[..., None])
    looks = count[..., 0] ** 2 / jnp.maximum(jnp.sum(seen**2, axis=-1), 1.0)
    return Periodogram(power[..., 1 : (m - 1) // 2 + 1], window, looks)


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


def negative_log_likelihood(expected: Array, star: Periodogram) -> Array:
    """``sum ln E + I / E`` over frequencies, the last axis, and over independent periodograms."""
    return star.looks * jnp.sum(jnp.log(expected) + star.power / expected, axis=-1)


def profiled_powers(components: Array, start: Array, power: Array, n_updates: int) -> Array:
    """Non-negative powers p of components A that make ``E = p A`` likely, by multiplicative updates

        p <- p sqrt( A (I / E^2) / A (1 / E) ),

    which never raise ``sum ln E + I / E`` (Fevotte & Idier 2011, Neural Computation 23, 2421).

    Args:
        components: positive expected periodograms of unit power, shape (c, n).
        start: powers to start from, shape (c,).
        power: the periodogram, shape (n,).
        n_updates: number of updates.

    Returns:
        Shape (c,).
    """

    def step(p: Array, _: None) -> tuple[Array, None]:
        inverse = 1 / (p @ components)
        ratio = (components @ (power * inverse * inverse)) / (components @ inverse)
        return p * jnp.sqrt(jnp.maximum(ratio, 1e-12)), None

    return jax.lax.scan(step, start, None, length=n_updates)[0]
