"""Recipes (what to run) and sites (where to run it): read, checked and written.

A recipe is a TOML file whose sections are the dataclasses of `spotcat.settings`, which are named here too.  Unknown
keys and wrong types are refused with the file, the key and the nearest known name.  Paths are relative to the current
directory.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from dataclasses import asdict, is_dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from spotcat.settings import CheckConfig as CheckConfig
from spotcat.settings import CleanConfig as CleanConfig
from spotcat.settings import FitConfig as FitConfig
from spotcat.settings import InputConfig as InputConfig
from spotcat.settings import Recipe as Recipe
from spotcat.settings import SimulateConfig as SimulateConfig
from spotcat.settings import Site as Site
from spotcat.settings import SlurmConfig as SlurmConfig
from spotcat.settings import SurveyConfig as SurveyConfig
from spotcat.spots import Spots as Spots
from spotcat.status import RunError
from spotcat.toml import Rules, build, check, read_toml
from spotcat.toml import nearest as nearest

T = TypeVar("T")


def read_as(kind: type[T], path: str | Path) -> T:
    """Read a TOML file as a dataclass.

    Raises:
        InputError: the file is missing, is not TOML, or a key is unknown, missing or of the wrong type.
    """
    return build(kind, read_toml(path), str(path))


def load_recipe(path: str | Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        InputError: as ``read_as``, or no run could use its values.
    """
    recipe = build(Recipe, _without_batch(read_toml(path), str(path)), str(path))
    check(_recipe_rules(recipe), str(path))
    if not recipe.fit.calibration:
        return recipe
    # Workers, which read the recipe again, may be in another directory.
    return replace(recipe, fit=replace(recipe.fit, calibration=str(Path(recipe.fit.calibration).absolute())))


def _without_batch(data: dict[str, Any], path: str) -> dict[str, Any]:
    """A recipe without ``fit.batch``, which older ones have: how many stars are fitted together changes no result."""
    fit = data.get("fit")
    if not isinstance(fit, dict) or "batch" not in fit:
        return data
    _say_where_batch_is(path, fit["batch"])
    return data | {"fit": {key: value for key, value in fit.items() if key != "batch"}}


@cache
def _say_where_batch_is(path: str, batch: object) -> None:
    logging.getLogger("spotcat.config").warning(
        "%s: fit.batch is ignored, and can be deleted: spotcat chooses how many stars are fitted together; "
        "batch = %s in a site's file says it for a machine",
        *(path, batch),
    )


def load_site(path: str | Path | None) -> Site:
    """Read and check a site; without a path, the default one."""
    site = Site() if path is None else read_as(Site, path)
    check(_site_rules(site), str(path))
    # Workers may be in another directory.
    own = site.cache in ("", "run")
    return site if own else replace(site, cache=str(Path(site.cache).expanduser().absolute()))


def write_config(config: Recipe | Site, path: str | Path) -> None:
    """Write a recipe or a site with every default filled in; reading it back gives an equal one.

    Raises:
        RunError: the file cannot be written.
    """
    import tomli_w

    path = Path(path)
    # A half-written recipe would make its run folder look like another survey's.
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as stream:
            tomli_w.dump(to_dict(config), stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None


def to_dict(config: Any) -> dict[str, Any]:
    """A config as plain dictionaries and lists, ready for TOML or JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return plain


def digest(value: Any) -> str:
    """Sixteen hexadecimal digits that name a config or any JSON-like value."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _recipe_rules(recipe: Recipe) -> Rules:
    fit, clean = recipe.fit, recipe.clean
    return [
        (bool(recipe.survey.name), "survey.name must not be empty"),
        (bool(recipe.survey.output), "survey.output must not be empty"),
        (recipe.survey.seed >= 0, "survey.seed must not be negative"),
        (_is_day(recipe.survey.date), f"survey.date must be a day such as 2026-11-28, got {recipe.survey.date!r}"),
        (
            clean.quality in ("none", "default", "hard", "hardest"),
            "clean.quality must be none, default, hard or hardest",
        ),
        (recipe.input.reader in ("fast", "lightkurve"), "input.reader must be fast or lightkurve"),
        (clean.gap > 0, "clean.gap must be positive"),
        (clean.clip_window > 0, "clean.clip_window must be positive"),
        (1 <= clean.cotrending_vectors <= 16, "clean.cotrending_vectors must lie in 1..16"),
        (
            all(
                x == 0 or x >= 3 for x in (clean.flare_sigma, clean.outlier_sigma, clean.excess_sigma, clean.dip_sigma)
            ),
            "clean.flare_sigma, outlier_sigma, excess_sigma and dip_sigma must be 0 or at least 3",
        ),
        (
            all(x == 0 or x > 1 for x in (clean.scatter_ratio, clean.ramp_ratio)),
            "clean.scatter_ratio and clean.ramp_ratio must be 0 or above 1",
        ),
        (fit.min_points >= 20, "fit.min_points must be at least 20"),
        (fit.max_points >= 128, "fit.max_points must be at least 128"),
        (fit.cadence_min >= 0, "fit.cadence_min must not be negative"),
        (0 < fit.p_min < fit.p_max, "fit.p_min must be positive and below fit.p_max"),
        (fit.n_period >= 16, "fit.n_period must be at least 16"),
        (all(0 <= k < 0.9 for k in fit.shears) and len(fit.shears) > 0, "fit.shears must lie in [0, 0.9)"),
        (all(q > 0 for q in fit.lifetimes) and len(fit.lifetimes) > 0, "fit.lifetimes must be positive"),
        (3 <= fit.n_harm <= 8, "fit.n_harm must lie in 3..8"),
        *Spots.of(fit).rules(),
        (1 <= fit.confirm_modes <= fit.n_modes, "fit.confirm_modes must lie in 1..fit.n_modes"),
        (fit.n_modes >= 3, "fit.n_modes must be at least 3 (the best, its half and its double)"),
        (
            min(fit.refine_steps, fit.confirm_steps, fit.polish_steps) >= 1,
            "fit.refine_steps, fit.confirm_steps and fit.polish_steps must be positive",
        ),
        (0 < fit.false_alarm <= 1, "fit.false_alarm must lie in (0, 1]"),
        (fit.sampler in ("laplace", "importance", "nuts"), "fit.sampler must be laplace, importance or nuts"),
        (0 <= fit.reliability <= 1, "fit.reliability must lie in [0, 1]"),
        (
            all(len(p) == 2 and p[1] > 0 for p in (fit.prior_decay_ratio, fit.prior_red)),
            "fit.prior_decay_ratio and fit.prior_red must be (mean, scatter), scatter positive",
        ),
        (
            min(fit.prior_shear, fit.prior_min_rotations, fit.prior_min_rotations_width) > 0
            and min(fit.prior_harmonic, fit.prior_constant) > 0,
            "the other fit.prior settings must be positive",
        ),
        *_simulate_rules(recipe.simulate),
        (recipe.check.n_stars >= 1, "check.n_stars must be positive"),
    ]


def _simulate_rules(sim: SimulateConfig) -> Rules:
    return [
        (sim.n_stars >= 0, "simulate.n_stars must not be negative"),
        (sim.source in ("spots", "butterpy", "quiet"), "simulate.source must be spots, butterpy or quiet"),
        (sim.observatory in ("plain", "kepler", "tess"), "simulate.observatory must be plain, kepler or tess"),
        (0 < sim.cadence < sim.baseline, "simulate.cadence must be positive and below simulate.baseline"),
        (0 <= sim.gaps < 1, "simulate.gaps must lie in [0, 1)"),
        (0 < sim.period[0] <= sim.period[1], "simulate.period must be (low, high), low positive"),
        (0 <= sim.kappa[0] <= sim.kappa[1] < 1, "simulate.kappa must be (low, high) within [0, 1)"),
        (0 <= sim.lspot[0] <= sim.lspot[1], "simulate.lspot must be (low, high), low not negative"),
        (0 < sim.tau_spot[0] <= sim.tau_spot[1], "simulate.tau_spot must be (low, high), low positive"),
        (0 < sim.n_spots[0] <= sim.n_spots[1], "simulate.n_spots must be (low, high), low positive"),
        (0 <= sim.noise[0] <= sim.noise[1], "simulate.noise must be (low, high), low not negative"),
    ]


def _site_rules(site: Site) -> Rules:
    slurm = site.slurm
    executors = ("serial", "local", "scheduler")
    return [
        (site.executor in executors, f"executor must be {', '.join(executors)}, not {site.executor!r}"),
        (site.executor != "scheduler" or site.scheduler_file != "", "executor = 'scheduler' needs scheduler_file"),
        (site.workers >= 0, f"workers must not be negative, got {site.workers}"),
        (site.platform in ("cpu", "cuda"), f"platform must be cpu or cuda, not {site.platform!r}"),
        (min(site.batch, site.chunk) >= 0, "batch and chunk must not be negative"),
        (site.chunk_seconds >= 0, "chunk_seconds must not be negative"),
        (site.patience > 0, "patience must be positive"),
        (slurm.shape in ("", "allocation", "array"), f"slurm.shape must be allocation or array, not {slurm.shape!r}"),
        (min(slurm.nodes, slurm.workers_per_node) >= 1, "slurm.nodes and slurm.workers_per_node must be positive"),
        (slurm.cpus_per_worker >= 1, "slurm.cpus_per_worker must be positive"),
        (
            min(slurm.gpus_per_node, slurm.max_requeues) >= 0,
            "slurm.gpus_per_node and max_requeues must not be negative",
        ),
        (site.platform == "cpu" or not slurm.shape or slurm.gpus_per_node > 0, "cuda needs slurm.gpus_per_node"),
        (
            0 < slurm.drain < seconds(slurm.walltime),
            f"slurm.walltime must be [days-]hours:minutes:seconds and longer than slurm.drain, got {slurm.walltime!r}",
        ),
    ]


def _is_day(text: str) -> bool:
    """Whether a text is empty or a day of the calendar, as ISO 8601 and FITS write it."""
    try:
        return not text or date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def seconds(walltime: str) -> int:
    """A walltime in seconds; 0 if it is not one."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", walltime)
    if not found:
        return 0
    days, hours, minutes, rest = (int(text or 0) for text in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
