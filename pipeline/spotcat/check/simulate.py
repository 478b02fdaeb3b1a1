"""Simulated surveys: light curves in an input format of spotcat, and beside them a table of what is true.

Periods are log-uniform, inclinations isotropic and everything else is uniform within the recipe's ranges.  A star
depends on the seed and its number alone, so a larger survey begins with the stars of a smaller one.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spotcat.catalog.atomic import replacing_folder, write_file
from spotcat.config import Recipe, SimulateConfig
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

TRUTH_COLUMNS = ("name", "peq", "prot", "kappa", "inc", "lspot", "tau_spot", "spot_lifetime", "noise")
"""Times in days, `inc` in radians, `noise` as a fraction of the signal's standard deviation."""

_RECORD = "simulated.json"


class SimulatedStar(NamedTuple):
    """A star and what is true of it.

    Attributes:
        truth: value of every column of `TRUTH_COLUMNS`.
        time: observed times [d], shape (n,).
        flux: relative flux with noise, shape (n,).
        flux_err: standard deviation of the noise, shape (n,).
    """

    truth: dict[str, Any]
    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray


def simulate_survey(recipe: Recipe) -> Path:
    """Write the simulated survey of a recipe: one ECSV file per star and, beside the folder, their truth.

    A folder that holds this very survey already is kept as it is.

    Args:
        recipe: its ``simulate`` section and seed are used.

    Returns:
        The folder; `truth_path` says where the truth is.

    Raises:
        InputError: the recipe asks for no stars or names no folder, or the folder holds something else.
        RunError: the files cannot be written.
    """
    config = recipe.simulate
    if not config.folder or config.n_stars == 0:
        raise InputError("[simulate] asks for nothing: set simulate.folder and simulate.n_stars")
    folder = Path(config.folder)
    record = _record(recipe)
    if folder.exists():
        if not (_reads(folder / _RECORD, record) and truth_path(folder).exists()):
            raise InputError(f"{folder}: holds something else; choose another simulate.folder, or delete this one")
        return folder
    stars = [simulate_star(number, recipe.survey.seed, config) for number in range(config.n_stars)]
    with replacing_folder(folder) as partial:
        for star in stars:
            _write_light_curve(star, partial / f"{star.truth['name']}.ecsv")
        (partial / _RECORD).write_text(record)
        # Before the folder gets its name, so that a folder never lacks its truth.
        write_file(truth_path(folder), _truth_table(stars))
    return folder


def truth_path(folder: str | Path) -> Path:
    """Where the truth of a simulated survey is: beside its folder, so that no ingest takes it for a star."""
    folder = Path(folder)
    return folder.with_name(f"{folder.name}-truth.csv")


def simulate_star(number: int, seed: int, config: SimulateConfig) -> SimulatedStar:
    """Draw one star and observe it.

    Args:
        number: its number in the survey.
        seed: seed of the survey.
        config: the population and the observation.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    peq = float(np.exp(rng.uniform(*np.log(config.period))))
    inc = float(np.arccos(rng.uniform()))
    kappa, lspot, tau_spot, noise = (
        float(rng.uniform(*bounds)) for bounds in (config.kappa, config.lspot, config.tau_spot, config.noise)
    )
    n_spots = int(rng.integers(*config.n_spots, endpoint=True))
    envelope = TrapezoidSymmetricEnvelope(lspot, tau_spot)
    model = SpotEvolutionModel(envelope, VisibilityFunction(peq, kappa, inc), sigma_k=SIGMA_K)
    star = LightcurveModel.from_spot_model(model, n_spots, config.baseline, config.cadence, seed=rng)
    seen = _observed(star.t.size, config.gaps, rng)
    time, signal = star.t[seen], star.flux[seen]
    error = noise * signal.std()
    truth = {
        "name": f"sim-{number:05d}",
        "peq": peq,
        "prot": photometric_period(star, time),
        "kappa": kappa,
        "inc": inc,
        "lspot": lspot,
        "tau_spot": tau_spot,
        "spot_lifetime": float(envelope.lifetime()),
        "noise": noise,
    }
    return SimulatedStar(truth, time, signal + error * rng.standard_normal(time.size), np.full(time.size, error))


def photometric_period(star: LightcurveModel, time: np.ndarray) -> float:
    """The period [d] that photometry shows: that of the mean angular velocity of the spots that were there.

    A spot counts by its area, summed over the observed times, and by ``cos^2`` of its latitude, the power with which it
    is seen to rotate.

    Args:
        star: a simulated star.
        time: observed times [d], shape (n,).

    Returns:
        NaN where no spot lived at any of the times.
    """
    envelope, visibility = star.spot_model.envelope, star.spot_model.visibility
    latitude, peak_time = np.asarray(star.spots.latitude), np.asarray(star.spots.peak_time)
    # Spot by spot: every other number of spots would be compiled anew.
    area = np.array([np.sum(np.asarray(envelope.Gamma(time - peak), float) ** 2) for peak in peak_time])
    rate = np.array([float(visibility.omega_0(phi)) for phi in latitude])
    weight = area * np.cos(latitude) ** 2
    return float(2 * np.pi * weight.sum() / (weight @ rate)) if weight.any() else np.nan


def _observed(n: int, gaps: float, rng: np.random.Generator) -> np.ndarray:
    """Indices that are left after losing the fraction `gaps`: half of it in one block, half scattered.

    The first and the last measurement are never lost, so that the baseline is the one asked for.
    """
    lost = min(round(gaps * n), n - 2)
    block = lost // 2
    start = rng.integers(1, n - block)
    seen = np.delete(np.arange(n), np.arange(start, start + block))
    return np.delete(seen, 1 + rng.choice(seen.size - 2, lost - block, replace=False))


def _record(recipe: Recipe) -> str:
    """Everything that decides what the files hold."""
    drawn = asdict(recipe.simulate)
    del drawn["folder"]
    return json.dumps({"seed": recipe.survey.seed, "simulate": drawn}) + "\n"


def _reads(path: Path, text: str) -> bool:
    try:
        return path.read_text() == text
    except (OSError, UnicodeDecodeError):
        return False


def _write_light_curve(star: SimulatedStar, path: Path) -> None:
    from astropy.table import Table

    table = Table({"time": star.time, "flux": star.flux, "flux_err": star.flux_err})
    table["time"].unit = "d"
    table["flux"].description = "relative flux, 1 without spots"
    table.meta["name"] = star.truth["name"]
    table.meta["origin"] = "spotcat simulate"
    table.write(path, format="ascii.ecsv")


def _truth_table(stars: list[SimulatedStar]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, TRUTH_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(star.truth for star in stars)
    return text.getvalue().encode()
