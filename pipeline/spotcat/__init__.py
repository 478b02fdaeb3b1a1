"""spotcat: rotation periods and starspot lifetimes for every star of a survey.

Names are imported on first use, so that querying a catalog never loads JAX, Dask or lightkurve.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from spotcat.catalog.query import open_catalog
    from spotcat.gp.cycle import ActivityCycle, NonstationaryKernel
    from spotcat.gp.kernel import AnalyticKernel
    from spotcat.gp.numerical import NumericalKernel
    from spotcat.gp.sensitivity import baseline_needed, sensitivity
    from spotcat.gp.solver import GPSolver
    from spotcat.gp.terms import DriftTerm, JitterTerm, KernelSum, OrnsteinUhlenbeckTerm, SpotTerm
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
    from spotcat.star.laws import CustomLatitude, GaussianBelts, HemisphericBands, UniformAreaLatitude, UniformLatitude
    from spotcat.star.lightcurve import LightcurveModel, simulate_stars
    from spotcat.star.limb import EdgeOnVisibility, FacularVisibility, FiniteSpotVisibility, LimbDarkenedVisibility
    from spotcat.star.population import (
        FixedScale,
        LogNormalScale,
        NormalScale,
        SpotPopulation,
        UniformScale,
        gnevyshev_waldmeier,
    )
    from spotcat.star.visibility import VisibilityFunction

_HOMES = {
    "ActivityCycle": "spotcat.gp.cycle",
    "AnalyticKernel": "spotcat.gp.kernel",
    "CustomEnvelope": "spotcat.star.envelopes.numerical",
    "CustomLatitude": "spotcat.star.laws",
    "DoubleTrapezoidAsymmetricEnvelope": "spotcat.star.envelopes.piecewise",
    "DoubleTrapezoidEnvelope": "spotcat.star.envelopes.piecewise",
    "DriftTerm": "spotcat.gp.terms",
    "EdgeOnVisibility": "spotcat.star.limb",
    "ExponentialAsymmetricEnvelope": "spotcat.star.envelopes.exponential",
    "ExponentialEnvelope": "spotcat.star.envelopes.exponential",
    "ExponentialOneSidedEnvelope": "spotcat.star.envelopes.exponential",
    "ExponentialPlateauEnvelope": "spotcat.star.envelopes.exponential",
    "FacularVisibility": "spotcat.star.limb",
    "FiniteSpotVisibility": "spotcat.star.limb",
    "FixedScale": "spotcat.star.population",
    "GPSolver": "spotcat.gp.solver",
    "GaussianBelts": "spotcat.star.laws",
    "HemisphericBands": "spotcat.star.laws",
    "JitterTerm": "spotcat.gp.terms",
    "KernelSum": "spotcat.gp.terms",
    "LightcurveModel": "spotcat.star.lightcurve",
    "LimbDarkenedVisibility": "spotcat.star.limb",
    "LogNormalScale": "spotcat.star.population",
    "LogisticPlateauEnvelope": "spotcat.star.envelopes.smooth",
    "ModulatedGammaEnvelope": "spotcat.star.envelopes.numerical",
    "NonstationaryKernel": "spotcat.gp.cycle",
    "NormalScale": "spotcat.star.population",
    "NumericalKernel": "spotcat.gp.numerical",
    "OrnsteinUhlenbeckTerm": "spotcat.gp.terms",
    "SkewedGaussianEnvelope": "spotcat.star.envelopes.smooth",
    "SpotEvolutionModel": "spotcat.star.evolution",
    "SpotPopulation": "spotcat.star.population",
    "SpotTerm": "spotcat.gp.terms",
    "TrapezoidAsymmetricEnvelope": "spotcat.star.envelopes.piecewise",
    "TrapezoidSymmetricEnvelope": "spotcat.star.envelope",
    "TripleTrapezoidEnvelope": "spotcat.star.envelopes.piecewise",
    "UniformAreaLatitude": "spotcat.star.laws",
    "UniformLatitude": "spotcat.star.laws",
    "UniformScale": "spotcat.star.population",
    "VisibilityFunction": "spotcat.star.visibility",
    "baseline_needed": "spotcat.gp.sensitivity",
    "gnevyshev_waldmeier": "spotcat.star.population",
    "open_catalog": "spotcat.catalog.query",
    "sensitivity": "spotcat.gp.sensitivity",
    "simulate_stars": "spotcat.star.lightcurve",
}

__all__ = [
    "ActivityCycle",
    "AnalyticKernel",
    "CustomEnvelope",
    "CustomLatitude",
    "DoubleTrapezoidAsymmetricEnvelope",
    "DoubleTrapezoidEnvelope",
    "DriftTerm",
    "EdgeOnVisibility",
    "ExponentialAsymmetricEnvelope",
    "ExponentialEnvelope",
    "ExponentialOneSidedEnvelope",
    "ExponentialPlateauEnvelope",
    "FacularVisibility",
    "FiniteSpotVisibility",
    "FixedScale",
    "GPSolver",
    "GaussianBelts",
    "HemisphericBands",
    "JitterTerm",
    "KernelSum",
    "LightcurveModel",
    "LimbDarkenedVisibility",
    "LogNormalScale",
    "LogisticPlateauEnvelope",
    "ModulatedGammaEnvelope",
    "NonstationaryKernel",
    "NormalScale",
    "NumericalKernel",
    "OrnsteinUhlenbeckTerm",
    "SkewedGaussianEnvelope",
    "SpotEvolutionModel",
    "SpotPopulation",
    "SpotTerm",
    "TrapezoidAsymmetricEnvelope",
    "TrapezoidSymmetricEnvelope",
    "TripleTrapezoidEnvelope",
    "UniformAreaLatitude",
    "UniformLatitude",
    "UniformScale",
    "VisibilityFunction",
    "__version__",
    "baseline_needed",
    "gnevyshev_waldmeier",
    "open_catalog",
    "sensitivity",
    "simulate_stars",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'spotcat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
