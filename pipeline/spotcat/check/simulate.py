"""Simulated surveys: light curves in an input format of spotcat, and beside them a table of what is true.

Periods are log-uniform, inclinations isotropic and everything else is uniform within the recipe's ranges.  A star
depends on the seed and its number alone, so a larger survey begins with the stars of a smaller one.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spotcat.atomic import replacing_folder, write_file
from spotcat.check.observe import offsets, schedule
from spotcat.check.sources import QUIET_NOISE, draw
from spotcat.config import Recipe, SimulateConfig
from spotcat.status import InputError
from spotcat.text import system_path

TRUTH_COLUMNS = ("name", "peq", "prot", "kappa", "inc", "lspot", "tau_spot", "spot_lifetime", "noise", "family")
"""Times in days, `inc` in radians, `noise` as a fraction of the signal's standard deviation, `family` of what does not
rotate; empty or NaN where nothing is true."""

_RECORD = "simulated.json"


class SimulatedStar(NamedTuple):
    """A star and what is true of it.

    Attributes:
        truth: value of every column of `TRUTH_COLUMNS`.
        time: observed times [d], shape (n,).
        flux: relative flux with noise, shape (n,).
        flux_err: standard deviation of the noise, shape (n,).
        segment: segment of each measurement, shape (n,).
    """

    truth: dict[str, Any]
    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    segment: np.ndarray


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
    folder = Path(system_path(config.folder))

    def fill(partial: Path) -> bytes:
        stars = [simulate_star(number, recipe.survey.seed, config) for number in range(config.n_stars)]
        for star in stars:
            write_light_curve(star, partial / f"{star.truth['name']}.ecsv")
        return truth_table([star.truth for star in stars], TRUTH_COLUMNS)

    return written_once(folder, _record(recipe), fill)


def written_once(folder: Path, record: str, fill: Callable[[Path], bytes]) -> Path:
    """A folder of light curves and beside it their truth; one that holds these very ones already is kept as it is.

    Args:
        folder: where it goes.
        record: everything that decides what it holds.
        fill: writes the light curves into a folder and returns the bytes of their truth.

    Returns:
        `folder`.

    Raises:
        InputError: it holds something else.
        RunError: the files cannot be written.
    """
    if folder.exists():
        if not (_reads(folder / _RECORD, record) and truth_path(folder).exists()):
            raise InputError(f"{folder}: holds something else; choose another simulate.folder, or delete this one")
        return folder
    with replacing_folder(folder) as partial:
        truth = fill(partial)
        (partial / _RECORD).write_text(record, encoding="utf-8")
        # Before the folder gets its name, so that a folder never lacks its truth.
        write_file(truth_path(folder), truth)
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
    star = draw(config, rng)
    seen, segment = schedule(config.observatory, star.time, config.gaps, rng)
    time, signal = star.time[seen], star.flux[seen]
    error = QUIET_NOISE if config.source == "quiet" else float(star.truth["noise"]) * float(signal.std())
    truth = {"name": f"sim-{number:05d}", "family": "", "prot": star.shown_period(time), **star.truth}
    flux = signal + offsets(segment, max(float(signal.std()), error), rng) + error * rng.standard_normal(time.size)
    return SimulatedStar(truth, time, flux, np.full(time.size, error), segment)


def _record(recipe: Recipe) -> str:
    """Everything that decides what the files hold."""
    drawn = asdict(recipe.simulate)
    del drawn["folder"]
    return json.dumps({"seed": recipe.survey.seed, "simulate": drawn}) + "\n"


def _reads(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def write_light_curve(star: SimulatedStar, path: Path) -> None:
    """Write a star as an ECSV file that ingest reads, with a column for the segments where it has several."""
    from astropy.table import Table

    table = Table({"time": star.time, "flux": star.flux, "flux_err": star.flux_err})
    if star.segment.any():
        table["segment"] = star.segment
    table["time"].unit = "d"
    table["flux"].description = "relative flux, 1 without spots"
    table.meta["name"] = star.truth["name"]
    table.meta["origin"] = "spotcat simulate"
    table.write(path, format="ascii.ecsv")


def truth_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """The truth of some stars as CSV.

    Args:
        rows: of each star the value of every column.
        columns: their names.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
