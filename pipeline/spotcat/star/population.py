"""Spots that are not all alike: distributions of lifetimes and sizes, averaged over by quadrature.

A spot of relative lifetime ``f`` and relative peak area ``a`` has the area ``a Gamma^2(t/f)``, so a population has

    R(tau) = E[a^2 f R_Gamma(tau/f)],        power(omega) = E[a^2 f^2 |Gamma_hat(f omega)|^2].

Larger spots live longer: Gnevyshev (1938) and Waldmeier (1955) found area proportional to lifetime, ``a = f^gw`` with
``gw = 1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtr, ndtri
from jax.typing import ArrayLike

from spotcat.star.envelope import Envelope
from spotcat.star.parameters import Parameters
from spotcat.star.quadrature import constant

REACH = 4.0
"""Standard deviations at which a distribution is cut off."""
_X, _W = np.polynomial.legendre.leggauss(32)


class Scale(Protocol):
    """A distribution of a positive factor; every implementation is a pytree of its parameters."""

    @property
    def param_dict(self) -> dict[str, Any]:
        """Parameter names and values."""
        ...

    def with_params(self, params: Mapping[str, Any]) -> Scale:
        """The same distribution with other parameter values; those left out stay."""
        ...

    def nodes(self) -> tuple[Array, Array]:
        """Values and weights, which sum to 1, of a quadrature over the distribution."""
        ...

    def quantile(self, u: ArrayLike) -> Array:
        """Value below which a fraction `u` lies."""
        ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class FixedScale(Parameters):
    """The same factor for all spots; not a parameter."""

    def nodes(self) -> tuple[Array, Array]:
        """One."""
        return jnp.ones(1), jnp.ones(1)

    def quantile(self, u: ArrayLike) -> Array:
        """One."""
        return jnp.ones_like(jnp.asarray(u, float))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class UniformScale(Parameters):
    """A factor uniform between two values.

    Attributes:
        low: smallest value.
        high: largest value.
    """

    low: Any
    high: Any

    def nodes(self) -> tuple[Array, Array]:
        """A Gauss rule of 32 points."""
        return self.low + (jnp.asarray(self.high) - self.low) * constant(_X + 1) / 2, constant(_W) / 2

    def quantile(self, u: ArrayLike) -> Array:
        """Value below which a fraction `u` lies."""
        return self.low + (jnp.asarray(self.high) - self.low) * jnp.asarray(u, float)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class NormalScale(Parameters):
    """A factor normal about 1, cut off at four standard deviations and at zero.

    Attributes:
        sigma: standard deviation.
    """

    sigma: Any

    def nodes(self) -> tuple[Array, Array]:
        """A Gauss rule of 32 points."""
        z, w = _normal_nodes(self._low())
        return 1 + self.sigma * z, w

    def quantile(self, u: ArrayLike) -> Array:
        """Value below which a fraction `u` lies."""
        return 1 + self.sigma * _normal_quantile(u, self._low())

    def _low(self) -> Array:
        return jnp.maximum(-REACH, -(1 - 1e-6) / jnp.asarray(self.sigma))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class LogNormalScale(Parameters):
    """A factor log-normal about 1, cut off at four standard deviations.

    Attributes:
        sigma: standard deviation of its natural logarithm.
    """

    sigma: Any

    def nodes(self) -> tuple[Array, Array]:
        """A Gauss rule of 32 points."""
        z, w = _normal_nodes(jnp.asarray(-REACH))
        return jnp.exp(self.sigma * z), w

    def quantile(self, u: ArrayLike) -> Array:
        """Value below which a fraction `u` lies."""
        return jnp.exp(self.sigma * _normal_quantile(u, jnp.asarray(-REACH)))


def _normal_nodes(low: Array) -> tuple[Array, Array]:
    z = low + (REACH - low) * constant(_X + 1) / 2
    w = constant(_W) * jnp.exp(-(z**2) / 2)
    return z, w / w.sum()


def _normal_quantile(u: ArrayLike, low: Array) -> Array:
    below = ndtr(low)
    return ndtri(below + (ndtr(REACH) - below) * jnp.asarray(u, float))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class SpotPopulation:
    """An envelope whose time and size scales are distributed; itself an envelope.

    ``sigma_k`` is then that of the reference spot, ``f = a = 1``.  Parameters of the distributions are named
    ``life_...`` and ``area_...``.

    Attributes:
        envelope: the reference spot.
        lifetimes: distribution of the relative lifetime ``f``.
        areas: distribution of the relative area, apart from what follows from the lifetime.
        gw: exponent of the area with the lifetime; 1 after Gnevyshev and Waldmeier, 0 for independence.
    """

    envelope: Envelope
    lifetimes: Scale = field(default_factory=FixedScale)
    areas: Scale = field(default_factory=FixedScale)
    gw: Any = 0.0

    own_limits: ClassVar[Mapping[str, tuple[float, float]]] = {"gw": (0.0, 3.0)}

    @property
    def param_dict(self) -> dict[str, Any]:
        """Parameter names and values."""
        scales = {"life": self.lifetimes, "area": self.areas}
        named = {f"{kind}_{key}": v for kind, scale in scales.items() for key, v in scale.param_dict.items()}
        return {**self.envelope.param_dict, **named, "gw": self.gw}

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """(low, high) of the parameters that are no positive scales."""
        return {**self.envelope.limits, **self.own_limits}

    def with_params(self, params: Mapping[str, Any]) -> SpotPopulation:
        """The same population with other parameter values; those left out stay."""
        own = {key: params[key] for key in self.envelope.param_dict if key in params}
        life, area = (
            {key.removeprefix(kind): value for key, value in params.items() if key.startswith(kind)}
            for kind in ("life_", "area_")
        )
        return SpotPopulation(
            self.envelope.with_params(own),
            self.lifetimes.with_params(life),
            self.areas.with_params(area),
            params.get("gw", self.gw),
        )

    def Gamma(self, t: ArrayLike) -> Array:
        """Relative radius of the reference spot at time `t` [d]."""
        return self.envelope.Gamma(t)

    def R_Gamma(self, lag: ArrayLike) -> Array:
        """Mean autocorrelation of the relative area [d] at `lag` [d]."""
        lag = jnp.asarray(lag, float)
        return self._mean(lambda f: f * self.envelope.R_Gamma(lag / f), lag)

    def Gamma_hat_sq(self, omega: ArrayLike) -> Array:
        """Mean squared modulus of the area's Fourier transform [d^2] at angular frequency `omega` [rad/d]."""
        omega = jnp.asarray(omega, float)
        return self._mean(lambda f: f**2 * self.envelope.Gamma_hat_sq(omega * f), omega)

    def _mean(self, of_life: Any, x: Array) -> Array:
        life, share = self.lifetimes.nodes()
        area, part = self.areas.nodes()
        squared = jnp.sum(part * area**2)

        def add(total: Array, node: tuple[Array, Array]) -> tuple[Array, None]:
            f, w = node
            return total + w * f ** (2 * self.gw) * of_life(f), None

        return squared * jax.lax.scan(add, jnp.zeros_like(x), (life, share))[0]

    def edges(self) -> Array:
        """Times [d] between which the reference spot is smooth."""
        return self.envelope.edges()

    def span(self) -> tuple[Any, Any]:
        """Beginning and end of the longest life [d]."""
        start, end = self.envelope.span()
        longest = self.lifetimes.quantile(1.0)
        return start * longest, end * longest

    def kernel_support(self) -> Any:
        """Lag [d] from which the covariance is zero or negligible: that of the longest life."""
        return self.envelope.kernel_support() * self.lifetimes.quantile(1.0)

    def lifetime(self) -> Any:
        """Full width at half maximum of the reference spot's area [d]."""
        return self.envelope.lifetime()

    def draw(self, u: ArrayLike, v: ArrayLike) -> tuple[Array, Array]:
        """Relative lifetimes and areas from uniform numbers."""
        life = self.lifetimes.quantile(u)
        return life, self.areas.quantile(v) * life**self.gw

    def __repr__(self) -> str:
        return f"SpotPopulation({self.envelope}, lifetimes={self.lifetimes}, areas={self.areas}, gw={self.gw})"


def gnevyshev_waldmeier(envelope: Envelope, sigma: Any) -> SpotPopulation:
    """Spots with log-normal lifetimes, of width `sigma` in ln, and areas proportional to them."""
    return SpotPopulation(envelope, LogNormalScale(sigma), FixedScale(), 1.0)
