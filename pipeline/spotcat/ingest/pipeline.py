"""The ingest stage: from a recipe's input to the light-curve store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import floor
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.config import Recipe, digest
from spotcat.ingest.clean import CleanCurve, Refusal
from spotcat.ingest.discover import Source, discover
from spotcat.ingest.formats import PRODUCTS, TABLE
from spotcat.ingest.plan import StarFiles, listed, plan_stars
from spotcat.ingest.read import read_curve
from spotcat.ingest.scan import FileInfo, checksum, scan
from spotcat.ingest.store import LEFT_OUT_COLUMNS, STAR_COLUMNS, VERSION, LightCurveStore
from spotcat.ingest.writer import StoreWriter
from spotcat.status import Flag, InputError, RunError, Status

_MARGIN = 1.0
"""Measurements further [d] outside the dates of their file's header are damage."""


@dataclass(frozen=True)
class IngestSummary:
    """What an ingest found; `kept` is true where a store of the same input was there already."""

    n_files: int
    n_left_out: int
    n_stars: int
    n_usable: int
    input_hash: str
    kept: bool


@dataclass(frozen=True, slots=True)
class _Row:
    """What the star table needs of one stored light curve."""

    info: FileInfo
    n_points: int
    n_segments: int
    time_min: float
    time_max: float
    cadence: float
    errors_estimated: bool
    odd: bool


@dataclass(slots=True)
class _Star:
    """A star's files and what came of reading them."""

    files: StarFiles
    rows: list[_Row] = field(default_factory=list)


def ingest(recipe: Recipe, store_path: Path, progress: Callable[[int, int], None]) -> IngestSummary:
    """Read every light curve of a recipe into one store, which exists only once it is complete.

    A complete store of the same input is kept as it is.  A bad file or star never stops the others: it is
    listed with its reason.

    Args:
        recipe: its ``input`` and ``clean`` sections and ``fit.min_points`` are used.
        store_path: where the store goes; the folders above it are made.
        progress: called with the number of files done and their total.

    Raises:
        InputError: the input is wrong as a whole, the output cannot be written, or `store_path` holds a store
            made from other input.
        RunError: writing failed, for instance because the disk is full.
    """
    sources = discover(recipe.input)
    hashed = [(source, checksum(source.path)) for source in sources]
    input_hash = _input_hash(recipe, hashed)
    if store_path.exists():
        return _keep(store_path, input_hash)
    files = [scan(source, sha256, recipe.clean) for source, sha256 in hashed]
    stars = [_Star(star) for star in plan_stars(files, recipe.input.author)]
    try:
        writer = StoreWriter(store_path)
        _write_campaigns(writer, stars, recipe, lambda done: progress(done, len(files)))
        columns = _star_columns(stars, recipe)
        left_out = _left_out_columns(stars)
        writer.finish(columns, left_out, input_hash)
    except OSError as error:
        raise RunError(f"{store_path}: writing failed ({error.strerror})") from error
    n_usable = sum(status == Status.OK for status in columns["status"])
    return IngestSummary(len(files), len(left_out["file"]), len(stars), n_usable, input_hash, kept=False)


def _input_hash(recipe: Recipe, hashed: Iterable[tuple[Source, str]]) -> str:
    """A digest of what decides the store's contents; where the files lie does not."""
    files = sorted((s.path.name, sha256, s.star_id, s.name) for s, sha256 in hashed)
    return digest([VERSION, files, *_choices(recipe), recipe.fit.min_points])


def _choices(recipe: Recipe) -> tuple[Any, ...]:
    return recipe.input.author, recipe.clean.quality, recipe.clean.gap


def _keep(store_path: Path, input_hash: str) -> IngestSummary:
    store = LightCurveStore(store_path)
    if store.input_hash != input_hash:
        raise InputError(
            f"{store_path}: holds other light curves, or the same ones cleaned otherwise; "
            "choose another survey.output or delete this run folder"
        )
    n_left_out = store.left_out["file"].size
    status = store.stars["status"]
    n_usable = int(np.count_nonzero(status == Status.OK))
    return IngestSummary(store.n_rows + n_left_out, n_left_out, status.size, n_usable, input_hash, kept=True)


def _write_campaigns(
    writer: StoreWriter, stars: Sequence[_Star], recipe: Recipe, progress: Callable[[int], None]
) -> None:
    """Read the chosen files campaign by campaign and write them, stars in order."""
    campaigns: dict[str, list[tuple[_Star, FileInfo]]] = {}
    for star in stars:
        for info in star.files.used:
            campaigns.setdefault(info.group, []).append((star, info))
    done = sum(len(star.files.left_out) + len(star.files.refused) for star in stars)
    progress(done)
    for name in sorted(campaigns):
        members = campaigns[name]
        shape = (len(members), max(info.n_rows for _, info in members))
        campaign = writer.campaign(name, shape, _attributes([info for _, info in members]))
        for star, info in members:
            curve = read_curve(
                info.path, info.product, recipe.clean, recipe.input.reader, (info.start - _MARGIN, info.stop + _MARGIN)
            )
            if isinstance(curve, Refusal):
                star.files.refused.append((info, curve))
            else:
                campaign.add(info, curve)
                star.rows.append(_row(info, curve))
            done += 1
            progress(done)
        campaign.close()


def _attributes(members: Sequence[FileInfo]) -> dict[str, Any]:
    product = members[0].product
    # Tables of one cadence need not share a time system; without an epoch their times stay exact.
    epoch = 0 if product == TABLE else floor(min(info.start for info in members))
    time_system = "as given" if product == TABLE else PRODUCTS[product].time_system
    return {"product": product, "epoch": epoch, "time_system": time_system, "time_unit": "d"}


def _row(info: FileInfo, curve: CleanCurve) -> _Row:
    return _Row(
        info,
        curve.time.size,
        int(curve.segment[-1]) + 1,
        float(curve.time[0]),
        float(curve.time[-1]),
        float(np.median(np.diff(curve.time))),
        curve.errors_estimated,
        curve.odd,
    )


def _star_columns(stars: Sequence[_Star], recipe: Recipe) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in STAR_COLUMNS}
    for star in stars:
        for name, value in _star_values(star, recipe).items():
            columns[name].append(value)
    return columns


def _star_values(star: _Star, recipe: Recipe) -> dict[str, Any]:
    """One row of the star table."""
    rows = star.rows
    used = [row.info for row in rows] or star.files.files
    identity = rows[0].info.identity if rows else star.files.identity
    authors = sorted({info.product for info in used if info.group})
    crowding = [row.info.crowding for row in rows if np.isfinite(row.info.crowding)]
    verdict = _verdict(star, recipe.fit.min_points)
    return {
        "star_id": identity.star_id,
        "name": identity.name,
        "mission": identity.mission,
        "mission_id": identity.mission_id,
        "ra": _first_finite(info.ra for info in used),
        "dec": _first_finite(info.dec for info in used),
        "mag": _first_finite(info.mag for info in used),
        "author": authors[0] if len(authors) == 1 else "",
        "crowding": np.median(crowding) if crowding else np.nan,
        "n_points": sum(row.n_points for row in rows),
        "n_segments": sum(row.n_segments for row in rows),
        "time_min": min((row.time_min for row in rows), default=np.nan),
        "time_max": max((row.time_max for row in rows), default=np.nan),
        "cadence": _typical_cadence(rows),
        "status": int(verdict.status),
        "reason": verdict.reason,
        "flags": int(_flags(star)),
        "input_hash": digest(
            [identity.star_id, sorted((i.file, i.sha256) for i in star.files.files), *_choices(recipe)]
        ),
    }


def _verdict(star: _Star, min_points: int) -> Refusal:
    """Whether a fit may proceed, and if not why."""
    if star.files.problem:
        return star.files.problem
    if not star.rows:
        causes = star.files.refused or star.files.left_out
        words = "; ".join(f"{info.file}: {cause.reason}" for info, cause in causes[:3])
        more = f"; and {len(causes) - 3} more" if len(causes) > 3 else ""
        return Refusal(causes[0][1].status, words + more)
    n_points = sum(row.n_points for row in star.rows)
    if n_points < min_points:
        files = listed(row.info.file for row in star.rows)
        words = f"{n_points} valid measurements, fewer than fit.min_points = {min_points} ({files})"
        return Refusal(Status.FEW_POINTS, words)
    return Refusal(Status.OK, "")


def _flags(star: _Star) -> Flag:
    flags = Flag.NONE
    if star.rows and star.files.refused:
        flags |= Flag.FILES_REFUSED
    if any(row.errors_estimated for row in star.rows):
        flags |= Flag.ERRORS_ESTIMATED
    if any(row.odd for row in star.rows):
        flags |= Flag.MEASUREMENTS_ODD
    return flags


def _typical_cadence(rows: Sequence[_Row]) -> float:
    """The cadence [d] of the file with half of the star's points in files of no longer cadence."""
    ordered = sorted(rows, key=lambda row: row.cadence)
    total = np.cumsum([row.n_points for row in ordered])
    return ordered[int(np.searchsorted(total, total[-1] / 2))].cadence if ordered else np.nan


def _first_finite(values: Iterable[float]) -> float:
    return next((value for value in values if np.isfinite(value)), np.nan)


def _left_out_columns(stars: Sequence[_Star]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in LEFT_OUT_COLUMNS}
    for star in stars:
        losses = star.files.refused + star.files.left_out
        for info, cause in sorted(losses, key=lambda loss: (loss[0].file, loss[0].sha256)):
            row = (info.identity.star_id, info.file, info.sha256, int(cause.status), cause.reason)
            for name, value in zip(LEFT_OUT_COLUMNS, row, strict=True):
                columns[name].append(value)
    return columns
