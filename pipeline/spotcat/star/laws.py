"""Laws of latitude: where on a star spots emerge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtr, ndtri
from jax.typing import ArrayLike

from spotcat.star.parameters import OwnParameters, Parameters
from spotcat.star.quadrature import gauss_nodes

QUADRANT = (0.0, np.pi / 2)

_TABLE = 3201


@runtime_checkable
class LatitudeLaw(Protocol):
    """The density of spots in latitude; every implementation is a pytree of its parameters."""

    @property
    def param_dict(self) -> dict[str, Any]:
        """Parameter names and values."""
        ...

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """(low, high) of the parameters that are no positive scales."""
        ...

    def with_params(self, params: Mapping[str, Any]) -> LatitudeLaw:
        """The same law with other parameter values; those left out stay."""
        ...

    def edges(self) -> Array:
        """Sorted distances from the equator [rad], in [0, pi/2], between which the density is smooth, zero outside."""
        ...

    def density(self, phi: ArrayLike) -> Array:
        """Probability density [rad^-1] at latitude `phi` [rad]."""
        ...

    def quantile(self, u: ArrayLike) -> Array:
        """Latitude [rad] below which a fraction `u` of the spots emerges."""
        ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class UniformLatitude(Parameters):
    """Uniform in latitude from pole to pole, the default: ``p = 1/pi``."""

    def edges(self) -> Array:
        """Equator and pole."""
        return jnp.array([0.0, jnp.pi / 2])

    def density(self, phi: ArrayLike) -> Array:
        """Probability density [rad^-1] at latitude `phi` [rad]."""
        return jnp.full_like(jnp.asarray(phi, float), 1 / jnp.pi)

    def quantile(self, u: ArrayLike) -> Array:
        """Latitude [rad] below which a fraction `u` of the spots emerges."""
        return jnp.pi * (jnp.asarray(u, float) - 0.5)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class UniformAreaLatitude(Parameters):
    """Uniform on the sphere: ``p = cos(phi)/2``."""

    def edges(self) -> Array:
        """Equator and pole."""
        return jnp.array([0.0, jnp.pi / 2])

    def density(self, phi: ArrayLike) -> Array:
        """Probability density [rad^-1] at latitude `phi` [rad]."""
        return jnp.cos(jnp.asarray(phi, float)) / 2

    def quantile(self, u: ArrayLike) -> Array:
        """Latitude [rad] below which a fraction `u` of the spots emerges."""
        return jnp.arcsin(2 * jnp.asarray(u, float) - 1)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class HemisphericBands(Parameters):
    """Uniform in two bands, ``lat_min < |phi| < lat_max``.

    Attributes:
        lat_min: their edge towards the equator [rad].
        lat_max: their edge towards the pole [rad], above `lat_min`.
    """

    lat_min: Any
    lat_max: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = dict.fromkeys(("lat_min", "lat_max"), QUADRANT)

    def edges(self) -> Array:
        """Both edges."""
        return jnp.stack([jnp.asarray(x, float) for x in (self.lat_min, self.lat_max)])

    def density(self, phi: ArrayLike) -> Array:
        """Probability density [rad^-1] at latitude `phi` [rad]."""
        far = jnp.abs(jnp.asarray(phi, float))
        inside = (far >= self.lat_min) & (far <= self.lat_max)
        return jnp.where(inside, 0.5 / (jnp.asarray(self.lat_max) - self.lat_min), 0.0)

    def quantile(self, u: ArrayLike) -> Array:
        """Latitude [rad] below which a fraction `u` of the spots emerges."""
        v = 2 * jnp.asarray(u, float) - 1
        return jnp.sign(v) * (self.lat_min + (self.lat_max - self.lat_min) * jnp.abs(v))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class GaussianBelts(Parameters):
    """Two active belts, one in each hemisphere, with Gaussian profiles cut off at equator and pole.

    Attributes:
        lat_mean: their distance from the equator [rad].
        lat_sigma: their width [rad].
    """

    lat_mean: Any
    lat_sigma: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"lat_mean": QUADRANT}

    def edges(self) -> Array:
        """The middle, and three and six widths to either side, within the hemisphere."""
        reach = jnp.array([-6.0, -3.0, 0.0, 3.0, 6.0])
        return jnp.clip(self.lat_mean + self.lat_sigma * reach, 0.0, jnp.pi / 2)

    def _cut(self) -> tuple[Array, Array]:
        ends = jnp.array([0.0, jnp.pi / 2])
        below, above = ndtr((ends - self.lat_mean) / self.lat_sigma)
        return below, above - below

    def density(self, phi: ArrayLike) -> Array:
        """Probability density [rad^-1] at latitude `phi` [rad]."""
        z = (jnp.abs(jnp.asarray(phi, float)) - self.lat_mean) / self.lat_sigma
        return jnp.exp(-(z**2) / 2) / (2 * jnp.sqrt(2 * jnp.pi) * self.lat_sigma * self._cut()[1])

    def quantile(self, u: ArrayLike) -> Array:
        """Latitude [rad] below which a fraction `u` of the spots emerges."""
        v = 2 * jnp.asarray(u, float) - 1
        below, share = self._cut()
        return jnp.sign(v) * (self.lat_mean + self.lat_sigma * ndtri(below + share * jnp.abs(v)))


@partial(jax.tree_util.register_dataclass, data_fields=["params"], meta_fields=["profile", "breaks", "param_limits"])
@dataclass(frozen=True, repr=False)
class CustomLatitude(OwnParameters):
    """A law of the user's own.

    Attributes:
        profile: ``profile(phi, **params)``, proportional to the density at latitudes `phi` [rad], of either sign; made
            of ``jax.numpy``.
        params: its parameters by name.
        breaks: sorted distances from the equator [rad] between which the profile is smooth; zero outside.
        param_limits: (low, high) of the parameters that are no positive scales.
    """

    profile: Callable[..., Array]
    params: dict[str, Any] = field(default_factory=dict)
    breaks: tuple[float, ...] = (0.0, np.pi / 2)
    param_limits: tuple[tuple[str, tuple[float, float]], ...] = ()

    def edges(self) -> Array:
        """The breaks."""
        return jnp.asarray(self.breaks, float)

    def _raw(self, phi: ArrayLike) -> Array:
        phi = jnp.asarray(phi, float)
        far = jnp.abs(phi)
        inside = (far >= self.breaks[0]) & (far <= self.breaks[-1])
        return jnp.where(inside, self.profile(phi, **self.params), 0.0)

    def density(self, phi: ArrayLike) -> Array:
        """Probability density [rad^-1] at latitude `phi` [rad]."""
        edges = self.edges()
        x, w = gauss_nodes(jnp.sort(jnp.concatenate([edges, jnp.linspace(edges[0], edges[-1], 17)])))
        return self._raw(phi) / jnp.sum(w * (self._raw(x) + self._raw(-x)))

    def quantile(self, u: ArrayLike) -> Array:
        """Latitude [rad] below which a fraction `u` of the spots emerges, from a table of a thousandth of a radian."""
        grid = jnp.linspace(-jnp.pi / 2, jnp.pi / 2, _TABLE)
        middle = (grid[1:] + grid[:-1]) / 2
        below = jnp.concatenate([jnp.zeros(1), jnp.cumsum(self.density(middle))])
        return jnp.interp(jnp.asarray(u, float), below / below[-1], grid)
