"""The light-curve store: what it looks like on disk, and reading it.

A store is one zarr v3 hierarchy:

* ``<mission>/<campaign>-<cadence>s`` (``kepler/q05-1765s``, ``k2/c04-1765s``, ``tess/s0001-120s``,
  ``table/43000s``; another author's name before the cadence): one group per campaign, with one row per file, sorted
  by star.  The arrays ``time``, ``flux``, ``flux_err``, ``quality``, ``segment`` and ``left_out`` are
  ``[row, point]`` and packed: point j is the j-th valid measurement, and a row ends in NaN (-1 in ``segment``).
  ``time`` is f8 in the mission's days minus the attribute ``epoch``.  ``left_out`` says which measurements are not
  used, and why (``LeftOut``).  ``flux`` and ``flux_err`` are as delivered: f4 for the missions' files, which hold f4,
  and f8 for all others.  Columns over rows name the file of each ``row`` that holds one.
  Where a recipe names cotrending basis vectors, ``cadence_number`` holds the mission's number of each point, and
  ``cotrending/<detector>`` the vectors by that number; a row's detector follows from its column ``observed``.
* ``stars``: one row per star, bad ones included (see ``STAR_COLUMNS``).
* ``left_out``: the files without a row, and why.

The root's attributes are written last, and the folder takes its name only when it is complete.  What is appended later
goes into new groups (``tess/s0001-120s-1``), with new tables (``stars-1``); then the root's attributes name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.ingest.lightcurve import LightCurve, join, with_slope
from spotcat.ingest.vectors import StoredVectors
from spotcat.status import InputError, LeftOut, RunError

FORMAT = "spotcat light curves"
VERSION = 5

StarTable = dict[str, np.ndarray]
"""One-dimensional arrays by column name, one element per star, sorted by star_id."""

LEFT_OUT_COUNTS = tuple(kind.column for kind in LeftOut if kind)
"""Columns that count the measurements that are stored but not used, a kind each."""

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
    **dict.fromkeys(LEFT_OUT_COUNTS, "i4"),
    "n_in_transit": "i4",
    "n_placeholder": "i4",
    "status": "i1",
    "reason": "U",
    "flags": "i4",
    "input_hash": "U",
}
"""Name and kind of the columns of ``stars``.

``span`` is the time [d] from the first measurement to the last with the long gaps closed (``gaps``).
``n_masked``, ``n_in_transit`` and ``n_placeholder`` count the measurements that are not stored: those that the quality
mask and the transit mask took away, and values that stand for a missing one.
"""

ROW_COLUMNS = {
    "star_id": "i8",
    "row": "i8",
    "n_points": "i4",
    "n_segments": "i4",
    "time_min": "f8",
    "time_max": "f8",
    "cadence": "f8",
    "n_stored": "i4",
    "n_masked": "i4",
    **dict.fromkeys(LEFT_OUT_COUNTS, "i4"),
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
class _Campaign:
    """A campaign's arrays and the part of its row table that finds a star."""

    name: str
    arrays: Any
    epoch: int
    star_id: np.ndarray
    row: np.ndarray
    n_stored: np.ndarray


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
        joined = [join(star_id, names[star_id], pieces[star_id], n_vectors) for star_id in wanted.tolist()]
        return [with_slope(star) for star in joined] if self._slopes else joined

    @property
    def n_rows(self) -> int:
        """Number of light curves, one for every file that is used."""
        return sum(campaign.star_id.size for campaign in self._campaigns)

    @cached_property
    def _campaigns(self) -> list[_Campaign]:
        groups = [(name, self._root[name]) for name in self.campaigns]
        return [
            _Campaign(
                name, group, group.attrs["epoch"], *(group[column][:] for column in ("star_id", "row", "n_stored"))
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
        """Star, and the arrays that `join` takes, of each row that belongs to one of `star_ids` (sorted)."""
        first = np.searchsorted(campaign.star_id, star_ids, side="left")
        last = np.searchsorted(campaign.star_id, star_ids, side="right")
        rows = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
        if rows.size == 0:
            return []
        try:
            names = "time", "flux", "flux_err", "segment", "left_out"
            time, flux, flux_err, segment, left_out = (
                campaign.arrays[name].oindex[campaign.row[rows]] for name in names
            )
            vectors = self._vectors.at(campaign.name, campaign.arrays, rows)
        except (ValueError, RuntimeError, OSError, KeyError) as error:
            raise self._damaged(campaign) from error
        result: list[tuple[int, tuple[np.ndarray, ...]]] = []
        for k, row in enumerate(rows):
            n = campaign.n_stored[row]
            piece = (time[k, :n] + campaign.epoch, flux[k, :n], flux_err[k, :n], segment[k, :n])
            # A missing shard reads as fill values without an error.
            if not all(np.isfinite(part).all() for part in piece) or (n and segment[k, 0] != 0):
                raise self._damaged(campaign)
            result.append((int(campaign.star_id[row]), (*piece, vectors[k][:n], left_out[k, :n])))
        return result

    def _damaged(self, campaign: _Campaign) -> RunError:
        return RunError(f"{self.path}/{campaign.name}: damaged; delete the store and ingest again")


def versioned(name: str, generation: int) -> str:
    """A group's name after some additions to the store."""
    return f"{name}-{generation}" if generation else name
