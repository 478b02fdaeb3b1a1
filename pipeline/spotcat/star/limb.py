"""Spots on a limb-darkened disk, faculae, and spots of finite size.

A small spot at ``mu = a0 + a1 cos(longitude)``, the cosine of its angle from the line of sight, hides
``mu I(mu) / (1 - u1/3 - u2/6)`` with the quadratic law ``I = 1 - u1 (1 - mu) - u2 (1 - mu)^2``.  Faculae brighten
towards the limb: with contrast ``c_f (1 - mu)`` over `Q` times the area of the spots (Lanza et al. 2003, A&A 403, 1135)
the deficit has the factor ``1 - q (1 - mu)``, ``q = Q c_f / c_s``.  All of these are polynomials in ``mu``, so one
closed form gives their Fourier coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.star.parameters import INFINITE
from spotcat.star.quadrature import constant
from spotcat.star.visibility import VisibilityFunction, projection

UNIT = (0.0, 1.0)
_X, _W = np.polynomial.legendre.leggauss(20)
_LONGITUDES = 256
_EPS = 1e-12


def limb_polynomial(u1: ArrayLike, u2: ArrayLike, q_fac: ArrayLike = 0.0) -> Array:
    """Coefficients of ``mu .. mu^4`` in the deficit of a small spot, for the flux of the whole disk.

    Args:
        u1: linear limb-darkening coefficient.
        u2: quadratic limb-darkening coefficient.
        q_fac: ratio of facular to spot contrast times area.

    Returns:
        Shape (4,).
    """
    disk = 1 - jnp.asarray(u1, float) / 3 - jnp.asarray(u2) / 6
    dark = jnp.stack([1 - jnp.asarray(u1) - u2, jnp.asarray(u1) + 2 * jnp.asarray(u2), -jnp.asarray(u2, float)]) / disk
    return jnp.pad(dark * (1 - jnp.asarray(q_fac)), (0, 1)) + jnp.pad(dark * q_fac, (1, 0))


def polynomial_coefficients(phi: ArrayLike, inc: ArrayLike, polynomial: Array, n_harm: int) -> Array:
    """Fourier coefficients in longitude of ``sum_m v_m max(mu, 0)^m``.

    With the polynomial written as ``sum_k b_k exp(i k x)``, ``c_n = (1/pi) sum_k b_k sin((n-k) theta)/(n-k)`` over the
    arc of half-width ``theta`` on which the spot is seen.

    Args:
        phi: latitude [rad], shape S.
        inc: inclination [rad].
        polynomial: coefficients ``v_1 .. v_M``, shape (M,).
        n_harm: highest harmonic.

    Returns:
        Shape (n_harm + 1, S).
    """
    a0, a1, theta = projection(phi, inc)
    m = len(polynomial)
    power = jnp.zeros((2 * m + 1, *a0.shape)).at[m].set(1.0)
    series = jnp.zeros_like(power)
    for v in polynomial:
        beside = jnp.pad(power, [(1, 1)] + [(0, 0)] * a0.ndim)
        power = a0 * power + a1 / 2 * (beside[2:] + beside[:-2])
        series = series + v * power
    order = jnp.arange(1, n_harm + m + 1).reshape(-1, *[1] * a0.ndim)
    waves = jnp.concatenate([theta[None], jnp.sin(order * theta) / order])
    place = jnp.abs(jnp.arange(n_harm + 1)[:, None] - jnp.arange(-m, m + 1)[None, :])
    return jnp.sum(series * waves[place], axis=1) / jnp.pi


def cap_deficit(alpha: ArrayLike, cos_beta: ArrayLike, u1: ArrayLike = 0.0, u2: ArrayLike = 0.0) -> Array:
    """Fraction of the disk's light that a dark spherical cap hides, whatever its size and place.

    Around the disk's centre a ring at angle ``v`` is hidden over the azimuth
    ``2 arccos[(cos alpha - cos beta cos v) / (sin beta sin v)]``, or wholly for ``v < alpha - beta``.

    Args:
        alpha: angular radius of the cap [rad], below pi/2.
        cos_beta: cosine of the angle between the cap's centre and the line of sight.
        u1: linear limb-darkening coefficient.
        u2: quadratic limb-darkening coefficient.

    Returns:
        The broadcast shape of `alpha` and `cos_beta`; ``alpha^2 cos_beta`` for small caps without limb darkening.
    """
    alpha, cos_beta = jnp.broadcast_arrays(jnp.asarray(alpha, float), jnp.asarray(cos_beta, float))
    cos_beta = jnp.clip(cos_beta, -1 + _EPS, 1 - _EPS)
    beta, sin_beta = jnp.arccos(cos_beta), jnp.sqrt(1 - cos_beta**2)
    flat, linear, square = 1 - jnp.asarray(u1) - u2, jnp.asarray(u1) + 2 * jnp.asarray(u2), -jnp.asarray(u2)

    def within(mu: Array) -> Array:
        return flat * mu**2 / 2 + linear * mu**3 / 3 + square * mu**4 / 4

    whole = jnp.maximum(alpha - beta, 0.0)
    core = within(jnp.ones_like(whole)) - within(jnp.cos(whole))

    near, far = jnp.abs(alpha - beta), jnp.minimum(alpha + beta, jnp.pi / 2)
    half = (jnp.maximum(far - near, 0.0) / 2)[..., None]
    v = (near + far)[..., None] / 2 + half * constant(np.sin(np.pi / 2 * _X))
    step = half * constant(np.pi / 2 * np.cos(np.pi / 2 * _X) * _W)
    mu, sine = jnp.cos(v), jnp.sin(v)
    ratio = (jnp.cos(alpha)[..., None] - cos_beta[..., None] * mu) / (sin_beta[..., None] * jnp.maximum(sine, _EPS))
    inside = jnp.abs(ratio) < 1 - _EPS
    azimuth = jnp.where(inside, jnp.arccos(jnp.where(inside, ratio, 0.0)), jnp.where(ratio < 0, jnp.pi, 0.0))
    rings = jnp.sum(step * (flat + linear * mu + square * mu**2) * mu * sine * azimuth, axis=-1) / jnp.pi
    return jnp.asarray(2 * (core + rings) / (1 - jnp.asarray(u1) / 3 - jnp.asarray(u2) / 6))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class EdgeOnVisibility(VisibilityFunction):
    """Small spots on a rigidly rotating star seen edge-on: ``V = cos(phi) max(cos(longitude), 0)``.

    ``c_0 = cos(phi)/pi``, ``c_1 = cos(phi)/4``, ``c_n = -cos(phi) cos(n pi/2) / (pi (n^2 - 1))`` for even n, and zero
    for odd n from 3 on.

    Attributes:
        peq: rotation period [d], positive.
    """

    peq: Any
    kappa: ClassVar[Any] = 0.0  # type: ignore[misc]
    inc: ClassVar[Any] = np.pi / 2  # type: ignore[misc]

    param_keys: ClassVar[tuple[str, ...]] = ("peq",)

    def c_n(self, phi: ArrayLike, n_harm: int = 4) -> Array:
        """Fourier coefficients ``c_0 .. c_n_harm`` at latitude `phi` [rad]; the first axis is the harmonic."""
        n = np.arange(n_harm + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            c = np.where(n % 2 == 0, -np.cos(n * np.pi / 2) / (np.pi * (n**2 - 1.0)), 0.0)
        c[1:2] = 0.25
        return jnp.asarray(c).reshape(-1, *[1] * np.ndim(phi)) * jnp.cos(phi)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class LimbDarkenedVisibility(VisibilityFunction):
    """Small spots on a disk with quadratic limb darkening.

    Attributes:
        peq: equatorial rotation period [d], positive.
        kappa: relative shear ``1 - omega(pole)/omega(equator)``.
        inc: inclination [rad].
        u1: linear limb-darkening coefficient.
        u2: quadratic limb-darkening coefficient.
    """

    u1: Any
    u2: Any

    closed: ClassVar[bool] = False
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        **VisibilityFunction.limits,
        "u1": UNIT,
        "u2": (-1.0, 1.0),
    }
    param_keys: ClassVar[tuple[str, ...]] = ("peq", "kappa", "inc", "u1", "u2")

    def polynomial(self) -> Array:
        """Coefficients of ``mu .. mu^4`` in the deficit."""
        return limb_polynomial(self.u1, self.u2)

    def c_n(self, phi: ArrayLike, n_harm: int = 4) -> Array:
        """Fourier coefficients ``c_0 .. c_n_harm`` at latitude `phi` [rad]; the first axis is the harmonic."""
        return polynomial_coefficients(phi, self.inc, self.polynomial(), n_harm)

    def deficit(self, mu: ArrayLike, radius: ArrayLike) -> Array:
        """Deficit at ``mu`` of a spot of relative `radius`, in units of ``(1 - fspot) alpha_max^2``."""
        mu, v = jnp.maximum(jnp.asarray(mu), 0.0), self.polynomial()
        return jnp.asarray(radius) ** 2 * mu * (v[0] + mu * (v[1] + mu * (v[2] + mu * v[3])))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class FacularVisibility(LimbDarkenedVisibility):
    """Small spots with faculae around them, bright towards the limb, on a limb-darkened disk.

    Attributes:
        peq: equatorial rotation period [d], positive.
        kappa: relative shear ``1 - omega(pole)/omega(equator)``.
        inc: inclination [rad].
        u1: linear limb-darkening coefficient.
        u2: quadratic limb-darkening coefficient.
        q_fac: facular to spot ratio of contrast times area, ``Q c_f / c_s``; 0 without faculae.
    """

    q_fac: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {**LimbDarkenedVisibility.limits, "q_fac": (0.0, INFINITE)}
    param_keys: ClassVar[tuple[str, ...]] = ("peq", "kappa", "inc", "u1", "u2", "q_fac")

    def polynomial(self) -> Array:
        """Coefficients of ``mu .. mu^4`` in the deficit."""
        return limb_polynomial(self.u1, self.u2, self.q_fac)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class FiniteSpotVisibility(VisibilityFunction):
    """Spots of finite size, partly hidden as they cross the limb, on a disk with quadratic limb darkening.

    What is seen depends on the radius of the moment, so the covariance is no product of envelope and visibility.

    Attributes:
        peq: equatorial rotation period [d], positive.
        kappa: relative shear ``1 - omega(pole)/omega(equator)``.
        inc: inclination [rad].
        alpha_max: peak angular radius of a spot [rad], below pi/2.
        u1: linear limb-darkening coefficient.
        u2: quadratic limb-darkening coefficient.
    """

    alpha_max: Any
    u1: Any = 0.0
    u2: Any = 0.0

    closed: ClassVar[bool] = False
    separable: ClassVar[bool] = False
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        **LimbDarkenedVisibility.limits,
        "alpha_max": (_EPS, np.pi / 2 - 1e-3),
    }
    param_keys: ClassVar[tuple[str, ...]] = ("peq", "kappa", "inc", "alpha_max", "u1", "u2")

    def deficit(self, mu: ArrayLike, radius: ArrayLike) -> Array:
        """Deficit at ``mu`` of a spot of relative `radius`, in units of ``(1 - fspot) alpha_max^2``."""
        alpha = self.alpha_max * jnp.asarray(radius)
        return cap_deficit(jnp.maximum(alpha, _EPS), mu, self.u1, self.u2) / self.alpha_max**2

    def c_n(self, phi: ArrayLike, n_harm: int = 4, radius: ArrayLike = 1.0) -> Array:
        """Fourier coefficients ``c_0 .. c_n_harm`` at latitude `phi` [rad] for a relative `radius`.

        By the midpoint rule in longitude, which converges fast since a finite spot crosses the limb smoothly.
        """
        phi = jnp.asarray(phi, float)
        x = (np.arange(_LONGITUDES) + 0.5) * np.pi / _LONGITUDES
        a0, a1 = jnp.cos(self.inc) * jnp.sin(phi), jnp.sin(self.inc) * jnp.cos(phi)
        seen = self.deficit(a0[..., None] + a1[..., None] * np.cos(x), radius)
        waves = np.cos(np.arange(n_harm + 1)[:, None] * x) / _LONGITUDES
        return jnp.moveaxis(seen @ waves.T, -1, 0)
