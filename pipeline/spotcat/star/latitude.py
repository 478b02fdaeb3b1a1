"""Where spots emerge, and how to average over it: quadrature in latitude.

As a function of latitude the covariance is smooth but for square-root singularities at ``|phi| = inc``, where a spot
becomes circumpolar.  The substitution ``phi = inc sin(u)`` removes them, and a composite Gauss rule on each side then
converges fast.  Rotation is even in latitude, so nodes are kept for ``phi >= 0`` alone and the two hemispheres are
added at each.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.star.laws import LatitudeLaw, UniformLatitude

PANEL = 16
"""Gauss points in one panel of the composite rule."""

_X, _W = np.polynomial.legendre.leggauss(PANEL)


class LatitudeNodes(NamedTuple):
    """Nodes in ``(0, pi/2)`` [rad] with weights that sum to 1/2: one hemisphere's share of the average."""

    phi: Array
    weight: Array


def unit_rule(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Composite Gauss rule on (0, 1) with `n` nodes, a multiple of ``PANEL``.

    Returns:
        Nodes and weights, each of shape (n,).
    """
    panels = n // PANEL
    left = np.arange(panels)[:, None]
    return ((left + (_X + 1) / 2) / panels).ravel(), np.tile(_W / 2 / panels, panels)


def uniform_nodes(inc: ArrayLike, n: int) -> LatitudeNodes:
    """Quadrature for spots uniform in latitude on a star of inclination `inc` [rad].

    Args:
        inc: inclination [rad], scalar in [0, pi/2]; an angle below 1e-3 rad counts as 1e-3 for the placing of nodes
        only.
        n: number of nodes, a multiple of 32: half of them below the circumpolar latitude, half above.

    Returns:
        Nodes and weights of shape (n,); differentiable in `inc`.

    Raises:
        ValueError: `n` is not a positive multiple of 32.
    """
    if n <= 0 or n % (2 * PANEL):
        raise ValueError(f"the number of latitude nodes must be a multiple of {2 * PANEL}, got {n}")
    edge = jnp.clip(jnp.asarray(inc), 1e-3, jnp.pi / 2)
    x, w = unit_rule(n // 2)
    u = x * (np.pi / 2)
    low = edge * jnp.sin(u), edge * np.pi / 2 * jnp.cos(u) * w
    high = edge + (jnp.pi / 2 - edge) * x, (jnp.pi / 2 - edge) * w
    return LatitudeNodes(jnp.concatenate([low[0], high[0]]), jnp.concatenate([low[1], high[1]]) / jnp.pi)


class Hemispheres(NamedTuple):
    """Nodes in ``[0, pi/2]`` [rad] with the weight of spots there and of spots as far south; all weights sum to 1."""

    phi: Array
    north: Array
    south: Array


def latitude_nodes(law: LatitudeLaw, inc: ArrayLike, n: int) -> Hemispheres:
    """Quadrature for spots of a law of latitudes on a star of inclination `inc` [rad].

    Each interval of the law is cut at the circumpolar latitude, and the substitution ``edge - (edge - low) s^2`` below
    it removes the square root there.

    Args:
        law: density of spots in latitude.
        inc: inclination [rad].
        n: nodes per interval, a multiple of 32.

    Raises:
        ValueError: `n` is not a positive multiple of 32.
    """
    if isinstance(law, UniformLatitude):
        phi, weight = uniform_nodes(inc, n)
        return Hemispheres(phi, weight, weight)
    if n <= 0 or n % (2 * PANEL):
        raise ValueError(f"the number of latitude nodes must be a multiple of {2 * PANEL}, got {n}")
    edges = law.edges()
    low, high = edges[:-1, None], edges[1:, None]
    cut = jnp.clip(jnp.asarray(inc), low, high)
    x, w = unit_rule(n // 2)
    below = cut - (cut - low) * (1 - x) ** 2, 2 * (cut - low) * (1 - x) * w
    above = cut + (high - cut) * x, (high - cut) * w
    phi, weight = (jnp.concatenate([a, b], axis=1).ravel() for a, b in zip(below, above, strict=True))
    north, south = weight * law.density(phi), weight * law.density(-phi)
    total = jnp.sum(north + south)
    return Hemispheres(phi, north / total, south / total)
