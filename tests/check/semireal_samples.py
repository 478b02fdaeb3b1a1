"""Small backgrounds: tables that look like a sector of full-frame images, with what a real one has besides noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from spotcat.check.backgrounds import Background, Piece
from spotcat.check.quiet import red
from spotcat.config import CheckConfig, Recipe, SurveyConfig

CADENCE = 1800 / 86400
FLARE = slice(300, 303)
"""Measurements of every background that hold a flare."""


def sector(seed: int, white: float = 1e-3, slow: float = 2e-3) -> Piece:
    """Two orbits with white noise, red noise and a flare of 5 %."""
    rng = np.random.default_rng(seed)
    time = 2000 + np.arange(0, 27, CADENCE)
    time = time[np.abs(time - 2013.5) > 0.6]
    flux = 1 + white * rng.standard_normal(time.size) + slow * red(time, rng)
    flux[FLARE] += 0.05
    return Piece(time, flux, white * rng.uniform(0.9, 1.1, time.size), (time > 2013.5).astype(int))


def as_background(piece: Piece, star: str = "star") -> Background:
    return Background(star, "tess", CADENCE, (piece,), ("",))


def write_backgrounds(folder: Path, names: list[str]) -> Path:
    """A table of each name, as a user has them: without a column of segments."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        piece = sector(seed)
        Table({"time": piece.time, "flux": piece.flux, "flux_err": piece.flux_err}).write(folder / f"{name}.ecsv")
    return folder


def recipe_of(folder: Path, backgrounds: Path, **check: object) -> Recipe:
    config = CheckConfig(backgrounds=(str(backgrounds),), **check)  # type: ignore[arg-type]
    return Recipe(SurveyConfig("test", str(folder / "out"), 3), check=config)
