"""Parameters of a one-star fit in coordinates without bounds, and their prior.

A positive scale is uniform in its logarithm between its bounds, everything else uniform, but for an isotropic
inclination.  With ``u`` the fraction of the way between the bounds, in the logarithm for a scale, the free coordinate
is ``logit(u)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

_SPAN = 20.0
"""Default bounds of a scale: a factor of this to either side of the starting value."""
_BOUNDS = {"inc": (0.0, np.pi / 2), "kappa": (0.0, 0.9)}


class Box(NamedTuple):
    """Bounds of all parameters, each array of shape (p,).

    Attributes:
        low: lower bounds.
        high: upper bounds.
        scale: whether the parameter is a positive scale.
        isotropic: whether it is the inclination.
    """

    low: Any
    high: Any
    scale: Any
    isotropic: Any

    def values(self, u: Array) -> Array:
        """Parameters from the fractions of the way between the bounds."""
        low, high = (jnp.log(jnp.where(self.scale, x, 1.0)) for x in (self.low, self.high))
        linear = self.low + (self.high - self.low) * u
        return jnp.where(self.scale, jnp.exp(low + (high - low) * u), linear)

    def fractions(self, theta: Array) -> Array:
        """Fractions of the way between the bounds from parameters within them."""
        low, high, at = (jnp.log(jnp.where(self.scale, x, 1.0)) for x in (self.low, self.high, theta))
        width = jnp.where(self.scale, high - low, self.high - self.low)
        return jnp.where(self.scale, at - low, theta - self.low) / width

    def log_prior(self, theta: Array) -> Array:
        """Logarithm of the prior density of `theta`, up to a constant; minus infinity outside the bounds."""
        value = -jnp.sum(jnp.log(jnp.where(self.scale, theta, 1.0)))
        value += jnp.sum(jnp.log(jnp.sin(jnp.where(self.isotropic, theta, jnp.pi / 2))))
        inside = jnp.all((theta >= self.low) & (theta <= self.high))
        return jnp.where(inside, value, -jnp.inf)

    def log_density(self, free: Array) -> Array:
        """Logarithm of the prior density of the free coordinates, up to a constant."""
        theta = self.values(jax.nn.sigmoid(free))
        jacobian = jnp.sum(jax.nn.log_sigmoid(free) + jax.nn.log_sigmoid(-free))
        return jacobian + jnp.sum(jnp.log(jnp.sin(jnp.where(self.isotropic, theta, jnp.pi / 2))))


def make_box(term: Any, bounds: Mapping[str, tuple[float, float]]) -> tuple[Box, dict[str, tuple[float, float]]]:
    """The box of a term's parameters: given bounds, and wide ones about the starting values for the others.

    Raises:
        ValueError: a bound is of no parameter, is empty, or reaches beyond the parameter's own limits.
    """
    unknown = set(bounds) - set(term.param_dict)
    if unknown:
        raise ValueError(f"no such parameter: {', '.join(sorted(unknown))}; there are {', '.join(term.param_dict)}")
    limits = term.limits
    scale = {k: _is_scale(k, float(v), limits) for k, v in term.param_dict.items()}
    chosen = {k: bounds.get(k, _default(k, float(v), scale[k], limits)) for k, v in term.param_dict.items()}
    for key, (low, high) in chosen.items():
        if not low < high or (scale[key] and not low > 0):
            raise ValueError(f"bounds of {key} must rise{' from above 0' if scale[key] else ''}, got ({low}, {high})")
    low, high = np.array(list(chosen.values())).T
    isotropic = np.array([key.split("_")[-1] == "inc" for key in chosen])
    return Box(low, high, np.array(list(scale.values())), isotropic), chosen


def _is_scale(key: str, value: float, limits: Mapping[str, tuple[float, float]]) -> bool:
    if key.split("_")[-1] in _BOUNDS:
        return False
    return key not in limits or (limits[key] == (0.0, np.inf) and value > 0)


def _default(key: str, value: float, scale: bool, limits: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    own = _BOUNDS.get(key.split("_")[-1])
    if own is not None:
        return own
    if scale:
        return value / _SPAN, value * _SPAN
    low, high = limits[key]
    reach = _SPAN * max(abs(value), 1.0)
    return max(low, value - reach), min(high, value + reach)
