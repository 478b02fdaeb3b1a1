"""Envelopes whose radius is piecewise linear: trapezoids of every kind, alone or in sequence.

The area ``Gamma**2`` is then piecewise quadratic, and one closed form serves all of them: where two pieces overlap,
their product is a quartic, which three Gauss points integrate exactly.  All terms are positive, so nothing cancels,
which the equivalent sum of truncated powers cannot say (it loses ten digits where a ramp is short beside a plateau).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from spotcat.star.envelopes.base import EnvelopeBase
from spotcat.star.parameters import NOT_NEGATIVE
from spotcat.star.special import spherical_bessel

_X, _W = np.polynomial.legendre.leggauss(3)
_HALF = 0.5**0.5
"""Radius at which the area is half its peak."""


class Pieces(NamedTuple):
    """Linear pieces of a radius in order of time; every array has shape (n,).

    Attributes:
        left: where the piece begins [d].
        right: where it ends [d]; not before `left`.
        first: radius at its beginning.
        last: radius at its end.
    """

    left: Array
    right: Array
    first: Array
    last: Array


def trapezoids(*shapes: tuple[Any, Any, Any, Any]) -> Pieces:
    """Pieces of trapezoids that follow each other.

    Args:
        shapes: of each, the beginning of its rise, the duration of rise, plateau and decay [d].
    """
    left, right = [], []
    for start, rise, plateau, decay in shapes:
        left += [start, start + rise, start + rise + plateau]
        right += [start + rise, start + rise + plateau, start + rise + plateau + decay]
    heights = np.tile(np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]), (len(shapes), 1))
    ends = (jnp.stack([jnp.asarray(x, float) for x in side]) for side in (left, right))
    return Pieces(*ends, *(jnp.asarray(h) for h in heights.T))


def piecewise_radius(t: ArrayLike, pieces: Pieces) -> Array:
    """The radius at time `t` [d], any shape; zero outside the pieces."""
    t = jnp.asarray(t, float)[..., None]
    inside = (t >= pieces.left) & (t < pieces.right)
    return jnp.sum(jnp.where(inside, _line(t, pieces), 0.0), axis=-1)


def piecewise_autocorrelation(lag: ArrayLike, pieces: Pieces) -> Array:
    """Autocorrelation of the squared radius.

    Args:
        lag: time lag [d], any shape.
        pieces: of the radius.

    Returns:
        The autocorrelation [d], in the shape of `lag`; piecewise quintic, and zero beyond the pieces' whole length.
    """
    tau = jnp.abs(jnp.asarray(lag, float))[..., None, None]
    one, two = (jax.tree.map(lambda a, i=i: jnp.expand_dims(a, i), pieces) for i in (1, 0))
    low, high = jnp.maximum(one.left, two.left - tau), jnp.minimum(one.right, two.right - tau)
    middle, half = (low + high) / 2, jnp.maximum(high - low, 0.0) / 2
    total = jnp.zeros_like(half)
    for x, w in zip(_X, _W, strict=True):
        t = middle + half * x
        total += w * _line(t, one) ** 2 * _line(t + tau, two) ** 2
    return jnp.sum(total * half, axis=(-2, -1))


def piecewise_transform(omega: ArrayLike, pieces: Pieces) -> Array:
    """Fourier transform ``int Gamma^2 exp(-i omega t) dt`` of the squared radius.

    On a piece with middle ``c``, half-width ``h`` and radius ``m + d s`` at ``t = c + h s``, and with the spherical
    Bessel functions of ``omega h``, it is
    ``h exp(-i omega c) [2 m^2 j_0 - 4 i m d j_1 + 2 d^2 (j_0 - 2 j_2)/3]`` (plane waves in Legendre polynomials).

    Args:
        omega: angular frequency [rad/d], any shape.
        pieces: of the radius.

    Returns:
        Complex [d], in the shape of `omega`.
    """
    w = jnp.asarray(omega, float)[..., None]
    c, h = (pieces.left + pieces.right) / 2, (pieces.right - pieces.left) / 2
    m, d = (pieces.first + pieces.last) / 2, (pieces.last - pieces.first) / 2
    j0, j1, j2 = spherical_bessel(w * h)
    moments = 2 * m**2 * j0 - 4j * m * d * j1 + 2 * d**2 * (j0 - 2 * j2) / 3
    return jnp.sum(h * jnp.exp(-1j * w * c) * moments, axis=-1)


def _line(t: Array, pieces: Pieces) -> Array:
    width = pieces.right - pieces.left
    share = (t - pieces.left) / jnp.where(width > 0, width, 1.0)
    return pieces.first + (pieces.last - pieces.first) * share


class PiecewiseEnvelope(EnvelopeBase):
    """Base of the envelopes with a piecewise linear radius."""

    def pieces(self) -> Pieces:
        """The linear pieces of the radius."""
        raise NotImplementedError

    def edges(self) -> Array:
        """Times of the kinks [d], sorted."""
        pieces = self.pieces()
        return jnp.sort(jnp.concatenate([pieces.left, pieces.right]))

    def kernel_support(self) -> Any:
        """Lag [d] from which the covariance is zero: the spot's whole life."""
        pieces = self.pieces()
        return pieces.right[-1] - pieces.left[0]

    def lifetime(self) -> Any:
        """Full width at half maximum of the area, from the first rise to the last decay [d]."""
        p = self.pieces()
        ramps = p.right[0] - p.left[0] + p.right[-1] - p.left[-1]
        return self.kernel_support() - _HALF * ramps

    def Gamma(self, t: ArrayLike) -> Array:
        """Relative radius at time `t` [d]."""
        return piecewise_radius(t, self.pieces())

    def Gamma_hat(self, omega: ArrayLike) -> Array:
        """Fourier transform of ``Gamma**2`` [d], complex, at angular frequency `omega` [rad/d]."""
        return piecewise_transform(omega, self.pieces())

    def R_Gamma(self, lag: ArrayLike) -> Array:
        """Autocorrelation of ``Gamma**2`` [d] at `lag` [d]."""
        return piecewise_autocorrelation(lag, self.pieces())


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class TrapezoidAsymmetricEnvelope(PiecewiseEnvelope):
    """Linear rise, plateau, linear decay; time zero is the middle of the plateau.

    Attributes:
        lspot: plateau duration [d], not negative.
        tau_em: rise time [d].
        tau_dec: decay time [d].
    """

    lspot: Any
    tau_em: Any
    tau_dec: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"lspot": NOT_NEGATIVE}

    def pieces(self) -> Pieces:
        """Rise, plateau and decay."""
        return trapezoids((-self.lspot / 2 - self.tau_em, self.tau_em, self.lspot, self.tau_dec))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class DoubleTrapezoidEnvelope(PiecewiseEnvelope):
    """Two equal trapezoids: an active longitude that brings forth spots twice; time zero is the middle of the gap.

    Attributes:
        lspot: plateau duration of each [d], not negative.
        tau_spot: rise and decay time of each [d].
        t_gap: from the end of the first to the beginning of the second [d], not negative.
    """

    lspot: Any
    tau_spot: Any
    t_gap: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {"lspot": NOT_NEGATIVE, "t_gap": NOT_NEGATIVE}

    def pieces(self) -> Pieces:
        """Three of each trapezoid."""
        life = self.lspot + 2 * self.tau_spot
        shape = (self.tau_spot, self.lspot, self.tau_spot)
        return trapezoids((-self.t_gap / 2 - life, *shape), (self.t_gap / 2, *shape))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class DoubleTrapezoidAsymmetricEnvelope(PiecewiseEnvelope):
    """Two trapezoids of their own shapes; time zero is the middle of the gap.

    Attributes:
        lspot1: plateau duration of the first [d], not negative.
        tau_spot1: rise and decay time of the first [d].
        lspot2: plateau duration of the second [d], not negative.
        tau_spot2: rise and decay time of the second [d].
        t_gap: from the end of the first to the beginning of the second [d], not negative.
    """

    lspot1: Any
    tau_spot1: Any
    lspot2: Any
    tau_spot2: Any
    t_gap: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = dict.fromkeys(("lspot1", "lspot2", "t_gap"), NOT_NEGATIVE)

    def pieces(self) -> Pieces:
        """Three of each trapezoid."""
        first = (self.tau_spot1, self.lspot1, self.tau_spot1)
        second = (self.tau_spot2, self.lspot2, self.tau_spot2)
        return trapezoids((-self.t_gap / 2 - sum(first), *first), (self.t_gap / 2, *second))


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class TripleTrapezoidEnvelope(PiecewiseEnvelope):
    """Three trapezoids of their own shapes; time zero is the beginning of the second.

    Attributes:
        lspot1, lspot2, lspot3: plateau durations [d], not negative.
        tau_spot1, tau_spot2, tau_spot3: rise and decay times [d].
        t_gap12, t_gap23: from the end of one to the beginning of the next [d], not negative.
    """

    lspot1: Any
    tau_spot1: Any
    lspot2: Any
    tau_spot2: Any
    lspot3: Any
    tau_spot3: Any
    t_gap12: Any
    t_gap23: Any

    limits: ClassVar[Mapping[str, tuple[float, float]]] = dict.fromkeys(
        ("lspot1", "lspot2", "lspot3", "t_gap12", "t_gap23"), NOT_NEGATIVE
    )

    def pieces(self) -> Pieces:
        """Three of each trapezoid."""
        first = (self.tau_spot1, self.lspot1, self.tau_spot1)
        second = (self.tau_spot2, self.lspot2, self.tau_spot2)
        third = (self.tau_spot3, self.lspot3, self.tau_spot3)
        return trapezoids((-self.t_gap12 - sum(first), *first), (0.0, *second), (sum(second) + self.t_gap23, *third))
