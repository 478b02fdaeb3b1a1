"""Envelopes whose radius rises and decays exponentially, with or without a plateau.

The times are e-folding times of the radius, so the area ``Gamma**2`` has half of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from spotcat.star.envelopes.base import EnvelopeBase
from spotcat.star.parameters import NOT_NEGATIVE
from spotcat.star.quadrature import EXPONENTIAL_REACH, LN_TAIL

_LN2 = 0.6931471805599453
_PARTS = 6
"""Intervals of a quadrature on each side of the plateau."""


def exponential_autocorrelation(lag: ArrayLike, plateau: ArrayLike, tau_em: ArrayLike, tau_dec: ArrayLike) -> Array:
    """Autocorrelation of the area ``exp(2 t/tau_em)``, 1 on a plateau, ``exp(-2 t/tau_dec)``.

    With rates ``a = 2/tau_em`` and ``b = 2/tau_dec``, ``p`` the plateau and ``m = max(lag - p, 0)`` it is the sum of

    * rise with rise and decay with decay: ``exp(-a lag)/2a + exp(-b lag)/2b``;
    * plateau with plateau: ``max(p - lag, 0)``;
    * rise with plateau and plateau with decay: ``(exp(-a m) - exp(-a lag))/a + (exp(-b m) - exp(-b lag))/b``;
    * rise with decay: ``(exp(-b m) - exp(-a m))/(a - b)``, written so that equal rates are no exception.

    Args:
        lag: time lag [d], any shape.
        plateau: duration of the plateau [d], not negative.
        tau_em: e-folding time of the rise [d].
        tau_dec: e-folding time of the decay [d].

    Returns:
        The autocorrelation [d]; ``plateau + (tau_em + tau_dec)/4`` at lag zero.
    """
    tau = jnp.abs(jnp.asarray(lag, float))
    a, b = 2 / jnp.asarray(tau_em), 2 / jnp.asarray(tau_dec)
    m = jnp.maximum(tau - plateau, 0.0)
    slow, difference = jnp.minimum(a, b), jnp.abs(a - b) * m
    safe = jnp.where(difference > 1e-8, difference, 1.0)
    ratio = jnp.where(difference > 1e-8, -jnp.expm1(-safe) / safe, 1 - difference / 2)
    one_kind = sum(jnp.exp(-r * tau) / (2 * r) + (jnp.exp(-r * m) - jnp.exp(-r * tau)) / r for r in (a, b))
    return jnp.asarray(one_kind + jnp.maximum(plateau - tau, 0.0) + jnp.exp(-slow * m) * m * ratio)


class TwoSidedEnvelope(EnvelopeBase):
    """Base of the envelopes that rise and decay; time zero is the middle of the plateau."""

    def shape(self) -> tuple[Any, Any, Any]:
        """Plateau, e-folding time of the rise, that of the decay [d]."""
        raise NotImplementedError

    def edges(self) -> Array:
        """Times [d] between which a Gauss rule integrates the area to rounding."""
        plateau, rise, decay = self.shape()
        steps = jnp.linspace(0.0, LN_TAIL / 2, _PARTS + 1)
        return jnp.concatenate([-plateau / 2 - rise * steps[::-1], plateau / 2 + decay * steps])

    def kernel_support(self) -> Any:
        """Lag [d] from which the covariance is below about 1e-8 of that at lag zero."""
        plateau, rise, decay = self.shape()
        return plateau + EXPONENTIAL_REACH / 2 * jnp.maximum(rise, decay)

    def lifetime(self) -> Any:
        """Full width at half maximum of the area [d]."""
        plateau, rise, decay = self.shape()
        return plateau + _LN2 / 2 * (rise + decay)

    def Gamma(self, t: ArrayLike) -> Array:
        """Relative radius at time `t` [d]."""
        plateau, rise, decay = self.shape()
        t = jnp.asarray(t, float)
        before, after = jnp.maximum(-t - plateau / 2, 0.0), jnp.maximum(t - plateau / 2, 0.0)
        return jnp.exp(-before / rise - after / decay)

    def Gamma_hat(self, omega: ArrayLike) -> Array:
        """Fourier transform of ``Gamma**2`` [d], complex, at angular frequency `omega` [rad/d]."""
        plateau, rise, decay = self.shape()
        w = jnp.asarray(omega, float)
        half = w * plateau / 2
        ramps = jnp.exp(1j * half) / (2 / rise - 1j * w) + jnp.exp(-1j * half) / (2 / decay + 1j * w)
        return ramps + plateau * jnp.sinc(half / jnp.pi)

    def R_Gamma(self, lag: ArrayLike) -> Array:
        """Autocorrelation of ``Gamma**2`` [d] at `lag` [d]."""
        return exponential_autocorrelation(lag, *self.shape())


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class ExponentialEnvelope(TwoSidedEnvelope):
    """Exponential rise and decay of the same time.

    Attributes:
        tau_spot: e-folding time of the radius [d].
    """

    tau_spot: Any

    def shape(self) -> tuple[Any, Any, Any]:
        """No plateau."""
        return 0.0, self.tau_spot, self.tau_spot

    def Gamma_hat(self, omega: ArrayLike) -> Array:
        """Fourier transform of ``Gamma**2`` [d], real, at angular frequency `omega` [rad/d]."""
        return self.tau_spot / (1 + (jnp.asarray(omega, float) * self.tau_spot / 2) ** 2)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class ExponentialAsymmetricEnvelope(TwoSidedEnvelope):
    """Exponential rise and decay, each with its own time.

    Attributes:
        tau_em: e-folding time of the rising radius [d].
        tau_dec: e-folding time of the decaying radius [d].
    """

    tau_em: Any
    tau_dec: Any

    def shape(self) -> tuple[Any, Any, Any]:
        """No plateau."""
        return 0.0, self.tau_em, self.tau_dec


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class ExponentialPlateauEnvelope(TwoSidedEnvelope):
    """Exponential rise, plateau, exponential decay.

    Attributes:
        lspot: plateau duration [d], not negative.
        tau_em: e-folding time of the rising radius [d].
        tau_dec: e-folding time of the decaying radius [d].
    """

    lspot: Any
    tau_em: Any
    tau_dec: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"lspot": NOT_NEGATIVE}

    def shape(self) -> tuple[Any, Any, Any]:
        """All three."""
        return self.lspot, self.tau_em, self.tau_dec


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class ExponentialOneSidedEnvelope(EnvelopeBase):
    """A spot that is there at once and decays exponentially; time zero is its birth.

    Attributes:
        tau_dec: e-folding time of the radius [d].
    """

    tau_dec: Any

    def edges(self) -> Array:
        """Times [d] between which a Gauss rule integrates the area to rounding."""
        return self.tau_dec * jnp.linspace(0.0, LN_TAIL / 2, _PARTS + 1)

    def lifetime(self) -> Any:
        """Time from birth to half the area [d]."""
        return _LN2 / 2 * self.tau_dec

    def Gamma(self, t: ArrayLike) -> Array:
        """Relative radius at time `t` [d] from birth."""
        t = jnp.asarray(t, float)
        return jnp.where(t >= 0, jnp.exp(-jnp.maximum(t, 0.0) / self.tau_dec), 0.0)

    def Gamma_hat(self, omega: ArrayLike) -> Array:
        """Fourier transform of ``Gamma**2`` [d], complex, at angular frequency `omega` [rad/d]."""
        return 1 / (2 / self.tau_dec + 1j * jnp.asarray(omega, float))

    def R_Gamma(self, lag: ArrayLike) -> Array:
        """Autocorrelation of ``Gamma**2`` [d] at `lag` [d]: ``tau_dec/4 exp(-2 lag/tau_dec)``."""
        return self.tau_dec / 4 * jnp.exp(-2 * jnp.abs(jnp.asarray(lag, float)) / self.tau_dec)
