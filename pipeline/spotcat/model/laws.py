"""The laws of spots that a survey's fit may choose by name, in the form in which the fit asks for them.

A fit knows two times of a spot, `plateau` and `decay`, whose logarithms are two of its coordinates.  An entry here says
what an envelope makes of them; envelopes with one time leave the plateau to its prior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.config import Spots
from spotcat.star.envelope import Envelope, TrapezoidSymmetricEnvelope
from spotcat.star.envelopes.exponential import (
    ExponentialEnvelope,
    ExponentialOneSidedEnvelope,
    ExponentialPlateauEnvelope,
)
from spotcat.star.envelopes.smooth import LogisticPlateauEnvelope, SkewedGaussianEnvelope
from spotcat.star.laws import GaussianBelts, HemisphericBands, LatitudeLaw, UniformAreaLatitude, UniformLatitude
from spotcat.star.limb import FacularVisibility, LimbDarkenedVisibility
from spotcat.star.visibility import VisibilityFunction

PLATEAU = 0.7
"""Fraction of a search template's lifetime spent on the plateau."""
REACH = 1.25
"""Lag at which an envelope without end is cut off, in units of its support.

At the support the autocorrelation is 1e-8 of its value at lag zero, which the log-likelihood of a precise star may
notice at 1e-5; here it is 1e-10 at most."""

_RAMP = 2 * (1 - 0.5**0.5)
"""Full width at half maximum that a trapezoid's two ramps add, in units of one of them."""


@dataclass(frozen=True)
class SurveyEnvelope:
    """An envelope with a plateau and a time of rise and decay, as a survey fits it.

    Times [d] are scalars or arrays that broadcast.

    Attributes:
        make: the envelope of a plateau and a decay [d].
    """

    make: Callable[[Any, Any], Envelope]

    def autocorrelation(self, lag: Any, plateau: Any, decay: Any) -> Array:
        """``R_Gamma`` [d] at `lag` [d], zero from `reach` on."""
        inside = jnp.abs(jnp.asarray(lag)) < self.reach(plateau, decay)
        return jnp.where(inside, self.make(plateau, decay).R_Gamma(lag), 0.0)

    def at_zero(self, plateau: Any, decay: Any) -> Any:
        """``R_Gamma`` at lag zero [d]."""
        return self.make(plateau, decay).at_zero()

    def support(self, plateau: Any, decay: Any) -> Any:
        """Lag [d] from which ``R_Gamma`` is zero or negligible."""
        return self.make(plateau, decay).kernel_support()

    def reach(self, plateau: Any, decay: Any) -> Any:
        """Lag [d] from which the fitted covariance is zero."""
        return REACH * self.support(plateau, decay)

    def lifetime(self, plateau: Any, decay: Any) -> Any:
        """Full width at half maximum of the area [d]."""
        return self.make(plateau, decay).lifetime()

    def full_size(self, plateau: Any) -> Any:
        """The time that a spot spends at its full size [d]."""
        return plateau

    def prior_life(self, plateau: Any, decay: Any) -> Any:
        """What the prior on the lifetime, in rotations, is on [d]."""
        return self.lifetime(plateau, decay)

    def split(self, life: Any, share: Any) -> tuple[Any, Any]:
        """Plateau and decay [d] of a lifetime [d] and the plateau's share of it.

        A share ``s`` stands for the ratio ``s / (1 - s)`` of the plateau to the lifetime without one: where lifetimes
        are a sum of plateau and ramps, for the plateau's share of it.
        """
        ratio = share / (1 - share) * self.lifetime(0.0, 1.0)
        decay = life / self.lifetime(ratio, 1.0)
        return ratio * decay, decay

    def template(self, life: Any) -> tuple[Any, Any]:
        """Plateau and decay [d] of the search template of a lifetime [d]."""
        return self.split(life, PLATEAU)


@dataclass(frozen=True)
class _Trapezoid(SurveyEnvelope):
    """Compact as it is.  Search and prior take the full width at half maximum of the radius for its lifetime."""

    def autocorrelation(self, lag: Any, plateau: Any, decay: Any) -> Array:
        return self.make(plateau, decay).R_Gamma(lag)

    def reach(self, plateau: Any, decay: Any) -> Any:
        return self.support(plateau, decay)

    def prior_life(self, plateau: Any, decay: Any) -> Any:
        return plateau + decay

    def split(self, life: Any, share: Any) -> tuple[Any, Any]:
        return share * life, (1 - share) * life / _RAMP

    def template(self, life: Any) -> tuple[Any, Any]:
        return PLATEAU * life, (1 - PLATEAU) * life


@dataclass(frozen=True)
class _OneTime(SurveyEnvelope):
    """An envelope with one time, the decay: everything is a multiple of it, and nothing depends on the plateau."""

    def at_zero(self, _: Any, decay: Any) -> Any:
        return _of_unit(self.make)[0] * decay

    def support(self, _: Any, decay: Any) -> Any:
        return _of_unit(self.make)[1] * decay

    def lifetime(self, _: Any, decay: Any) -> Any:
        return _of_unit(self.make)[2] * decay

    def full_size(self, plateau: Any) -> Any:
        return np.zeros_like(plateau)

    def split(self, life: Any, share: Any) -> tuple[Any, Any]:
        decay = life / _of_unit(self.make)[2]
        return decay * share / (1 - share), decay


@cache
def _of_unit(make: Callable[[Any, Any], Envelope]) -> tuple[float, float, float]:
    """``R_Gamma`` at lag zero, support and lifetime of an envelope of decay 1, whatever is being traced."""
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        measured = jax.jit(lambda e: (e.at_zero(), e.kernel_support(), e.lifetime()))(make(1.0, 1.0))
        at_zero, support, lifetime = (float(x) for x in measured)
    return at_zero, support, lifetime


_ENVELOPES: dict[str, Callable[..., SurveyEnvelope]] = {
    "trapezoid": lambda: _Trapezoid(TrapezoidSymmetricEnvelope),
    "exponential-plateau": lambda: SurveyEnvelope(lambda p, d: ExponentialPlateauEnvelope(p, d, d)),
    "logistic-plateau": lambda: SurveyEnvelope(LogisticPlateauEnvelope),
    "exponential": lambda: _OneTime(lambda _, d: ExponentialEnvelope(d)),
    "exponential-decay": lambda: _OneTime(lambda _, d: ExponentialOneSidedEnvelope(d)),
    "skewed-gaussian": lambda skewness: _OneTime(lambda _, d: SkewedGaussianEnvelope(d, skewness)),
}
_VISIBILITIES: dict[str, Callable[..., VisibilityFunction]] = {
    "small": VisibilityFunction,
    "limb-darkened": LimbDarkenedVisibility,
    "facular": FacularVisibility,
}
_LATITUDES: dict[str, Callable[..., LatitudeLaw]] = {
    "uniform": UniformLatitude,
    "area": UniformAreaLatitude,
    "bands": HemisphericBands,
    "belts": GaussianBelts,
}


@cache
def envelope_of(spots: Spots) -> SurveyEnvelope:
    """The envelope of a survey's choice."""
    return _ENVELOPES[spots.envelope](*spots.envelope_numbers)


def visibility_of(spots: Spots, peq: Any, kappa: Any, inc: Any) -> VisibilityFunction:
    """The visibility of a survey's choice on a star of equatorial period [d], relative shear and inclination [rad]."""
    return _VISIBILITIES[spots.visibility](peq, kappa, inc, *spots.visibility_numbers)


def latitude_of(spots: Spots) -> LatitudeLaw:
    """The law of latitudes of a survey's choice; the same in both hemispheres."""
    return _LATITUDES[spots.latitude](*np.radians(spots.latitude_numbers).tolist())
