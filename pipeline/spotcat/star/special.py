"""Elementary functions in forms that keep all digits near zero, and their gradients with them."""

from __future__ import annotations

from math import factorial

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from scipy.special import bernoulli

_BERNOULLI = bernoulli(24)
_SERIES = 10


def spherical_bessel(z: ArrayLike) -> tuple[Array, Array, Array]:
    """Spherical Bessel functions ``j_0, j_1, j_2``; by their series below 1 (Abramowitz & Stegun 1964, 10.1.2)."""
    z = jnp.asarray(z)
    small = jnp.abs(z) < 1.0
    x = jnp.where(small, 1.0, z)
    j0 = jnp.sin(x) / x
    j1 = (j0 - jnp.cos(x)) / x
    closed = (j0, j1, 3 * j1 / x - j0)
    y = jnp.where(small, z, 0.0)
    series = [y**n * _bessel_series(-y * y / 2, n) for n in range(3)]
    first, second, third = (jnp.where(small, s, c) for s, c in zip(series, closed, strict=True))
    return first, second, third


def _bessel_series(x: Array, n: int) -> Array:
    total = jnp.zeros_like(x)
    for k in range(_SERIES, -1, -1):
        odd = 2 * n + 2 * k + 1
        double_factorial = factorial(odd + 1) / (2 ** (n + k + 1) * factorial(n + k + 1))
        total = total * x + 1 / (factorial(k) * double_factorial)
    return total


def coth_moments(y: ArrayLike) -> tuple[Array, Array, Array]:
    """``W = (y/2) coth(y/2)`` with its first two derivatives.

    They are the antiderivatives of the density of the difference of two logistic variables, ``W''``.  Below 1 by the
    series ``sum_k B_2k y^2k / (2k)!``.
    """
    y = jnp.asarray(y)
    small = jnp.abs(y) < 1.0
    x = jnp.where(small, 1.0, jnp.abs(y))
    q = jnp.exp(-x)
    coth = (1 + q) / (1 - q)
    inverse_sinh2 = 4 * q / (1 - q) ** 2  # of x / 2
    w = x / 2 * coth
    slope = coth / 2 - x / 4 * inverse_sinh2
    density = (w - 1) * inverse_sinh2 / 2
    s = jnp.where(small, y, 0.0)
    terms = [(2 * k, float(_BERNOULLI[2 * k]) / factorial(2 * k)) for k in range(12)]
    series_w = sum((b * s**p for p, b in terms), jnp.zeros_like(s))
    series_slope = sum((b * p * s ** (p - 1) for p, b in terms if p), jnp.zeros_like(s))
    series_density = sum((b * p * (p - 1) * s ** (p - 2) for p, b in terms if p), jnp.zeros_like(s))
    return (
        jnp.where(small, series_w, w),
        jnp.where(small, series_slope, jnp.sign(y) * slope),
        jnp.where(small, series_density, density),
    )


def sinh_ratio(x: ArrayLike) -> Array:
    """``x / sinh x`` without overflow."""
    size = jnp.abs(jnp.asarray(x))
    small = size < 1e-3
    y = jnp.where(small, 1.0, size)
    closed = 2 * y * jnp.exp(-y) / -jnp.expm1(-2 * y)
    return jnp.where(small, 1 - size**2 / 6 + 7 * size**4 / 360, closed)
