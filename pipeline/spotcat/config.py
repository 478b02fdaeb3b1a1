"""Recipes (what to run) and sites (where to run it): typed, checked, with every default in one place.

A recipe is a TOML file whose sections are the dataclasses below.  Unknown keys and wrong types are refused
with the file, the key and the nearest known name.  Paths are relative to the current directory.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from spotcat.status import InputError, RunError

T = TypeVar("T")


@dataclass(frozen=True)
class SurveyConfig:
    """Name, run folder and random seed of a survey."""

    name: str
    output: str
    seed: int


@dataclass(frozen=True)
class InputConfig:
    """Where the light curves are and which of them to take."""

    files: tuple[str, ...] = ()
    """Globs or folders of FITS files and plain tables."""
    manifest: str = ""
    """CSV with the columns star_id, name, file (file relative to the manifest)."""
    author: str = ""
    """Take only files of this author; needed where a star comes from several."""
    reader: str = "fast"
    """fast, or lightkurve for the reference reader; both give the same numbers."""


@dataclass(frozen=True)
class CleanConfig:
    """Which measurements enter the store."""

    quality: str = "default"
    """lightkurve's quality bit mask: none, default, hard or hardest."""
    gap: float = 30.0
    """A gap in time longer than this [d] starts a new segment; so does every file."""
    orbits: bool = False
    """Whether the two orbits of a TESS sector are segments of their own."""
    ephemerides: str = ""
    """CSV with the columns star, period [d], epoch [d], duration [h]; measurements in transit are left out."""
    flare_sigma: float = 0.0
    """Points this far above the running median [sigma] are left out; 0 keeps all."""
    outlier_sigma: float = 0.0
    """Up to two points in a row this far off [sigma] are left out, longer dips never; 0 keeps all."""
    clip_window: float = 0.5
    """Width of the running median [d]."""


@dataclass(frozen=True)
class FitConfig:
    """The search, refine and confirm steps; every value enters the catalog's fingerprint."""

    min_points: int = 50
    """Fewer valid measurements than this are not searched."""
    max_points: int = 2048
    """Light curves are binned to at most this many grid points."""
    cadence_min: float = 0.0
    """Bin width [d] below which no star is binned; 0 is the native cadence."""
    p_min: float = 0.2
    """Shortest period searched [d]; never below four bins."""
    p_max: float = 100.0
    """Longest period searched [d]; never above half the baseline."""
    n_period: int = 256
    """Log-spaced periods of the search."""
    shears: tuple[float, ...] = (0.0, 0.2)
    """Shear kappa of the search templates."""
    lifetimes: tuple[float, ...] = (1.5, 4.0, 12.0, 30.0)
    """Spot lifetimes of the search templates, in rotations."""
    n_harm: int = 4
    """Rotation harmonics in the covariance."""
    n_modes: int = 5
    """Period modes refined for each star, half and double the best among them."""
    refine_steps: int = 60
    """Most damped Newton steps of each mode; most arrive after a dozen."""
    confirm_modes: int = 3
    """Refined modes compared under the exact likelihood."""
    confirm_steps: int = 10
    """Most damped Newton steps of each of them."""
    polish_steps: int = 30
    """Most further steps of the best one."""
    batch: int = 16
    """Stars fitted together; also the size of a chunk."""
    detection: float = 12.0
    """Log-likelihood gain over no rotation from which a rotation counts as detected."""


@dataclass(frozen=True)
class SimulateConfig:
    """The population that ``spotcat simulate`` draws; ranges are (low, high)."""

    folder: str = ""
    n_stars: int = 0
    baseline: float = 150.0
    cadence: float = 0.5
    period: tuple[float, float] = (2.0, 30.0)
    kappa: tuple[float, float] = (0.0, 0.3)
    lspot: tuple[float, float] = (5.0, 40.0)
    tau_spot: tuple[float, float] = (2.0, 20.0)
    n_spots: tuple[int, int] = (10, 40)
    noise: tuple[float, float] = (0.3, 0.3)
    """White noise as a fraction of the signal's standard deviation."""
    gaps: float = 0.05
    """Fraction of the measurements lost."""


@dataclass(frozen=True)
class Recipe:
    """A whole survey: what to read, how to fit it and where to put the catalog."""

    survey: SurveyConfig
    input: InputConfig = field(default_factory=InputConfig)
    clean: CleanConfig = field(default_factory=CleanConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    simulate: SimulateConfig = field(default_factory=SimulateConfig)


@dataclass(frozen=True)
class Site:
    """Where a run happens."""

    executor: str = "local"
    """serial (this process) or local (worker processes on this machine)."""
    workers: int = 0
    """Worker processes; 0 is one per two gigabytes of memory, at most one per core."""


def load_recipe(path: str | Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        InputError: the file is missing, is not TOML, or a key is unknown, missing or of the wrong type.
    """
    recipe = _build(Recipe, _read_toml(path), str(path), "")
    _check_recipe(recipe, str(path))
    return recipe


def load_site(path: str | Path | None) -> Site:
    """Read and check a site; without a path, the default one."""
    site = Site() if path is None else _build(Site, _read_toml(path), str(path), "")
    if site.executor not in ("serial", "local"):
        raise InputError(f"{path}: executor must be 'serial' or 'local', not {site.executor!r}")
    if site.workers < 0:
        raise InputError(f"{path}: workers must not be negative, got {site.workers}")
    return site


def write_recipe(recipe: Recipe, path: str | Path) -> None:
    """Write a recipe with every default filled in; reading it back gives an equal recipe.

    Raises:
        RunError: the file cannot be written.
    """
    import tomli_w

    path = Path(path)
    # A half-written recipe would make its run folder look like another survey's.
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as stream:
            tomli_w.dump(to_dict(recipe), stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror})") from None


def to_dict(config: Any) -> dict[str, Any]:
    """A config as plain dictionaries and lists, ready for TOML or JSON."""
    return json.loads(json.dumps(asdict(config)))


def digest(value: Any) -> str:
    """Sixteen hexadecimal digits that name a config or any JSON-like value."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def nearest(name: str, known: list[str]) -> str:
    """A hint that names the closest known name, or lists them all."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def _read_toml(path: str | Path) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML ({error})") from None


def _build(cls: type[T], data: Mapping[str, Any], path: str, where: str) -> T:
    """Make a dataclass from a mapping, checking every key and type."""
    hints = get_type_hints(cls)
    known = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            raise InputError(f"{path}: unknown key '{where}{key}'; {nearest(key, known)}")
    values = {}
    for f in fields(cls):  # type: ignore[arg-type]
        if f.name in data:
            values[f.name] = _convert(hints[f.name], data[f.name], path, where + f.name)
        elif f.default is MISSING and f.default_factory is MISSING:
            raise InputError(f"{path}: missing key '{where}{f.name}'")
    return cls(**values)


def _convert(kind: Any, value: Any, path: str, where: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            raise InputError(f"{path}: '{where}' must be a section, got {value!r}")
        return _build(kind, value, path, where + ".")
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        if not isinstance(value, list):
            raise InputError(f"{path}: '{where}' must be a list, got {value!r}")
        if inner[-1] is not Ellipsis and len(value) != len(inner):
            raise InputError(f"{path}: '{where}' must have {len(inner)} values, got {len(value)}")
        return tuple(_convert(inner[0], item, path, where) for item in value)
    if kind is float and type(value) is int:
        value = float(value)
    if isinstance(kind, UnionType) or type(value) is not kind:
        raise InputError(f"{path}: '{where}' must be {kind.__name__}, got {value!r}")
    if kind is float and not math.isfinite(value):
        raise InputError(f"{path}: '{where}' must be finite, got {value!r}")
    return value


def _check_recipe(recipe: Recipe, path: str) -> None:
    """Refuse values that no run could use; `path` names the recipe in the message."""
    fit, clean = recipe.fit, recipe.clean
    rules = [
        (bool(recipe.survey.name), "survey.name must not be empty"),
        (bool(recipe.survey.output), "survey.output must not be empty"),
        (recipe.survey.seed >= 0, "survey.seed must not be negative"),
        (
            clean.quality in ("none", "default", "hard", "hardest"),
            "clean.quality must be none, default, hard or hardest",
        ),
        (recipe.input.reader in ("fast", "lightkurve"), "input.reader must be fast or lightkurve"),
        (clean.gap > 0, "clean.gap must be positive"),
        (clean.clip_window > 0, "clean.clip_window must be positive"),
        (
            all(sigma == 0 or sigma >= 3 for sigma in (clean.flare_sigma, clean.outlier_sigma)),
            "clean.flare_sigma and clean.outlier_sigma must be 0 or at least 3",
        ),
        (fit.min_points >= 20, "fit.min_points must be at least 20"),
        (fit.max_points >= 128, "fit.max_points must be at least 128"),
        (fit.cadence_min >= 0, "fit.cadence_min must not be negative"),
        (0 < fit.p_min < fit.p_max, "fit.p_min must be positive and below fit.p_max"),
        (fit.n_period >= 16, "fit.n_period must be at least 16"),
        (all(0 <= k < 0.9 for k in fit.shears) and len(fit.shears) > 0, "fit.shears must lie in [0, 0.9)"),
        (all(q > 0 for q in fit.lifetimes) and len(fit.lifetimes) > 0, "fit.lifetimes must be positive"),
        (3 <= fit.n_harm <= 8, "fit.n_harm must lie in 3..8"),
        (1 <= fit.confirm_modes <= fit.n_modes, "fit.confirm_modes must lie in 1..fit.n_modes"),
        (fit.n_modes >= 3, "fit.n_modes must be at least 3 (the best, its half and its double)"),
        (
            min(fit.refine_steps, fit.confirm_steps, fit.polish_steps) >= 1,
            "fit.refine_steps, fit.confirm_steps and fit.polish_steps must be positive",
        ),
        (fit.batch >= 1, "fit.batch must be positive"),
    ]
    for holds, words in rules + _simulate_rules(recipe.simulate):
        if not holds:
            raise InputError(f"{path}: {words}")


def _simulate_rules(sim: SimulateConfig) -> list[tuple[bool, str]]:
    return [
        (sim.n_stars >= 0, "simulate.n_stars must not be negative"),
        (0 < sim.cadence < sim.baseline, "simulate.cadence must be positive and below simulate.baseline"),
        (0 <= sim.gaps < 1, "simulate.gaps must lie in [0, 1)"),
        (0 < sim.period[0] <= sim.period[1], "simulate.period must be (low, high), low positive"),
        (0 <= sim.kappa[0] <= sim.kappa[1] < 1, "simulate.kappa must be (low, high) within [0, 1)"),
        (0 <= sim.lspot[0] <= sim.lspot[1], "simulate.lspot must be (low, high), low not negative"),
        (0 < sim.tau_spot[0] <= sim.tau_spot[1], "simulate.tau_spot must be (low, high), low positive"),
        (0 < sim.n_spots[0] <= sim.n_spots[1], "simulate.n_spots must be (low, high), low positive"),
        (0 <= sim.noise[0] <= sim.noise[1], "simulate.noise must be (low, high), low not negative"),
    ]
