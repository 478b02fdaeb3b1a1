"""The light-curve store: what it looks like on disk, and reading it.

A store is one zarr v3 hierarchy:

* ``<mission>/<campaign>-<cadence>s`` (``kepler/q05-1765s``, ``k2/c04-1765s``, ``tess/s0001-120s``,
  ``table/43000s``; another author's name before the cadence): one group per campaign, with one row per file, sorted
  by star.  The arrays ``time``, ``flux``, ``flux_err``, ``quality`` and ``segment`` are ``[row, point]`` and packed:
  point j is the j-th valid measurement, and a row ends in NaN (-1 in ``segment``).  ``time`` is f8 in the mission's
  days minus the attribute ``epoch``.  ``flux`` and ``flux_err`` are as delivered: f4 for the missions' files, which
  hold f4, and f8 for all others.  Columns over rows name the file of each ``row`` that holds one.
  Where a recipe names cotrending basis vectors, ``cadence_number`` holds the mission's number of each point, and
  ``cotrending/<detector>`` the vectors by that number; a row's detector follows from its column ``observed``.
* ``stars``: one row per star, bad ones included (see ``STAR_COLUMNS``).
* ``left_out``: the files without a row, and why.

The root's attributes are written last, and the folder takes its name only when it is complete.  What is appended later
goes into new groups (``tess/s0001-120s-1``), with new tables (``stars-1``); then the root's attributes name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.ingest.vectors import StoredVectors
from spotcat.status import InputError, RunError

FORMAT = "spotcat light curves"
VERSION = 5

StarTable = dict[str, np.ndarray]
"""One-dimensional arrays by column name, one element per star, sorted by star_id."""

STAR_COLUMNS = {
    "star_id": "i8",
    "name": "U",
    "mission": "U",
    "mission_id": "i8",
    "ra": "f8",
    "dec": "f8",
    "mag": "f4",
    "author": "U",
    "crowding": "f4",
    "n_points": "i4",
    "n_segments": "i4",
    "time_min": "f8",
    "time_max": "f8",
    "span": "f8",
    "cadence": "f8",
    "n_masked": "i4",
    "n_clipped": "i4",
    "n_in_transit": "i4",
    "n_placeholder": "i4",
    "status": "i1",
    "reason": "U",
    "flags": "i4",
    "input_hash": "U",
}
"""Name and kind of the columns of ``stars``.

``span`` is the time [d] from the first measurement to the last with the long gaps closed (``gaps``).
``n_masked``, ``n_clipped``, ``n_in_transit`` and ``n_placeholder`` count the measurements that were left out by the
quality mask, the clipping and the transit mask, and as values that stand for a missing one.
"""

ROW_COLUMNS = {
    "star_id": "i8",
    "row": "i8",
    "n_points": "i4",
    "n_segments": "i4",
    "time_min": "f8",
    "time_max": "f8",
    "cadence": "f8",
    "n_masked": "i4",
    "n_clipped": "i4",
    "n_in_transit": "i4",
    "n_placeholder": "i4",
    "flags": "i4",
    "pauses": "U",
    "crowding": "f4",
    "file": "U",
    "sha256": "U",
    "version": "U",
    "author": "U",
    "observed": "U",
}
"""Name and kind of the columns of a campaign."""

LEFT_OUT_COLUMNS = {"star_id": "i8", "file": "U", "sha256": "U", "status": "i1", "reason": "U"}
"""Name and kind of the columns of ``left_out``; status 0 where another file holds the same measurements."""


@dataclass(frozen=True)
class LightCurve:
    """One star's measurements, all campaigns joined.

    ``time`` f8 [d] in the mission's own system, strictly increasing; ``flux`` f8, each segment divided by its
    median; ``flux_err`` f8 on the same scale; ``segment`` i4, counting from 0 in time order.  ``vectors`` f8, shape
    (points, vectors), are the detector's cotrending basis vectors at each point, 0 where the mission gives none;
    without columns where the store keeps none; time is one before them if the recipe asks for slopes.  Each segment has
    coefficients of its own.
    """

    star_id: int
    name: str
    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    segment: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True)
class _Campaign:
    """A campaign's arrays and the part of its row table that finds a star."""

    name: str
    arrays: Any
    epoch: int
    star_id: np.ndarray
    row: np.ndarray
    n_points: np.ndarray


class LightCurveStore:
    """A complete store, opened for reading.

    Args:
        path: the store's folder.

    Raises:
        InputError: there is no store, or not a complete one of this version.
    """

    def __init__(self, path: str | Path) -> None:
        import zarr

        self.path = Path(path)
        if not self.path.is_dir():
            raise InputError(f"{self.path}: no light-curve store; run `spotcat ingest` first")
        try:
            self._root: Any = zarr.open_group(str(self.path), mode="r", zarr_format=3, use_consolidated=False)
            attributes: dict[str, Any] = self._root.attrs.asdict()
        except (OSError, ValueError, KeyError):
            attributes = {}
        if attributes.get("format") != FORMAT:
            raise InputError(f"{self.path}: not a complete light-curve store; delete it and ingest again")
        if attributes["version"] != VERSION:
            raise InputError(
                f"{self.path}: written in version {attributes['version']} of the store, this spotcat reads "
                f"version {VERSION}; delete it and ingest again"
            )
        self.input_hash: str = attributes["input_hash"]
        """One digest over every file that went in and every choice made about it."""
        self.campaigns: tuple[str, ...] = tuple(attributes["campaigns"])
        """Names of the campaign groups."""
        self.choices: str = attributes["choices"]
        """A digest of the cleaning and the author that were asked for."""
        self.generation: int = attributes["generation"]
        """How many times files were appended."""
        cleaning = attributes.get("cleaning", {})
        self._slopes: bool = cleaning.get("slopes", False)
        self._vectors = StoredVectors(cleaning["cotrending_vectors"] if cleaning.get("cotrending") else 0)

    @cached_property
    def stars(self) -> StarTable:
        """Every star, the unusable ones with their status and reason."""
        return self._table(versioned("stars", self.generation), STAR_COLUMNS)

    @cached_property
    def left_out(self) -> StarTable:
        """Every file that has no row, with its star and the reason."""
        return self._table(versioned("left_out", self.generation), LEFT_OUT_COLUMNS)

    def rows(self, campaign: str) -> StarTable:
        """The columns of a campaign, one element per row (see ``ROW_COLUMNS``)."""
        return self._table(campaign, ROW_COLUMNS)

    def read(self, star_ids: Sequence[int] | np.ndarray) -> list[LightCurve]:
        """Light curves in the order asked for; without points for stars that have no usable file.

        Raises:
            InputError: a star is not in the store.
            RunError: the store is damaged.
        """
        wanted = np.asarray(star_ids, dtype=np.int64)
        unique = np.unique(wanted)
        known = self.stars["star_id"]
        position = np.searchsorted(known, unique)
        found = np.append(known, -1)[position] == unique
        if not found.all():
            raise InputError(f"{self.path}: no star with star_id {unique[~found][0]}")
        pieces: dict[int, list[tuple[np.ndarray, ...]]] = {int(star_id): [] for star_id in unique}
        for campaign in self._campaigns:
            for star_id, piece in self._rows(campaign, unique):
                pieces[star_id].append(piece)
        names = dict(zip(unique.tolist(), self.stars["name"][position].tolist(), strict=True))
        n_vectors = self._vectors.n_vectors
        joined = [_join(star_id, names[star_id], pieces[star_id], n_vectors) for star_id in wanted.tolist()]
        return [_with_slope(star) for star in joined] if self._slopes else joined

    @property
    def n_rows(self) -> int:
        """Number of light curves, one for every file that is used."""
        return sum(campaign.star_id.size for campaign in self._campaigns)

    @cached_property
    def _campaigns(self) -> list[_Campaign]:
        groups = [(name, self._root[name]) for name in self.campaigns]
        return [
            _Campaign(
                name, group, group.attrs["epoch"], *(group[column][:] for column in ("star_id", "row", "n_points"))
            )
            for name, group in groups
        ]

    def _table(self, name: str, columns: dict[str, str]) -> StarTable:
        group = self._root[name]
        return {
            column: np.array(group[column][:].tolist(), dtype=str) if kind == "U" else group[column][:]
            for column, kind in columns.items()
        }

    def _rows(self, campaign: _Campaign, star_ids: np.ndarray) -> list[tuple[int, tuple[np.ndarray, ...]]]:
        """Star, and time, flux, flux_err, segment, vectors, of each row that belongs to one of `star_ids` (sorted)."""
        first = np.searchsorted(campaign.star_id, star_ids, side="left")
        last = np.searchsorted(campaign.star_id, star_ids, side="right")
        rows = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
        if rows.size == 0:
            return []
        try:
            time, flux, flux_err, segment = (
                campaign.arrays[name].oindex[campaign.row[rows]] for name in ("time", "flux", "flux_err", "segment")
            )
            vectors = self._vectors.at(campaign.name, campaign.arrays, rows)
        except (ValueError, RuntimeError, OSError, KeyError) as error:
            raise self._damaged(campaign) from error
        result: list[tuple[int, tuple[np.ndarray, ...]]] = []
        for k, row in enumerate(rows):
            n = campaign.n_points[row]
            piece = (time[k, :n] + campaign.epoch, flux[k, :n], flux_err[k, :n], segment[k, :n])
            # A missing shard reads as fill values without an error.
            if not all(np.isfinite(part).all() for part in piece) or (n and segment[k, 0] != 0):
                raise self._damaged(campaign)
            result.append((int(campaign.star_id[row]), (*piece, vectors[k][:n])))
        return result

    def _damaged(self, campaign: _Campaign) -> RunError:
        return RunError(f"{self.path}/{campaign.name}: damaged; delete the store and ingest again")


def versioned(name: str, generation: int) -> str:
    """A group's name after some additions to the store."""
    return f"{name}-{generation}" if generation else name


def _with_slope(star: LightCurve) -> LightCurve:
    """The same with time as a vector before the others: a segment's own coefficient makes it a slope."""
    middle = star.time.mean() if star.time.size else 0.0
    return replace(star, vectors=np.column_stack([star.time - middle, star.vectors]))


def _join(star_id: int, name: str, pieces: list[tuple[np.ndarray, ...]], n_vectors: int) -> LightCurve:
    """Put a star's campaigns in time order, number their segments on and divide each by its median."""
    times: list[np.ndarray] = []
    fluxes: list[np.ndarray] = []
    errors: list[np.ndarray] = []
    segments: list[np.ndarray] = []
    vectors: list[np.ndarray] = []
    n_segments = 0
    for piece in sorted(pieces, key=lambda piece: float(piece[0][0])):
        # Two files may share the measurement at which one ends and the next begins.
        fresh = piece[0] > (times[-1][-1] if times else -np.inf)
        time, flux, flux_err, segment, basis = (part[fresh] for part in piece)
        numbers, index = np.unique(segment, return_inverse=True)
        level = np.array([np.median(flux[segment == number].astype(np.float64)) for number in numbers])
        if time.size:
            times.append(time)
            fluxes.append(flux / level[index])
            errors.append(flux_err / level[index])
            segments.append(index + n_segments)
            vectors.append(basis)
            n_segments += numbers.size
    if not times:
        empty = np.empty(0)
        return LightCurve(star_id, name, empty, empty, empty, np.empty(0, dtype=np.int32), np.empty((0, n_vectors)))
    return LightCurve(
        star_id,
        name,
        np.concatenate(times),
        np.concatenate(fluxes),
        np.concatenate(errors),
        np.concatenate(segments).astype(np.int32),
        np.concatenate(vectors),
    )
