"""Whole simulated surveys through the whole pipeline, what comes of them, and real stars by name: ``spotcat check``.

Beside the command line, since it needs the run, check and report rooms, which know nothing of each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spotcat import __version__
from spotcat.atomic import write_file
from spotcat.catalog.escapes import as_unicode
from spotcat.check.assess import COLUMNS, Figure, assess, coverage_together, false_alarms
from spotcat.check.assess_real import assess_real, false_alarms_real
from spotcat.check.backgrounds import LEARN, VALIDATE, Background
from spotcat.check.calibrate import learn
from spotcat.check.classical import CLASSICAL, called_alike, stored_strengths
from spotcat.check.curves import NOMINAL, curves, held
from spotcat.check.populations import QUIET, TOGETHER, population, real_set, sized
from spotcat.check.recovery import METHODS, found_for, read_truth
from spotcat.check.score import Score, table_in_markdown, told
from spotcat.check.semireal import MANIFEST, backgrounds_for, simulate_real
from spotcat.check.simulate import simulate_survey, truth_path
from spotcat.config import CheckConfig, InputConfig, Recipe, SimulateConfig, Site, SurveyConfig, load_recipe
from spotcat.ingest.store import LightCurveStore
from spotcat.report.fitted import load_fitted
from spotcat.report.missed import Missed, draw_missed
from spotcat.report.validation_plots import plot_validation
from spotcat.run.folder import RunFolder
from spotcat.run.stages import run_survey
from spotcat.status import InputError, LifetimeFlag, SpotcatError
from spotcat.text import system_path

REPORT = "validation.json"
STARS = "real-stars"
"""What the names of the table of real stars and of its pictures begin with."""


def check_recovery(recipe: Recipe, site: Site) -> list[tuple[str, Figure]]:
    """Simulate, fit and assess the sets of a recipe.

    Figures and curves also go to ``validation.json`` in the recipe's output folder, and a picture of each set of
    rotators beside it.

    Args:
        recipe: its ``check`` section names the sets, its ``fit`` section is used for all.
        site: where to run.

    Returns:
        Figures with the name of their set.
    """
    figures: list[tuple[str, Figure]] = []
    drawn: list[dict[str, object]] = []
    together = []
    out = Path(system_path(recipe.survey.output))
    every = list(_surveys(recipe, site, VALIDATE))
    for name, found, truth, strength in every:
        if name.endswith(QUIET):
            figures += [(name, f) for f in (false_alarms_real if real_set(name) else false_alarms)(found, truth)]
            continue
        called = _called(name, strength, every)
        rows = assess_real(name, found, truth, called) if real_set(name) else assess(name, found, truth)
        figures += [(name, figure) for figure in rows]
        own = [asdict(curve) for curve in curves(name, found, truth, called)]
        stars = {"true": truth["prot"], "prot": found["prot"], "rotating": found["rotating"]}
        plot_validation(own, stars, _coverage(found, truth), NOMINAL, out / f"{name}.png")
        drawn += own
        if name in TOGETHER:
            together.append((found, truth))
    if len(together) > 1:
        figures += [("together", figure) for figure in coverage_together(together)]
    report = {
        "spotcat_version": __version__,
        "seed": recipe.survey.seed,
        "check": asdict(recipe.check),
        "figures": [{"set": name, "holds": figure.holds, **asdict(figure)} for name, figure in figures],
        "curves": drawn,
    }
    write_file(out / REPORT, (json.dumps(_plain(report), indent=1, allow_nan=False) + "\n").encode())
    return figures


def check_calibrate(recipe: Recipe, site: Site, out: Path) -> None:
    """Learn the calibration of the fit from the sets of a recipe and write it to a file.

    Raises:
        InputError: the recipe names no set of rotators, or none without rotation.
    """
    if len({sized(entry, recipe.check.n_stars)[0].endswith(QUIET) for entry in recipe.check.sets}) < 2:
        raise InputError(f"check.sets: a calibration needs sets of rotators and sets without rotation (NAME{QUIET})")
    rotating: dict[str, list[np.ndarray]] = {}
    quiet: dict[str, list[np.ndarray]] = {}
    for name, found, truth, _ in _surveys(recipe, site, LEARN):
        if name.endswith(QUIET):
            for key, values in found.items():
                quiet.setdefault(key, []).append(values)
            continue
        known = {**found, **{f"true_{key}": truth[key] for key in ("prot", "peq", "spot_lifetime")}}
        for key, values in known.items():
            rotating.setdefault(key, []).append(values)
    columns, silent = ({k: np.concatenate(v) for k, v in parts.items()} for parts in (rotating, quiet))
    sets = " ".join(":".join(map(str, sized(entry, recipe.check.n_stars))) for entry in recipe.check.sets)
    version = f"spotcat {__version__}, seed {recipe.survey.seed}, {sets}"
    write_file(out, learn(columns, silent, version, recipe.fit).to_json().encode())


def table(figures: list[tuple[str, Figure]]) -> str:
    """Figures as a Markdown table."""
    lines = ["| set | figure | value | bound | holds |", "|---|---|---|---|---|"]
    for name, f in figures:
        holds = ("yes" if f.holds else "no") if f.bounds() else ""
        lines.append(f"| {name} | {f.name} | {f.value:.3f} | {f.bounds()} | {holds} |")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    """The same with null for numbers that JSON has no word for."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _coverage(found: dict[str, np.ndarray], truth: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """How often intervals of growing probability hold the truth, calibrated and raw."""
    measured = found["lifetime_flag"] == LifetimeFlag.MEASURED
    true = {"prot": truth["prot"], "spot_lifetime": np.where(measured, truth["spot_lifetime"], np.nan)}
    every = {
        f"{name}{ending.replace('_', ' ')}": held(found, name, values, ending)
        for name, values in true.items()
        for ending in ("", "_raw")
    }
    return {name: values for name, values in every.items() if values}


class _Survey(NamedTuple):
    """A set's name, the catalog's columns, the truth, and of semi-real sets the strengths of classical periods."""

    name: str
    found: dict[str, np.ndarray]
    truth: dict[str, np.ndarray]
    strength: dict[str, np.ndarray]


def _called(name: str, strength: dict[str, np.ndarray], every: Sequence[_Survey]) -> dict[str, np.ndarray]:
    """Which stars the classical methods call at the false alarms of the set's quiet twin; empty where there is none."""
    quiet = next((other for other in every if other.name == name + QUIET), None)
    if not strength or quiet is None:
        return {}
    return called_alike(strength, quiet.strength, float(np.mean(quiet.found["rotating"] == 1)))


def _surveys(recipe: Recipe, site: Site, half: str) -> Iterator[_Survey]:
    """Each set through the whole pipeline, star by star; semi-real ones are of the stars of a half."""
    if not recipe.check.sets:
        raise InputError("the recipe names no set; give check.sets, such as ['half-year', 'half-year-quiet']")
    sets = [sized(entry, recipe.check.n_stars) for entry in recipe.check.sets]
    # Whatever is wrong with one of them is said before another is run.
    simulated = {name: population(name) for name, _ in sets if not real_set(name)}
    real = backgrounds_for(recipe, [name for name, _ in sets], half)
    for name, n_stars in sets:
        yield _survey(recipe, site, (name, n_stars), simulated.get(name) or real[name])


def _survey(
    recipe: Recipe, site: Site, sized_set: tuple[str, int], of: SimulateConfig | Sequence[Background]
) -> _Survey:
    """Make a set of a population or of backgrounds, run it and read what came of it."""
    from spotcat.catalog.query import open_catalog

    name, n_stars = sized_set
    folder = Path(recipe.survey.output) / name
    stars = folder / "stars"
    survey = replace(recipe, survey=SurveyConfig(name, str(folder / "run"), recipe.survey.seed), check=CheckConfig())
    if isinstance(of, SimulateConfig):
        files, stars_of = InputConfig(files=(str(stars / "*.ecsv"),)), replace(of, folder=str(stars), n_stars=n_stars)
        survey = replace(survey, input=files, simulate=stars_of)
        simulate_survey(survey)
    else:
        files, stars_of = InputConfig(manifest=str(stars / MANIFEST)), SimulateConfig(folder=str(stars))
        survey = replace(survey, input=files, simulate=stars_of)
        simulate_real(survey, name, n_stars, of)
    catalog = open_catalog(run_survey(survey, site).path)
    truth = read_truth(truth_path(stars))
    found = found_for(catalog, truth["name"], COLUMNS)
    strength = {}
    if not isinstance(of, SimulateConfig):
        periods = {method: found[METHODS[method]] for method in CLASSICAL}
        strength = stored_strengths(RunFolder(survey.survey.output).store, periods, recipe.fit.max_points)
    return _Survey(name, found, truth, strength)


def write_score(catalog_path: Path, result: Score, out: Path) -> Path:
    """Write a table of stars of known kinds, and pictures of those that fall short.

    Args:
        catalog_path: the catalog that was scored, in its run folder if there is something to draw.
        result: what became of the stars.
        out: folder for ``real-stars.md``, ``real-stars-wrong-1.png`` and so on.

    Returns:
        The table.

    Raises:
        InputError: there are stars to draw, but neither light curves nor recipe beside the catalog.
        RunError: a file cannot be written.
    """
    if result.short:
        LightCurveStore(catalog_path.parent / "lightcurves.zarr")
        load_recipe(catalog_path.parent / "recipe.toml")
    drawn = draw_missed(_missed(catalog_path, result), out, f"{STARS}-wrong")
    text = table_in_markdown(result, [path.name for path in drawn])
    write_file(out / f"{STARS}.md", as_unicode(text).encode("utf-8"))
    return out / f"{STARS}.md"


def _missed(catalog_path: Path, result: Score) -> Iterator[Missed]:
    """The stars that fall short; one that cannot be drawn says why and leaves the others alone."""
    for star in result.short:
        flags = "; ".join(star.flags) or "no flags"
        about = star.star.name, star.star.period, told(star), flags
        try:
            yield Missed(*about, load_fitted(catalog_path, int(star.row["star_id"])))
        except SpotcatError as error:
            yield Missed(*about, None, str(error))
