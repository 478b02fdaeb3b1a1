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
    from spotcat.star.evolution import SpotEvolutionModel
    from spotcat.star.lightcurve import LightcurveModel
    from spotcat.star.visibility import VisibilityFunction

_HOMES = {
    "AnalyticKernel": "spotcat.gp.kernel",
    "GPSolver": "spotcat.gp.solver",
    "LightcurveModel": "spotcat.star.lightcurve",
    "SpotEvolutionModel": "spotcat.star.evolution",
    "TrapezoidSymmetricEnvelope": "spotcat.star.envelope",
    "VisibilityFunction": "spotcat.star.visibility",
    "open_catalog": "spotcat.catalog.query",
}

__all__ = [
    "AnalyticKernel",
    "GPSolver",
    "LightcurveModel",
    "SpotEvolutionModel",
    "TrapezoidSymmetricEnvelope",
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
