"""What came of each file of a shard: in memory, and as a mark beside a store in the making.

A mark is written after its shard, so that an ingest that was killed goes on with the shards that have none.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from spotcat.atomic import write_file
from spotcat.gaps import intervals
from spotcat.ingest.clean import Refusal
from spotcat.status import Status

_FOLDER, _PLAN = ".shards", "plan"


class Row(NamedTuple):
    """What the tables need of one stored light curve.

    The times are those of the measurements used; `n_stored` counts the others too.  `pauses` has the last time before
    and the first after each gap that may be closed [d], with blanks between.  The last six count what is left out, in
    the order of ``LeftOut``.
    """

    n_points: int
    n_segments: int
    time_min: float
    time_max: float
    cadence: float
    n_stored: int
    n_masked: int
    n_in_transit: int
    n_placeholder: int
    flags: int
    pauses: str
    n_excess: int
    n_scattered: int
    n_flares: int
    n_outliers: int
    n_ramps: int
    n_dips: int

    def intervals(self) -> tuple[np.ndarray, np.ndarray]:
        """First and last times [d] of what lies between the pauses, shape (n,) each."""
        inner = np.array(self.pauses.split(), dtype=float)
        return np.r_[self.time_min, inner[1::2]], np.r_[inner[::2], self.time_max]


def pauses_of(time: np.ndarray) -> str:
    """The text from which ``Row.intervals`` reads back ``gaps.intervals`` of sorted times [d]."""
    begin, end = intervals(time)
    return " ".join(repr(float(t)) for pair in zip(end[:-1], begin[1:], strict=True) for t in pair)


Outcome: TypeAlias = Row | Refusal


class Marks:
    """The marks of a store in the making.

    Args:
        folder: the store's folder meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER

    def begin(self, plan: str) -> None:
        """Say what the store is made from; there are no shards yet."""
        self._folder.mkdir(parents=True)
        write_file(self._folder / _PLAN, plan.encode())

    def is_of(self, plan: str) -> bool:
        """Whether the shards belong to a store made from the same."""
        try:
            return (self._folder / _PLAN).read_text(encoding="utf-8") == plan
        except OSError:
            return False

    def note(self, campaign: str, start: int, outcomes: Sequence[Outcome]) -> None:
        """Mark a shard that is written; nothing is noted where nobody began, as in a store that files are added to."""
        if self._folder.is_dir():
            folder = self._of(campaign)
            folder.mkdir(exist_ok=True)
            write_file(folder / str(start), json.dumps([_values(outcome) for outcome in outcomes]).encode())

    def read(self, campaign: str) -> dict[int, list[Outcome]]:
        """What came of the files of each shard that is written, by its first row."""
        if not self._of(campaign).is_dir():
            return {}
        marks = [path for path in self._of(campaign).iterdir() if path.name.isdecimal()]
        return {
            int(path.name): [_outcome(values) for values in json.loads(path.read_text(encoding="utf-8"))]
            for path in marks
        }

    def remove(self) -> None:
        """Take all marks away: the store is whole."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _of(self, campaign: str) -> Path:
        return self._folder / campaign.replace("/", " ")


def _values(outcome: Outcome) -> list[float | str]:
    return list(outcome) if isinstance(outcome, Row) else [int(outcome.status), outcome.reason]


def _outcome(values: list[float | str]) -> Outcome:
    if len(values) == len(Row._fields):
        return Row(*values)  # type: ignore[arg-type]
    status, reason = values
    return Refusal(Status(int(status)), str(reason))
