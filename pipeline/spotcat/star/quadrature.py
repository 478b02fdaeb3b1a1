"""Composite Gauss rules between kinks, widths at half maximum, and the tail at which an infinite life is cut."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

TAIL = 1e-8
"""A spot that never quite dies counts as long as its area is above this fraction of the peak."""
LN_TAIL = float(-np.log(TAIL))
EXPONENTIAL_REACH = 21.7
"""``(1 + x) exp(-x)`` is 1e-8 here: e-folding times after which the autocorrelation of an exponential decay ends."""

_X, _W = np.polynomial.legendre.leggauss(16)
_SAMPLES = 2048
_HALVINGS = 40


def constant(values: np.ndarray) -> Array:
    """NumPy's numbers in JAX's precision of the moment.

    JAX 0.9 remembers the device's copy of a NumPy array and hands it out again after the precision has changed; where
    the precision is said it makes a new one.
    """
    return jnp.asarray(values, jnp.result_type(float))


def gauss_nodes(edges: Array) -> tuple[Array, Array]:
    """Nodes and weights of 16 Gauss points between neighbouring edges.

    Args:
        edges: sorted, shape (m,); an interval may be empty.

    Returns:
        Two arrays of shape (16 (m - 1),).
    """
    half = jnp.diff(edges)[:, None] / 2
    nodes = (edges[1:] + edges[:-1])[:, None] / 2 + half * constant(_X)
    return nodes.ravel(), (half * constant(_W)).ravel()


def overlap_nodes(edges: Array, lag: Array) -> tuple[Array, Array]:
    """The rule for a product of a function with itself `lag` later, which ends where either of them does.

    Args:
        edges: sorted times [d] between which the function is smooth, its ends among them, shape (m,).
        lag: not negative [d], scalar.
    """
    end = jnp.maximum(edges[-1] - lag, edges[0])
    kinks = jnp.sort(jnp.concatenate([edges, edges - lag]))
    return gauss_nodes(jnp.clip(kinks, edges[0], end))


def autocorrelation(area: Callable[[Array], Array], edges: Array, lag: ArrayLike) -> Array:
    """Autocorrelation of `area` at any shape of lags [d], by quadrature; zero beyond the ends of `edges`."""
    lags = jnp.abs(jnp.asarray(lag, float))

    def one(tau: Array) -> Array:
        t, w = overlap_nodes(edges, tau)
        return jnp.sum(w * area(t) * area(t + tau))

    return jax.lax.map(one, lags.ravel(), batch_size=64).reshape(lags.shape)


def transform(area: Callable[[Array], Array], edges: Array, omega: ArrayLike) -> Array:
    """Fourier transform of `area` at any shape of angular frequencies [rad/d], by quadrature; complex."""
    t, w = gauss_nodes(edges)
    weighted = w * area(t)
    frequencies = jnp.asarray(omega, float)

    def one(x: Array) -> Array:
        return jnp.sum(weighted * jnp.exp(-1j * x * t))

    return jax.lax.map(one, frequencies.ravel(), batch_size=64).reshape(frequencies.shape)


def width_at_half(area: Callable[[ArrayLike], Array], start: ArrayLike, end: ArrayLike) -> Array:
    """Time from the first to the last passage of `area` through half its peak of 1 [d]; differentiable."""
    t = jnp.asarray(start) + (jnp.asarray(end) - start) * jnp.linspace(0.0, 1.0, _SAMPLES)
    above = area(t) >= 0.5
    first = jnp.argmax(above)
    last = _SAMPLES - 1 - jnp.argmax(above[::-1])

    def crossing(low: Array, high: Array) -> Array:
        rises = area(high) > area(low)

        def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            middle = (ends[0] + ends[1]) / 2
            below = (area(middle) < 0.5) == rises
            return jnp.where(below, middle, ends[0]), jnp.where(below, ends[1], middle)

        low, high = jax.lax.fori_loop(0, _HALVINGS, halve, (low, high))
        x = jax.lax.stop_gradient((low + high) / 2)
        # One of Newton's steps carries the derivative.
        value, rate = jax.jvp(area, (x,), (jnp.ones_like(x),))
        return x + (0.5 - value) / jax.lax.stop_gradient(jnp.where(rate == 0, 1.0, rate))

    left = crossing(t[jnp.maximum(first - 1, 0)], t[first])
    right = crossing(t[jnp.minimum(last + 1, _SAMPLES - 1)], t[last])
    # A life that begins above half its peak begins at its start.
    return jnp.where(last == _SAMPLES - 1, t[-1], right) - jnp.where(first == 0, t[0], left)
