"""Semi-real sets: stars of the simulator in real light curves, and real light curves without coherence.

Written as files that a run ingests as it would a user's: of a star as many as its background has, with a manifest.
Times, gaps, errors, segments and all that instruments do are real, and cleaning acts on them as on the real thing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from spotcat.check.backgrounds import Background, Piece, read_backgrounds
from spotcat.check.populations import QUIET, RealSet, real_set
from spotcat.check.scramble import scramble
from spotcat.check.simulate import TRUTH_COLUMNS, SimulatedStar, truth_table, write_light_curve, written_once
from spotcat.check.sources import Source, draw
from spotcat.config import Recipe, SimulateConfig
from spotcat.scatter import sigma_of
from spotcat.status import InputError
from spotcat.text import system_path

REAL_COLUMNS = (*TRUTH_COLUMNS, "amplitude_over_noise", "cycles", "background")
"""Beside those of simulated stars: the standard deviation of the signal over the scatter of the background, the number
of rotations in the time that it covers, and its star."""

AMPLITUDE = (0.5, 30.0)
"""Standard deviation of the signal over the background's scatter, log-uniform."""
FEWEST_CYCLES = 2.5
"""Rotations that fit in the time that a background covers, at least."""
DARKEST = 0.5
"""Spots hide no more of a star's light than this; a background that scatters much gets a smaller amplitude."""
MANIFEST = "manifest.csv"


class RealStar(NamedTuple):
    """A semi-real star: the value of every column of `REAL_COLUMNS`, and its light curves in time order."""

    truth: dict[str, Any]
    pieces: tuple[Piece, ...]


def simulate_real(recipe: Recipe, name: str, n_stars: int, backgrounds: Sequence[Background]) -> Path:
    """Write a semi-real set: its light curves with a manifest, and beside the folder their truth.

    Star after star takes the backgrounds in turn; a larger set begins with the stars of a smaller one.

    Args:
        recipe: ``simulate.folder`` says where the set goes, ``fit.max_points`` on what grid backgrounds scatter; its
            seed decides all that is random.
        name: of the set, such as ``sector-real`` or ``sector-real-quiet``.
        n_stars: how many.
        backgrounds: what `backgrounds_for` returns.

    Returns:
        The folder.

    Raises:
        InputError: the folder holds something else.
        RunError: the files cannot be written.
    """
    record = {
        "seed": recipe.survey.seed,
        "set": name,
        "n_stars": n_stars,
        "max_points": recipe.fit.max_points,
        "segments": [recipe.clean.quality, recipe.clean.gap, recipe.clean.orbits],
        "backgrounds": [[each.star, *each.sha256] for each in backgrounds],
    }

    def fill(folder: Path) -> bytes:
        truths, listed = [], ["star_id,name,file"]
        for number in range(n_stars):
            star = real_star(number, recipe, name, backgrounds[number % len(backgrounds)])
            truths.append(star.truth)
            listed += [f"{number},{star.truth['name']},{file}" for file in _write(star, folder)]
        (folder / MANIFEST).write_text("\n".join(listed) + "\n", encoding="utf-8")
        return truth_table(truths, REAL_COLUMNS)

    return written_once(Path(system_path(recipe.simulate.folder)), json.dumps(record) + "\n", fill)


def backgrounds_for(recipe: Recipe, names: Sequence[str], half: str) -> dict[str, list[Background]]:
    """The backgrounds of each semi-real set of a check; nothing is read where there is none.

    Args:
        recipe: its ``check``, ``clean``, ``input`` and ``fit`` say what backgrounds there are and how they are read.
        names: of sets, simulated ones too.
        half: whose backgrounds are used, ``backgrounds.LEARN`` or ``VALIDATE``.

    Raises:
        InputError: there is no such set, no background can be used, or none is for one of the sets.
    """
    kinds = {name: kind for name in names if (kind := real_set(name))}
    if not kinds:
        return {}
    every = read_backgrounds(recipe, half)
    return {name: _chosen(every, kind, name, half) for name, kind in kinds.items()}


def _chosen(backgrounds: Sequence[Background], kind: RealSet, name: str, half: str) -> list[Background]:
    """The backgrounds that a set can be made of."""
    own = [each for each in backgrounds if each.observatory == kind.observatory]
    own = [each for each in own if kind.cadence[0] <= each.cadence * 86400 < kind.cadence[1]]
    # Twice as long, so that there are periods to draw, and differential rotation may make them longer.
    shortest = 2 * FEWEST_CYCLES * kind.stars.period[0]
    long = [each for each in own if each.length >= shortest]
    if not long:
        short = f" ({own[0].star} and others are shorter than {shortest:g} d)" if own else ""
        raise InputError(
            f"check.backgrounds: no star for the set {name} in the half of `check {half}`{short}; it takes light "
            f"curves of {kind.observatory} with cadences of {kind.cadence[0]:g} to {kind.cadence[1]:g} s: give more; "
            "a star's name decides whether it is learnt from or validated on"
        )
    return long


def real_star(number: int, recipe: Recipe, name: str, background: Background) -> RealStar:
    """Draw one star of a set.

    Args:
        number: its number in the set.
        recipe: its seed and ``fit.max_points`` are used.
        name: of the set.
        background: the real light curves that it is made of.
    """
    rng = np.random.default_rng(np.random.SeedSequence(recipe.survey.seed, spawn_key=(number,)))
    called = {"name": f"sim-{number:05d}", "background": background.star}
    nothing = dict.fromkeys(REAL_COLUMNS, np.nan) | {"family": ""}
    if name.endswith(QUIET):
        pieces = tuple(scramble(piece, rng).piece for piece in background.pieces)
        return RealStar(nothing | called | {"family": "scrambled"}, pieces)
    kind = real_set(name)
    assert kind is not None
    truth, signal = _signal(kind.stars, background, rng)
    scatter = grid_scatter(background, recipe.fit.max_points)
    ratio = float(np.exp(rng.uniform(*np.log(AMPLITUDE))))
    ratio = min(ratio, DARKEST / (scatter * -float(min(each.min() for each in signal))))
    pieces = tuple(
        piece._replace(flux=piece.flux * (1 + ratio * scatter * each))
        for piece, each in zip(background.pieces, signal, strict=True)
    )
    own = {"amplitude_over_noise": ratio, "noise": 1 / ratio, "cycles": background.length / float(truth["prot"])}
    return RealStar(nothing | truth | called | own, pieces)


def _signal(
    population: SimulateConfig, background: Background, rng: np.random.Generator
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """A star of a population at a background's times, with mean 0 and standard deviation 1, and what is true of it.

    Stars whose period leaves fewer than `FEWEST_CYCLES`, or on which no spot is seen, are drawn again.
    """
    start, end = background.pieces[0].time[0], background.pieces[-1].time[-1]
    # In few lengths: every other number of times would be compiled anew.
    steps = int(np.ceil((end - start + 2 * population.cadence) / population.baseline))
    longest = background.length / FEWEST_CYCLES
    config = replace(
        population,
        baseline=steps * population.baseline,
        period=(population.period[0], min(population.period[1], longest)),
        n_spots=(steps * population.n_spots[0], steps * population.n_spots[1]),
    )
    while True:
        star = draw(config, rng)
        curve = CubicSpline(star.time, star.flux)
        signal = [curve(piece.time - start) for piece in background.pieces]
        prot = star.shown_period(_observed(star, background))
        everything = np.concatenate(signal)
        if prot <= longest and everything.std() > 0:
            break
    return star.truth | {"prot": prot}, [(each - everything.mean()) / everything.std() for each in signal]


def _observed(star: Source, background: Background) -> np.ndarray:
    """Those of a star's regular times [d] that are nearest to one that was observed."""
    start, step = background.pieces[0].time[0], star.time[1] - star.time[0]
    near = [np.round((piece.time - start) / step).astype(int) for piece in background.pieces]
    return star.time[np.unique(np.concatenate(near))]


def grid_scatter(background: Background, max_points: int) -> float:
    """Robust standard deviation of a background on a grid such as the fit uses, each segment divided by its median.

    The grid's step is the cadence, or what `max_points` leave of the time that is covered.  Outliers and flares, which
    the cleaning finds, count for little.
    """
    step = max(background.cadence, background.length / max_points)
    means = []
    for piece in background.pieces:
        for number in np.unique(piece.segment):
            own = piece.segment == number
            flux = piece.flux[own] / np.median(piece.flux[own]) - 1
            _, place = np.unique(np.floor((piece.time[own] - piece.time[0]) / step), return_inverse=True)
            means.append(np.bincount(place, flux) / np.bincount(place))
    bins = np.concatenate(means)
    return sigma_of(bins) or float(np.std(bins))


def _write(star: RealStar, folder: Path) -> list[str]:
    """Write a star's files; their names."""
    names = []
    for k, piece in enumerate(star.pieces):
        names.append(f"{star.truth['name']}-{k:02d}.ecsv" if len(star.pieces) > 1 else f"{star.truth['name']}.ecsv")
        write_light_curve(SimulatedStar(star.truth, *piece), folder / names[-1])
    return names
