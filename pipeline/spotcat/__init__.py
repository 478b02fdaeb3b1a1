"""spotcat: rotation periods and starspot lifetimes for every star of a survey.

Names are imported on first use, so that querying a catalog never loads JAX, Dask or lightkurve.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from spotcat.catalog.query import open_catalog
    from spotcat.catalog.selection import Catalog
    from spotcat.config import load_recipe, load_site
    from spotcat.gp.cycle import ActivityCycle, NonstationaryKernel
    from spotcat.gp.kernel import AnalyticKernel
    from spotcat.gp.numerical import NumericalKernel
    from spotcat.gp.sensitivity import baseline_needed, sensitivity
    from spotcat.gp.solver import GPSolver
    from spotcat.gp.terms import DriftTerm, JitterTerm, KernelSum, OrnsteinUhlenbeckTerm, SpotTerm
    from spotcat.ingest.store import LightCurveStore
    from spotcat.run.stages import run_survey
    from spotcat.settings import Recipe, Site
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
    from spotcat.status import (
        Flag,
        InputError,
        LeftOut,
        LifetimeFlag,
        ParameterFlag,
        RunError,
        SpotcatError,
        Status,
        Verdict,
    )


_HOMES = {
    "ActivityCycle": "spotcat.gp.cycle",
    "AnalyticKernel": "spotcat.gp.kernel",
    "Catalog": "spotcat.catalog.selection",
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
    "Flag": "spotcat.status",
    "GPSolver": "spotcat.gp.solver",
    "GaussianBelts": "spotcat.star.laws",
    "HemisphericBands": "spotcat.star.laws",
    "InputError": "spotcat.status",
    "JitterTerm": "spotcat.gp.terms",
    "KernelSum": "spotcat.gp.terms",
    "LeftOut": "spotcat.status",
    "LifetimeFlag": "spotcat.status",
    "LightCurveStore": "spotcat.ingest.store",
    "LightcurveModel": "spotcat.star.lightcurve",
    "LimbDarkenedVisibility": "spotcat.star.limb",
    "LogNormalScale": "spotcat.star.population",
    "LogisticPlateauEnvelope": "spotcat.star.envelopes.smooth",
    "ModulatedGammaEnvelope": "spotcat.star.envelopes.numerical",
    "NonstationaryKernel": "spotcat.gp.cycle",
    "NormalScale": "spotcat.star.population",
    "NumericalKernel": "spotcat.gp.numerical",
    "OrnsteinUhlenbeckTerm": "spotcat.gp.terms",
    "ParameterFlag": "spotcat.status",
    "Recipe": "spotcat.settings",
    "RunError": "spotcat.status",
    "Site": "spotcat.settings",
    "SkewedGaussianEnvelope": "spotcat.star.envelopes.smooth",
    "SpotEvolutionModel": "spotcat.star.evolution",
    "SpotPopulation": "spotcat.star.population",
    "SpotTerm": "spotcat.gp.terms",
    "SpotcatError": "spotcat.status",
    "Status": "spotcat.status",
    "TrapezoidAsymmetricEnvelope": "spotcat.star.envelopes.piecewise",
    "TrapezoidSymmetricEnvelope": "spotcat.star.envelope",
    "TripleTrapezoidEnvelope": "spotcat.star.envelopes.piecewise",
    "UniformAreaLatitude": "spotcat.star.laws",
    "UniformLatitude": "spotcat.star.laws",
    "UniformScale": "spotcat.star.population",
    "Verdict": "spotcat.status",
    "VisibilityFunction": "spotcat.star.visibility",
    "baseline_needed": "spotcat.gp.sensitivity",
    "gnevyshev_waldmeier": "spotcat.star.population",
    "load_recipe": "spotcat.config",
    "load_site": "spotcat.config",
    "open_catalog": "spotcat.catalog.query",
    "run_survey": "spotcat.run.stages",
    "sensitivity": "spotcat.gp.sensitivity",
    "simulate_stars": "spotcat.star.lightcurve",
}

__all__ = [
    "ActivityCycle",
    "AnalyticKernel",
    "Catalog",
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
    "Flag",
    "GPSolver",
    "GaussianBelts",
    "HemisphericBands",
    "InputError",
    "JitterTerm",
    "KernelSum",
    "LeftOut",
    "LifetimeFlag",
    "LightCurveStore",
    "LightcurveModel",
    "LimbDarkenedVisibility",
    "LogNormalScale",
    "LogisticPlateauEnvelope",
    "ModulatedGammaEnvelope",
    "NonstationaryKernel",
    "NormalScale",
    "NumericalKernel",
    "OrnsteinUhlenbeckTerm",
    "ParameterFlag",
    "Recipe",
    "RunError",
    "Site",
    "SkewedGaussianEnvelope",
    "SpotEvolutionModel",
    "SpotPopulation",
    "SpotTerm",
    "SpotcatError",
    "Status",
    "TrapezoidAsymmetricEnvelope",
    "TrapezoidSymmetricEnvelope",
    "TripleTrapezoidEnvelope",
    "UniformAreaLatitude",
    "UniformLatitude",
    "UniformScale",
    "Verdict",
    "VisibilityFunction",
    "__version__",
    "baseline_needed",
    "gnevyshev_waldmeier",
    "load_recipe",
    "load_site",
    "open_catalog",
    "run_survey",
    "sensitivity",
    "simulate_stars",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'spotcat' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
