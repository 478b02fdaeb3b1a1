"""Real light curves in which nothing rotates, for sets that are made of them: read as ingest reads them, not cleaned.

A star belongs to one of two halves by its name alone: what a calibration learns from is never validated on.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spotcat.catalog.index import plain_name
from spotcat.catalog.published import read_labelled
from spotcat.config import CleanConfig, InputConfig, Recipe
from spotcat.ingest.clean import CleanCurve, Refusal
from spotcat.ingest.daycount import BKJD, FULL, MJD, MODIFIED, kind_of
from spotcat.ingest.describe import FileInfo
from spotcat.ingest.discover import discover
from spotcat.ingest.formats import PRODUCTS, TABLE
from spotcat.ingest.naming import labelled
from spotcat.ingest.plan import StarFiles, listed, plan_stars
from spotcat.ingest.read import Known, in_orbits, read_curve
from spotcat.ingest.scan import checksum, scan
from spotcat.status import InputError
from spotcat.text import system_path

LEARN, VALIDATE = "calibrate", "recovery"
"""The halves, by the check that uses them: one learns from its stars, the other validates on its own."""
NEGATIVE = "negative"
"""The kind of stars on which nothing rotates visibly."""
KEPLER_DAYS, K2_DAYS = (100.0, 1600.0), (1930.0, 2500.0)
"""First and last day (BKJD) of Kepler's prime mission and of K2, by which their tables are told."""

_MARGIN = 1.0
"""Measurements further [d] outside the dates of their file's header are damage, to ingest too."""
_CATALOGUED = re.compile(r"(kic|epic|tic)[ _-]*0*(\d+)(?![0-9])", re.IGNORECASE)


class Piece(NamedTuple):
    """The light curve of one file: time [d], relative flux and its error, segments from 0 on; shape (n,)."""

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    segment: np.ndarray


@dataclass(frozen=True)
class Background:
    """A star's real light curves in time order, by one observatory, and the SHA-256 of their files."""

    star: str
    observatory: str
    cadence: float
    pieces: tuple[Piece, ...]
    sha256: tuple[str, ...]

    @property
    def length(self) -> float:
        """Time that the files cover, the time between them left out [d]."""
        return sum(float(np.ptp(piece.time)) for piece in self.pieces)

    @property
    def n_points(self) -> int:
        """Measurements of all files."""
        return sum(piece.time.size for piece in self.pieces)


def half_of(star: str) -> str:
    """The half that a star belongs to, by a hash of its name.

    Names that contain a number of the KIC, EPIC or TIC stand for that star, however the rest is spelt.
    """
    found = _CATALOGUED.search(star)
    key = f"{found[1].lower()}{found[2]}" if found else plain_name(star)
    return (LEARN, VALIDATE)[int.from_bytes(hashlib.sha256(key.encode()).digest()) % 2]


def read_backgrounds(recipe: Recipe, half: str) -> list[Background]:
    """The backgrounds of a recipe that belong to a half; of each star those of its main observatory and cadence.

    Files are chosen among a star's as ingest chooses; the quality mask and the splitting into segments are those of the
    recipe, every later step of cleaning is left to the run.

    Args:
        recipe: its ``check``, ``input`` (author and reader), ``clean`` and ``fit.min_points`` are used.
        half: ``LEARN`` or ``VALIDATE``.

    Raises:
        InputError: no backgrounds are named, none of the files can be read, none is of a star that may be used, or all
            are too short.
    """
    check = recipe.check
    if not check.backgrounds:
        raise InputError(
            "check.backgrounds names no real light curves, which sets with -real in their name are made of"
        )
    try:
        sources, _ = discover(InputConfig(files=check.backgrounds))
    except InputError as error:
        raise InputError(str(error).replace("input.files", "check.backgrounds")) from None
    kinds = Path(system_path(check.background_kinds)).resolve() if check.background_kinds else None
    sources = [source for source in sources if source.path.resolve() != kinds]
    hashed = [(source, checksum(source.path)) for source in sources]
    labels = labelled(hashed)
    clean = _uncleaned(recipe.clean)
    files = [scan(source, sha256, clean) for source, (_, sha256) in zip(labels, hashed, strict=True)]
    stars = [star for star in plan_stars(files, recipe.input.author) if star.used]
    if not stars:
        raise InputError(f"check.backgrounds: no file can be read as a light curve ({_why_not(files)})")
    if check.background_kinds:
        stars = _of_kind(stars, check.background_kinds)
    found = [each for star in stars if half_of(star.identity.name) == half for each in _read(star, recipe, clean)]
    usable = [each for each in found if each.n_points >= recipe.fit.min_points]
    if found and not usable:
        most = max(found, key=lambda each: each.n_points)
        raise InputError(
            f"check.backgrounds: every background has fewer valid measurements than fit.min_points = "
            f"{recipe.fit.min_points} (most has {most.star}, {most.n_points}); give longer light curves"
        )
    # By a hash rather than by name: a short set is then made of stars from all over the sky.
    return sorted(usable, key=lambda each: (hashlib.sha256(each.star.encode()).digest(), each.pieces[0].time[0]))


def _uncleaned(config: CleanConfig) -> CleanConfig:
    """The same quality mask and segments, without any step that leaves measurements out."""
    return replace(
        config,
        ephemerides="",
        excess_sigma=0,
        scatter_ratio=0,
        dip_sigma=0,
        flare_sigma=0,
        outlier_sigma=0,
        ramp_ratio=0,
    )


def _why_not(files: Sequence[FileInfo]) -> str:
    """The most frequent reason, and files that have it."""
    reasons = Counter(info.refusal.reason if info.refusal else "several authors" for info in files)
    reason, _ = reasons.most_common(1)[0]
    same = [info.file for info in files if (info.refusal.reason if info.refusal else "several authors") == reason]
    return f"{listed(same)}: {reason}"


def _of_kind(stars: Sequence[StarFiles], path: str) -> list[StarFiles]:
    """The stars that a table of kinds calls negative.

    Raises:
        InputError: the table cannot be read, or none of the stars is.
    """
    kinds = read_labelled(system_path(path))
    if kinds is None:
        raise InputError(f"{path}: no column 'kind'; check.background_kinds is a table with the columns name and kind")
    negative = {plain_name(star.name) for star in kinds if star.kind == NEGATIVE}
    kept = [star for star in stars if plain_name(star.identity.name) in negative]
    if not kept:
        names = listed(star.identity.name for star in stars)
        raise InputError(
            f"check.background_kinds: {path}: calls none of the stars of check.backgrounds ({names}) {NEGATIVE}"
        )
    return kept


def _read(star: StarFiles, recipe: Recipe, clean: CleanConfig) -> list[Background]:
    """A star's backgrounds: all quarters of Kepler together, each campaign of K2 and each sector of TESS by itself."""
    found: dict[str, list[tuple[FileInfo, Piece]]] = {}
    for info in star.used:
        curve = read_curve(info.path, info.product, clean, recipe.input.reader, _known(info))
        if isinstance(curve, Refusal) or not (observatory := observatory_of(info.product, curve.time)):
            continue
        found.setdefault(observatory, []).append((info, _relative(curve)))
    alone = [[part] for name in sorted(found.keys() - {"kepler"}) for part in found[name]]
    groups = [*([found["kepler"]] if "kepler" in found else []), *alone]
    return [
        Background(
            star.identity.name,
            observatory_of(parts[0][0].product, parts[0][1].time),
            float(np.median(np.diff(parts[0][1].time))),
            tuple(piece for _, piece in parts),
            tuple(info.sha256 for info, _ in parts),
        )
        for parts in groups
    ]


def _known(info: FileInfo) -> Known:
    return Known() if info.product == TABLE else Known((info.start - _MARGIN, info.stop + _MARGIN))


def _relative(curve: CleanCurve) -> Piece:
    flux = curve.flux.astype(np.float64)
    level = float(np.median(flux))
    return Piece(curve.time, flux / level, curve.flux_err.astype(np.float64) / level, curve.segment.astype(int))


def observatory_of(product: str, time: np.ndarray) -> str:
    """Whose light curve it is: kepler, k2 or tess; empty where a table does not show it.

    Args:
        product: of the file; of a table, stretches as long as the orbits of TESS and the dates tell.
        time: its times [d], shape (n,).
    """
    if product in PRODUCTS:
        return PRODUCTS[product].campaign.folder
    if in_orbits(time):
        return "tess"
    day = float(np.median(time))
    kind = kind_of(day)
    day -= BKJD if kind == FULL else BKJD - MJD if kind == MODIFIED else 0.0
    spans = {"kepler": KEPLER_DAYS, "k2": K2_DAYS}
    return next((name for name, (first, last) in spans.items() if first <= day <= last), "")
