"""Smooth envelopes with closed forms: the skewed Gaussian and the logistic plateau."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import erfc, ndtr
from jax.typing import ArrayLike

from spotcat.star.envelopes.base import EnvelopeBase
from spotcat.star.parameters import INFINITE, NOT_NEGATIVE
from spotcat.star.quadrature import EXPONENTIAL_REACH, LN_TAIL, constant
from spotcat.star.special import coth_moments, sinh_ratio, spherical_bessel

_X, _W = np.polynomial.legendre.leggauss(64)
_UNIT_NODES, _UNIT_WEIGHTS = (_X + 1) / 2, _W / 2
_NEWTON = 30
_PARTS = 17
_BELL = 1.0
"""Half a plateau, in units of the ramp, below which the closed forms of the logistic plateau would cancel."""
_STEP, _FAR = 0.4, 80.0
_BELL_NODES = np.exp(np.arange(0.0, 22.01, _STEP))
_BELL_WEIGHTS = np.where(np.arange(_BELL_NODES.size) == 0, _STEP, 2 * _STEP)
"""The rule on one side of its middle, about which the product of two shifted areas is even."""


def _ln_skewed(x: ArrayLike, n: ArrayLike) -> Array:
    """Logarithm of ``exp(-x^2/2) 2 Phi(n x)``, not normalised; Phi held above 1e-33, long after the life's end."""
    x = jnp.asarray(x)
    return -(x**2) / 2 + jnp.log(erfc(-jnp.maximum(n * x, -12.0) / np.sqrt(2)))


def _ln_skewed_peak(n: ArrayLike) -> Array:
    """The highest value of ``_ln_skewed``: concave, so Newton's steps from zero arrive."""
    m = jax.lax.stop_gradient(jnp.asarray(n, float))

    def step(_: int, x: Array) -> Array:
        z = m * x
        hazard = jnp.exp(-(z**2) / 2) / (np.sqrt(2 * np.pi) * ndtr(z))
        return x + (m * hazard - x) / (1 + m**2 * hazard * (z + hazard))

    # The peak's own motion does not change its height.
    return _ln_skewed(jax.lax.fori_loop(0, _NEWTON, step, jnp.zeros_like(m)), n)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class SkewedGaussianEnvelope(EnvelopeBase):
    """An area that follows a skewed Gaussian, ``exp(-t^2/2s^2) [1 + erf(n t/s sqrt 2)]``, scaled to a peak of 1.

    The form that Baranyi et al. (2021, A&A 653, A59, eq. 1) fit to the areas of sunspot groups.  Time zero is the
    Gaussian's middle.

    Attributes:
        sigma_sn: scale [d].
        n_sn: skewness; positive for a rapid rise and a slow decay, 0 for a Gaussian.
    """

    sigma_sn: Any
    n_sn: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"n_sn": (-INFINITE, INFINITE)}

    def Gamma(self, t: ArrayLike) -> Array:
        """Relative radius at time `t` [d]: the root of the relative area."""
        return jnp.exp((_ln_skewed(jnp.asarray(t, float) / self.sigma_sn, self.n_sn) - _ln_skewed_peak(self.n_sn)) / 2)

    def edges(self) -> Array:
        """Beginning and end of the life [d] and times between."""
        reach = np.sqrt(2 * (LN_TAIL + np.log(2.0)))
        # Phi(n x) ends the steep side: its tail is that of a Gaussian of width 1/sqrt(1 + n^2).
        short = reach / jnp.sqrt(1 + jnp.asarray(self.n_sn) ** 2)
        early, late = jnp.where(self.n_sn > 0, short, reach), jnp.where(self.n_sn < 0, short, reach)
        return self.sigma_sn * jnp.linspace(-early, late, _PARTS)

    def kernel_support(self) -> Any:
        """Lag [d] from which the covariance is below 1e-8 of that at lag zero: that of a Gaussian, or the life."""
        start, end = self.span()
        return jnp.minimum(2 * np.sqrt(LN_TAIL) * self.sigma_sn, end - start)

    def Gamma_hat(self, omega: ArrayLike) -> Array:
        """Fourier transform of ``Gamma**2`` [d], complex: the skew-normal's characteristic function.

        ``s sqrt(2 pi) [exp(-x^2/2) - i (2/sqrt pi) y int_0^1 exp(-x^2/2 + y^2 v^2) dv]`` over the peak, with
        ``x = omega s``, ``y = x n / sqrt(2 (1 + n^2))``; the integral is Dawson's.
        """
        x = jnp.asarray(omega, float) * self.sigma_sn
        y = x * self.n_sn / jnp.sqrt(2 * (1 + jnp.asarray(self.n_sn) ** 2))
        exponent = -(x[..., None] ** 2) / 2 + y[..., None] ** 2 * constant(_UNIT_NODES) ** 2
        odd = 2 / np.sqrt(np.pi) * y * jnp.sum(constant(_UNIT_WEIGHTS) * jnp.exp(exponent), axis=-1)
        scale = self.sigma_sn * np.sqrt(2 * np.pi) * jnp.exp(-_ln_skewed_peak(self.n_sn))
        return scale * (jnp.exp(-(x**2) / 2) - 1j * odd)

    def R_Gamma(self, lag: ArrayLike) -> Array:
        """Autocorrelation of ``Gamma**2`` [d] at `lag` [d].

        ``4 sqrt(pi) s exp(-r^2/4) Phi_2(-k, k; rho)`` over the squared peak, with ``r = lag/s``,
        ``k = n r / sqrt(4 + 2 n^2)`` and ``rho = n^2/(2 + n^2)``.  The bivariate normal probability is
        ``Phi(-k) Phi(k) + int_0^arcsin(rho) exp(-k^2/(1 - sin x)) dx / 2 pi`` (Owen 1956, Ann. Math. Stat. 27, 1075).
        """
        r = jnp.asarray(lag, float) / self.sigma_sn
        n = jnp.asarray(self.n_sn, float)
        k = n * r / jnp.sqrt(4 + 2 * n**2)
        top = jnp.arcsin(n**2 / (2 + n**2))
        excess = jnp.exp(-(k[..., None] ** 2) / (1 - jnp.sin(top * constant(_UNIT_NODES))))
        both = ndtr(-k) * ndtr(k) + top * jnp.sum(constant(_UNIT_WEIGHTS) * excess, axis=-1) / (2 * np.pi)
        return 4 * np.sqrt(np.pi) * self.sigma_sn * jnp.exp(-(r**2) / 4 - 2 * _ln_skewed_peak(self.n_sn)) * both


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class LogisticPlateauEnvelope(EnvelopeBase):
    """A plateau with logistic ramps, smooth everywhere; time zero is its middle.

    ``Gamma = s((t + l/2)/tau) s((l/2 - t)/tau) / s(l/2 tau)^2`` with ``s(x) = 1/(1 + exp(-x))``.

    Attributes:
        lspot: plateau duration between the half-way points of the ramps [d], not negative.
        tau_spot: scale of the ramps [d].
    """

    lspot: Any
    tau_spot: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"lspot": NOT_NEGATIVE}

    def _half(self) -> Array:
        return jnp.asarray(self.lspot, float) / (2 * jnp.asarray(self.tau_spot))

    def Gamma(self, t: ArrayLike) -> Array:
        """Relative radius at time `t` [d]."""
        x, half = jnp.asarray(t, float) / self.tau_spot, self._half()
        ln_up, ln_down, ln_peak = (jax.nn.log_sigmoid(z) for z in (half + x, half - x, half))
        return jnp.exp(ln_up + ln_down - 2 * ln_peak)

    def edges(self) -> Array:
        """Beginning and end of the life [d] and times between."""
        reach = self.lspot / 2 + self.tau_spot * (LN_TAIL / 2 + np.log(4.0))
        return reach * jnp.linspace(-1.0, 1.0, _PARTS)

    def kernel_support(self) -> Any:
        """Lag [d] from which the covariance is below about 1e-8 of that at lag zero."""
        return self.lspot + self.tau_spot * (EXPONENTIAL_REACH / 2 + np.log(4.0))

    def lifetime(self) -> Any:
        """Full width at half maximum of the area [d]: ``2 tau arccosh(sqrt 2 + (sqrt 2 - 1) cosh(l/2 tau))``."""
        half, root = self._half(), 2**0.5
        q = jnp.exp(-half)
        cosh = root * q + (root - 1) * (1 + q * q) / 2  # over exp(half)
        return 2 * self.tau_spot * (half + jnp.log(cosh + jnp.sqrt(cosh**2 - q * q)))

    def Gamma_hat(self, omega: ArrayLike) -> Array:
        """Fourier transform of ``Gamma**2`` [d] at angular frequency `omega` [rad/d].

        With ``H = l/2 tau`` and ``w = omega tau``:
        ``2 tau coth^2(H/2) (pi w / sinh pi w) [coth H sin(H w)/w - cos(H w)]``, each factor without cancellation.
        """
        half, w = self._half(), jnp.asarray(omega, float) * self.tau_spot
        tiny = half < 1e-4
        h = jnp.where(tiny, 1.0, half)
        flat = jnp.where(tiny, 1 / 3 - half**2 / 45, (coth_moments(2 * h)[0] - 1) / h**2)
        j0, j1, _ = spherical_bessel(half * w)
        y = half * w
        j1_over = jnp.where(jnp.abs(y) < 1e-4, 1 / 3 - y**2 / 30, j1 / jnp.where(jnp.abs(y) < 1e-4, 1.0, y))
        ramps = 4 * coth_moments(half)[0] ** 2  # (H coth(H/2))^2
        return 2 * self.tau_spot * ramps * sinh_ratio(np.pi * w) * (flat * j0 + w**2 * j1_over)

    def R_Gamma(self, lag: ArrayLike) -> Array:
        """Autocorrelation of ``Gamma**2`` [d] at `lag` [d].

        The squared radius is ``coth^2(H/2) [coth H (s(x+H) - s(x-H)) - s'(x+H) - s'(x-H)]``, so with
        ``W(y) = (y/2) coth(y/2)`` and ``r = lag/tau``

            coth^4(H/2) tau { coth^2 H [W(r+2H) - 2 W(r) + W(r-2H)] - 2 coth H [W'(2H+r) + W'(2H-r)]
                              + W''(r+2H) + 2 W''(r) + W''(r-2H) }.

        For a plateau shorter than two ramps this cancels; there the trapezoid rule, exact to rounding for a function
        that is analytic in a strip, takes its place.
        """
        r, half = jnp.asarray(lag, float) / self.tau_spot, self._half()
        bell = half < _BELL
        h = jnp.where(bell, _BELL, half)
        (w_up, d_up, s_up), (w, _, s), (w_down, d_down, s_down) = (coth_moments(r + x) for x in (2 * h, 0.0, -2 * h))
        coth, coth_half = coth_moments(2 * h)[0] / h, 2 * coth_moments(h)[0] / h
        bracket = coth**2 * (w_up - 2 * w + w_down) - 2 * coth * (d_up - d_down) + s_up + 2 * s + s_down
        closed = self.tau_spot * coth_half**4 * bracket

        def with_short() -> Array:
            # In exponentials of node and shift the area needs no transcendental function of both.
            q = jnp.exp(-jnp.where(bell, half, 0.0))[..., None]
            shift = jnp.exp(jnp.clip(jnp.where(bell, r, 0.0), -_FAR, _FAR) / 2)[..., None]
            product = _bell_area(q, shift) * _bell_area(q, 1 / shift)
            return jnp.where(bell, self.tau_spot * jnp.sum(constant(_BELL_WEIGHTS) * product, axis=-1), closed)

        return jax.lax.cond(jnp.any(bell), with_short, lambda: closed)


def _bell_area(q: Array, shift: Array) -> Array:
    """Area of a logistic plateau at the nodes, shifted, with ``q = exp(-l/2 tau)`` and `shift` an exponential too."""
    e = shift * constant(_BELL_NODES)
    return ((1 + q) ** 2 / (1 + q * q + q * (e + 1 / e))) ** 2
