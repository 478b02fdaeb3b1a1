"""spotcat: rotation periods and starspot lifetimes for every star of a survey.

Names are imported on first use, so that querying a catalog never loads JAX, Dask or lightkurve.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from spotcat.catalog.query import open_catalog
    from spotcat.gp.kernel import AnalyticKernel
    from spotcat.gp.solver import GPSolver
    from spotcat.star.envelope import TrapezoidSymmetricEnvelope
    from spotcat.star.envelopes.exponential import (
        ExponentialAsymmetricEnvelope,
        ExponentialEnvelope,
        ExponentialOneSidedEnvelope,
        ExponentialPlateauEnvelope,
    )
    from spotcat.star.envelopes.numerical import CustomEnvelope, ModulatedGammaEnvelope
    from spotcat.star.envelopes.piecewise import (
        DoubleTrapezoidAsymmetricEnvelope,
        DoubleTrapezoidEnvelope,
        TrapezoidAsymmetricEnvelope,
        TripleTrapezoidEnvelope,
    )
    from spotcat.star.envelopes.smooth import LogisticPlateauEnvelope, SkewedGaussianEnvelope
    from spotcat.star.evolution import SpotEvolutionModel
    from spotcat.star.lightcurve import LightcurveModel
    from spotcat.star.visibility import VisibilityFunction

_HOMES = {
    "AnalyticKernel": "spotcat.gp.kernel",
    "CustomEnvelope": "spotcat.star.envelopes.numerical",
    "DoubleTrapezoidAsymmetricEnvelope": "spotcat.star.envelopes.piecewise",
    "DoubleTrapezoidEnvelope": "spotcat.star.envelopes.piecewise",
    "ExponentialAsymmetricEnvelope": "spotcat.star.envelopes.exponential",
    "ExponentialEnvelope": "spotcat.star.envelopes.exponential",
    "ExponentialOneSidedEnvelope": "spotcat.star.envelopes.exponential",
    "ExponentialPlateauEnvelope": "spotcat.star.envelopes.exponential",
    "GPSolver": "spotcat.gp.solver",
    "LightcurveModel": "spotcat.star.lightcurve",
    "LogisticPlateauEnvelope": "spotcat.star.envelopes.smooth",
    "ModulatedGammaEnvelope": "spotcat.star.envelopes.numerical",
    "SkewedGaussianEnvelope": "spotcat.star.envelopes.smooth",
    "SpotEvolutionModel": "spotcat.star.evolution",
    "TrapezoidAsymmetricEnvelope": "spotcat.star.envelopes.piecewise",
    "TrapezoidSymmetricEnvelope": "spotcat.star.envelope",
    "TripleTrapezoidEnvelope": "spotcat.star.envelopes.piecewise",
    "VisibilityFunction": "spotcat.star.visibility",
    "open_catalog": "spotcat.catalog.query",
}

__all__ = [
    "AnalyticKernel",
    "CustomEnvelope",
    "DoubleTrapezoidAsymmetricEnvelope",
    "DoubleTrapezoidEnvelope",
    "ExponentialAsymmetricEnvelope",
    "ExponentialEnvelope",
    "ExponentialOneSidedEnvelope",
    "ExponentialPlateauEnvelope",
    "GPSolver",
    "LightcurveModel",
    "LogisticPlateauEnvelope",
    "ModulatedGammaEnvelope",
    "SkewedGaussianEnvelope",
    "SpotEvolutionModel",
    "TrapezoidAsymmetricEnvelope",
    "TrapezoidSymmetricEnvelope",
    "TripleTrapezoidEnvelope",
    "VisibilityFunction",
    "__version__",
    "open_catalog",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'spotcat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
