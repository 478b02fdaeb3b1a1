"""What a simulated star does: spots of our own model, those of `butterpy`, or anything but rotation.

A source draws one star and gives its relative flux deficit at any times, and what is true of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from spotcat.check.quiet import FAMILIES
from spotcat.config import SimulateConfig
from spotcat.fit.shown import mean_frequency
from spotcat.star.envelope import TrapezoidSymmetricEnvelope
from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.lightcurve import LightcurveModel
from spotcat.star.visibility import VisibilityFunction
from spotcat.status import InputError

SIGMA_K = 0.005
"""Amplitude of every star [d^-1/2]: about one spot in ten days that hides 1.6 % of the disk.

The scatter follows as ``sigma_k sqrt(R_Gamma(0) <V^2>)`` with ``<V^2>`` from 1/8 edge-on to 1/4 pole-on: 0.4 % for
spots that last ten days, 1.5 % for those of two months.
"""

LATITUDES = 2049
"""From pole to pole, at which the visibility of a star's spots is tabulated."""

QUIET_NOISE = 1e-3
"""Standard deviation of the white noise of stars that do not rotate."""


class Source(NamedTuple):
    """A star before it is observed.

    Attributes:
        time: regular times [d], shape (n,).
        flux: relative flux at those times, shape (n,).
        truth: what is true of it, NaN or empty where nothing is.
        mean_period: period [d] of the mean angular velocity of the spots that are there at the times [d] observed.
    """

    time: np.ndarray
    flux: np.ndarray
    truth: dict[str, float | str]
    mean_period: Callable[[np.ndarray], float]

    def shown_period(self, observed: np.ndarray) -> float:
        """The period [d] that the noiseless light curve shows, as the fit defines it; NaN where nothing rotates.

        Args:
            observed: those of the times [d] that were observed, shape (m,).
        """
        mean = self.mean_period(observed)
        if not np.isfinite(mean):
            return np.nan
        within = (self.time >= observed[0]) & (self.time <= observed[-1])
        return float(1 / mean_frequency(self.flux[within], 1 / mean, self.time[1] - self.time[0], np))


def draw(config: SimulateConfig, rng: np.random.Generator) -> Source:
    """Draw a star of a population.

    Args:
        config: the population.
        rng: decides all that is random.

    Raises:
        InputError: the source needs a package that is not installed.
    """
    return {"spots": _spots, "butterpy": _butterpy, "quiet": _quiet}[config.source](config, rng)


def _spots(config: SimulateConfig, rng: np.random.Generator) -> Source:
    peq = _log_uniform(config.period, rng)
    inc = float(np.arccos(rng.uniform()))
    kappa, lspot, tau_spot, noise = (
        float(rng.uniform(*bounds)) for bounds in (config.kappa, config.lspot, config.tau_spot, config.noise)
    )
    n_spots = int(rng.integers(*config.n_spots, endpoint=True))
    envelope = TrapezoidSymmetricEnvelope(lspot, tau_spot)
    model = SpotEvolutionModel(envelope, VisibilityFunction(peq, kappa, inc), sigma_k=SIGMA_K)
    star = LightcurveModel.from_spot_model(model, n_spots, config.baseline, config.cadence, seed=rng)
    truth: dict[str, float | str] = {"peq": peq, "kappa": kappa, "inc": inc, "lspot": lspot, "tau_spot": tau_spot}
    truth |= {"spot_lifetime": float(envelope.lifetime()), "noise": noise}
    return Source(star.t, star.flux, truth, lambda time: mean_period(star, time))


def mean_period(star: LightcurveModel, time: np.ndarray) -> float:
    """The period [d] of the mean angular velocity of the spots that were there.

    A spot counts by the power with which it is seen to rotate: its squared area, summed over the observed times, times
    the square of its visibility's first harmonic.

    Args:
        star: a simulated star.
        time: those of its times that were observed [d], shape (n,).

    Returns:
        NaN where no spot lived at any of the times.
    """
    envelope, visibility = star.spot_model.envelope, star.spot_model.visibility
    latitude, peak_time = np.asarray(star.spots.latitude), np.asarray(star.spots.peak_time)
    # Spot by spot at all of the star's times: every other number of spots or of times would be compiled anew.
    observed = np.isin(star.t, time)
    area = np.array([np.sum(np.asarray(envelope.Gamma(star.t - peak), float)[observed] ** 4) for peak in peak_time])
    return _seen_period(area, latitude, visibility)


def _butterpy(config: SimulateConfig, rng: np.random.Generator) -> Source:
    """Active belts that migrate through an activity cycle, after Claytor et al. (2022, ApJ 927, 219)."""
    try:
        from butterpy import Surface
    except ImportError:
        raise InputError("simulate.source = 'butterpy' needs that package: pip install 'spotcat[validation]'") from None
    peq, inc = _log_uniform(config.period, rng), float(np.arccos(rng.uniform()))
    kappa, noise, low, cycle = (rng.uniform(*b) for b in (config.kappa, config.noise, (0, 40), (1, 10)))
    time = np.arange(0, config.baseline, config.cadence)
    surface = Surface()
    with _global_seed(int(rng.integers(2**31))):
        surface.emerge_regions(
            ndays=int(np.ceil(config.baseline)) + 1,
            activity_level=rng.uniform(1, 3),
            cycle_period=cycle,
            cycle_overlap=rng.uniform(0, cycle),
            min_lat=low,
            max_lat=low + rng.uniform(5, 40),
        )
    flux = np.asarray(
        surface.evolve_spots(time, np.degrees(inc), peq, kappa, tau_evol=rng.uniform(1, 10), alpha_med=1e-3).flux, float
    )
    latitude = np.asarray(surface.lat)
    area = np.asarray(surface.amax) ** 2
    mean = _seen_period(area, latitude, VisibilityFunction(peq, float(kappa), inc))
    truth = _truth(peq=peq, kappa=float(kappa), inc=inc, noise=float(noise))
    return Source(time, flux, truth, lambda _: mean)


def _quiet(config: SimulateConfig, rng: np.random.Generator) -> Source:
    families = FAMILIES[config.observatory]
    family = families[rng.integers(len(families))]
    time = np.arange(0, config.baseline, config.cadence)
    strength = _log_uniform((0.3, 10.0), rng)
    flux = 1 + QUIET_NOISE * strength * family(time, rng)
    return Source(time, flux, _truth(family=family.__name__, noise=np.nan), lambda _: np.nan)


def _truth(**known: float | str) -> dict[str, float | str]:
    return dict.fromkeys(("peq", "kappa", "inc", "lspot", "tau_spot", "spot_lifetime", "noise"), np.nan) | known


def _log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


def _seen_period(squared_area: np.ndarray, latitude: np.ndarray, visibility: VisibilityFunction) -> float:
    """Period [d] of the mean angular velocity of spots, each weighted by its power in the first harmonic."""
    # From a table: every other number of spots would be compiled anew.
    nodes = np.linspace(-np.pi / 2, np.pi / 2, LATITUDES)
    first = np.interp(latitude, nodes, np.asarray(visibility.c_n(nodes, 1))[1])
    weight = squared_area * first**2
    rate = np.interp(latitude, nodes, np.asarray(visibility.omega_0(nodes)))
    return float(2 * np.pi * weight.sum() / (weight @ rate)) if weight.any() else np.nan


@contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Seed NumPy's global state for a package that knows no other, and put it back."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
