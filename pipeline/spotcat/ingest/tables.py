"""The store's tables: one row per star, one per file that holds a light curve, one per file that was left out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spotcat.config import digest
from spotcat.gaps import stretches
from spotcat.ingest.clean import Refusal
from spotcat.ingest.describe import FileInfo
from spotcat.ingest.outcome import Row
from spotcat.ingest.plan import StarFiles, listed, words_of
from spotcat.ingest.store import LEFT_OUT_COLUMNS, LEFT_OUT_COUNTS, ROW_COLUMNS, STAR_COLUMNS
from spotcat.status import Flag, Status

Columns = dict[str, list[Any]]

_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")


@dataclass(slots=True)
class Star:
    """A star's files and what came of reading them, in time order."""

    files: StarFiles
    rows: list[tuple[FileInfo, Row]] = field(default_factory=list)


def row_columns(rows: Iterable[tuple[int, FileInfo, Row]]) -> Columns:
    """The row table of a campaign, from the place of each light curve in its arrays."""
    columns: Columns = {name: [] for name in ROW_COLUMNS}
    for place, info, row in rows:
        values = {
            "star_id": info.identity.star_id,
            "row": place,
            "crowding": info.crowding,
            "file": info.file,
            "sha256": info.sha256,
            "version": info.version,
            "author": info.product,
            "observed": info.observed,
            **row._asdict(),
        }
        for name, column in columns.items():
            column.append(values[name])
    return columns


def star_columns(stars: Sequence[Star], min_points: int, choices: str) -> Columns:
    """The table of stars."""
    columns: Columns = {name: [] for name in STAR_COLUMNS}
    for star in stars:
        for name, value in _star_values(star, min_points, choices).items():
            columns[name].append(value)
    return columns


def left_out_columns(stars: Sequence[Star]) -> Columns:
    """The table of files without a row."""
    columns: Columns = {name: [] for name in LEFT_OUT_COLUMNS}
    for star in stars:
        losses = star.files.refused + star.files.left_out
        for info, cause in sorted(losses, key=lambda loss: (loss[0].file, loss[0].sha256)):
            row = (info.identity.star_id, info.file, info.sha256, int(cause.status), cause.reason)
            for name, value in zip(LEFT_OUT_COLUMNS, row, strict=True):
                columns[name].append(value)
    return columns


def by_reason(stars: Iterable[Star]) -> dict[str, list[str]]:
    """The files that were left out for each reason, most frequent first; numbers in it do not make another one."""
    found: dict[str, list[str]] = defaultdict(list)
    for star in stars:
        for info, cause in star.files.refused + star.files.left_out:
            found[_NUMBER.sub("N", words_of(cause))].append(info.file)
    return {reason: sorted(files) for reason, files in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))}


def _star_values(star: Star, min_points: int, choices: str) -> dict[str, Any]:
    rows = [row for _, row in star.rows]
    used = [info for info, _ in star.rows] or star.files.files
    identity = star.rows[0][0].identity if star.rows else star.files.identity
    authors = sorted({info.product for info in used if info.group})
    crowding = [info.crowding for info, _ in star.rows if np.isfinite(info.crowding)]
    verdict = _verdict(star, min_points)
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
        "span": _span(rows),
        "cadence": _typical_cadence(rows),
        "n_masked": sum(row.n_masked for row in rows),
        **{name: sum(getattr(row, name) for row in rows) for name in LEFT_OUT_COUNTS},
        "n_in_transit": sum(row.n_in_transit for row in rows),
        "n_placeholder": sum(row.n_placeholder for row in rows),
        "status": int(verdict.status),
        "reason": verdict.reason,
        "flags": int(_flags(star)),
        "input_hash": digest([identity.star_id, sorted((i.file, i.sha256) for i in star.files.files), choices]),
    }


def _span(rows: Sequence[Row]) -> float:
    if not rows:
        return float("nan")
    begin, end = (np.concatenate(ends) for ends in zip(*(row.intervals() for row in rows), strict=True))
    return stretches(begin, end).span


def _verdict(star: Star, min_points: int) -> Refusal:
    """Whether a fit may proceed, and if not why."""
    if star.files.problem:
        return star.files.problem
    if not star.rows:
        causes = star.files.refused or star.files.left_out
        words = "; ".join(f"{info.file}: {cause.reason}" for info, cause in causes[:3])
        more = f"; and {len(causes) - 3} more" if len(causes) > 3 else ""
        return Refusal(causes[0][1].status, words + more)
    n_points = sum(row.n_points for _, row in star.rows)
    if n_points < min_points:
        files = listed(info.file for info, _ in star.rows)
        words = f"{n_points} valid measurements, fewer than fit.min_points = {min_points} ({files})"
        return Refusal(Status.FEW_POINTS, words)
    return Refusal(Status.OK, "")


def _flags(star: Star) -> Flag:
    flags = Flag.FILES_REFUSED if star.rows and star.files.refused else Flag.NONE
    for _, row in star.rows:
        flags |= Flag(row.flags)
    return flags


def _typical_cadence(rows: Sequence[Row]) -> float:
    """The cadence [d] of the file with half of the star's points in files of no longer cadence."""
    ordered = sorted(rows, key=lambda row: row.cadence)
    total = np.cumsum([row.n_points for row in ordered])
    return ordered[int(np.searchsorted(total, total[-1] / 2))].cadence if ordered else np.nan


def _first_finite(values: Iterable[float]) -> float:
    return next((value for value in values if np.isfinite(value)), np.nan)
