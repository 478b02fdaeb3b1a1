"""How one spot grows, lives and decays: the envelope ``Gamma`` of its angular radius.

The flux deficit of a spot follows its area, so the covariance needs ``Gamma**2``: its Fourier transform
``Gamma_hat`` and its autocorrelation ``R_Gamma``.  The array functions are pure and work in the precision of
their input; an envelope object is a pytree around them, so it can pass through ``jit``, ``grad`` and ``vmap``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.star.envelopes.base import EnvelopeBase
from spotcat.star.parameters import NOT_NEGATIVE

_SERIES_NODES, _SERIES_WEIGHTS = (np.asarray(a) for a in np.polynomial.legendre.leggauss(8))


@runtime_checkable
class Envelope(Protocol):
    """What a spot model needs of an envelope; every implementation is a pytree of its parameters."""

    @property
    def param_dict(self) -> dict[str, Any]:
        """Parameter names and values, in the order of the model's key list."""
        ...

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """(low, high) of the parameters that are no positive scales."""
        ...

    def with_params(self, params: Mapping[str, Any]) -> Envelope:
        """The same envelope with other parameter values; those left out stay."""
        ...

    def Gamma(self, t: ArrayLike) -> Array:
        """Radius relative to its peak at time `t` [d]."""
        ...

    def R_Gamma(self, lag: ArrayLike) -> Array:
        """Autocorrelation of ``Gamma**2`` [d] at `lag` [d]."""
        ...

    def at_zero(self) -> Any:
        """``R_Gamma`` at lag zero [d]."""
        ...

    def Gamma_hat_sq(self, omega: ArrayLike) -> Array:
        """Fourier transform of ``R_Gamma`` [d^2] at angular frequency `omega` [rad/d]."""
        ...

    def edges(self) -> Array:
        """Sorted times [d] between which ``Gamma`` is smooth, from the beginning of the spot's life to its end."""
        ...

    def span(self) -> tuple[Any, Any]:
        """Beginning and end of the spot's life [d]."""
        ...

    def kernel_support(self) -> Any:
        """Lag [d] from which ``R_Gamma`` is zero or negligible."""
        ...

    def lifetime(self) -> Any:
        """Full width at half maximum of ``Gamma**2`` [d]."""
        ...


def trapezoid(t: ArrayLike, lspot: ArrayLike, tau_spot: ArrayLike) -> Array:
    """Symmetric trapezoid: linear rise over `tau_spot`, plateau of `lspot`, linear decay.

    Args:
        t: time from the middle of the plateau [d], any shape.
        lspot: plateau duration [d], not negative.
        tau_spot: rise and decay time [d], positive.

    Returns:
        Relative radius in [0, 1], the broadcast shape of the arguments.
    """
    rise = (jnp.asarray(lspot) / 2 + tau_spot - jnp.abs(jnp.asarray(t))) / tau_spot
    return jnp.clip(rise, 0.0, 1.0)


def trapezoid_transform(omega: ArrayLike, lspot: ArrayLike, tau_spot: ArrayLike) -> Array:
    """Fourier transform of the squared trapezoid.

    ``4 (z cos(l w/2) + sin(l w/2) - sin(l w/2 + z)) / (w z^2)`` with ``z = w tau``; as ``z`` goes to zero this loses
    all digits, so the ramps are then integrated by an eight-point Gauss rule, exact to rounding for z < 1.

    Args:
        omega: angular frequency [rad/d], any shape.
        lspot: plateau duration [d].
        tau_spot: rise and decay time [d].

    Returns:
        The transform [d]; ``lspot + 2 tau_spot / 3`` at zero frequency.
    """
    omega, lspot, tau_spot = jnp.broadcast_arrays(*(jnp.asarray(a, float) for a in (omega, lspot, tau_spot)))
    half, z = omega * lspot / 2, omega * tau_spot
    small = jnp.abs(z) < 1.0

    w = jnp.where(small, 1.0, omega)
    zw = w * tau_spot
    closed = 4 * (zw * jnp.cos(half) + jnp.sin(half) - jnp.sin(half + zw)) / (w * zw**2)

    s = (_SERIES_NODES + 1) / 2
    phase = half[..., None] + jnp.where(small, z, 0.0)[..., None] * (1 - s)
    ramps = tau_spot * jnp.sum(_SERIES_WEIGHTS * s**2 * jnp.cos(phase), axis=-1)
    return jnp.where(small, lspot * jnp.sinc(half / jnp.pi) + ramps, closed)


def trapezoid_autocorrelation(lag: ArrayLike, lspot: ArrayLike, tau_spot: ArrayLike) -> Array:
    """Autocorrelation of the squared trapezoid, ``R(lag) = int Gamma^2(t) Gamma^2(t + lag) dt``.

    In units of `tau_spot` (``r = |lag| / tau``, ``q = lspot / tau``) the product of the three pieces of the
    trapezoid with their shifted copies leaves four overlaps, each a polynomial without cancellation between large
    terms:

    * rise with rise, and decay with decay: ``u^5/5 + r u^4/2 + r^2 u^3/3``, ``u = max(1 - r, 0)``, twice;
    * rise with plateau, and plateau with decay: ``(b^3 - a^3)/3`` over the overlap ``[a, b]``, twice;
    * plateau with plateau: ``max(q - r, 0)``;
    * rise with decay: ``int s^2 (m - s)^2 ds``, ``m = 2 + q - r``.

    Valid for every ``lspot >= 0`` and ``tau_spot > 0``; compact support ``lspot + 2 tau_spot``.

    Args:
        lag: time lag [d], any shape.
        lspot: plateau duration [d].
        tau_spot: rise and decay time [d].

    Returns:
        The autocorrelation [d]; ``lspot + 2 tau_spot / 5`` at lag zero.
    """
    r, q = jnp.abs(jnp.asarray(lag)) / tau_spot, jnp.asarray(lspot) / tau_spot
    # Where a lag meets a kink the terms must see the same tie: one difference for all, and maximum and minimum, which
    # share the slope at a tie evenly.
    d = q - r
    u = jnp.maximum(1 - r, 0.0)
    rise_rise = u**3 * (u**2 / 5 + r * u / 2 + r**2 / 3)

    b = jnp.minimum(jnp.maximum(1 + d, 0.0), 1.0)
    rise_plateau = (b - u) * (b * b + u * b + u * u) / 3

    plateau = jnp.maximum(d, 0.0)

    m = jnp.minimum(jnp.maximum(2 + d, 0.0), 2.0)
    low, high = jnp.maximum(m - 1, 0.0), jnp.minimum(m, 1.0)
    c, h = m / 2, (high - low) / 2
    rise_decay = 2 * h * (c**4 - 2 * (c * h) ** 2 / 3 + h**4 / 5)

    return jnp.asarray(tau_spot * (2 * rise_rise + 2 * rise_plateau + plateau + rise_decay))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class TrapezoidSymmetricEnvelope(EnvelopeBase):
    """Symmetric trapezoid: linear rise over `tau_spot`, plateau of `lspot`, linear decay.

    Attributes:
        lspot: plateau duration [d], not negative.
        tau_spot: rise and decay time [d], positive.

    Raises:
        ValueError: a number out of range (tracers are not checked).
    """

    lspot: Any
    tau_spot: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"lspot": NOT_NEGATIVE}

    def edges(self) -> Array:
        """Times of the kinks [d]."""
        half, tau = self.lspot / 2, self.tau_spot
        return jnp.stack([jnp.asarray(t, float) for t in (-half - tau, -half, half, half + tau)])

    def kernel_support(self) -> Any:
        """Lag [d] from which the covariance is zero: the spot's whole life."""
        return self.lspot + 2 * self.tau_spot

    def lifetime(self) -> Any:
        """Full width at half maximum of the spot's area, ``Gamma**2`` [d]."""
        return self.lspot + 2 * self.tau_spot * (1 - 0.5**0.5)

    def at_zero(self) -> Any:
        """``R_Gamma`` at lag zero [d]."""
        return self.lspot + 2 * self.tau_spot / 5

    def Gamma(self, t: ArrayLike) -> Array:
        """Relative radius at time `t` [d] from the middle of the plateau."""
        return trapezoid(t, self.lspot, self.tau_spot)

    def Gamma_hat(self, omega: ArrayLike) -> Array:
        """Fourier transform of ``Gamma**2`` [d] at angular frequency `omega` [rad/d]."""
        return trapezoid_transform(omega, self.lspot, self.tau_spot)

    def R_Gamma(self, lag: ArrayLike) -> Array:
        """Autocorrelation of ``Gamma**2`` [d] at `lag` [d]."""
        return trapezoid_autocorrelation(lag, self.lspot, self.tau_spot)
