"""The dates from which days are counted, and how a count is told from its numbers.

Barycentric or not, full Julian dates (JD), the modified ones (MJD) and the days of Kepler (BKJD) and TESS (BTJD) differ
by constants.  Kepler began in 2009; a light curve of it, of K2 or of TESS can only lie in some ranges of each count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

JD, MJD, BKJD, BTJD = 0.0, 2_400_000.5, 2_454_833.0, 2_457_000.0
"""The Julian dates at which the counts begin."""
BY_NAME = {"jd": JD, "mjd": MJD, "bkjd": BKJD, "btjd": BTJD}

MISSION, MODIFIED, FULL = "days of a mission", "modified Julian dates", "Julian dates"
_RANGES = {MISSION: (-1_000.0, 13_000.0), MODIFIED: (54_000.0, 64_000.0), FULL: (2_400_000.0, 2_500_000.0)}
"""The first range holds BKJD, BTJD, days from the first measurement and JD - 2450000; the second also JD - 2400000."""
_ZEROS = {MISSION: (BKJD, BTJD), MODIFIED: (MJD, MJD - 0.5), FULL: (JD,)}
"""Where the counts of each range begin."""
_FROM_DATE = re.compile(r"b?jd *- *(\d+(?:\.\d*)?)")
_REACH = 100.0
"""An ephemeris whose count is a guess must name a transit within so many days of the light curve."""
_SAME = 0.05
"""Light curves of one star begin and end within this [d] of each other if only their counts differ."""


def kind_of(time: float) -> str:
    """Which kind of count a time [d] can belong to; empty for none."""
    return next((kind for kind, (first, last) in _RANGES.items() if first <= time <= last), "")


def kinds_of(time: np.ndarray) -> dict[str, np.ndarray]:
    """Which of some times [d] can belong to each kind of count, bool of their shape."""
    return {kind: (time >= first) & (time <= last) for kind, (first, last) in _RANGES.items()}


def stated_zero(header: Mapping[str, Any], column: str) -> float | None:
    """The Julian date from which a FITS table says that a column counts; None where it names none.

    Args:
        header: of the table.
        column: its name, in any case.
    """
    names = {str(header.get(f"TTYPE{i}", "")).strip().lower(): i for i in range(int(header.get("TFIELDS", 0)), 0, -1)}
    unit = str(header.get(f"TUNIT{names.get(column.lower(), 0)}") or "").strip().lower()
    match = _FROM_DATE.match(unit)
    return float(match[1]) if match else BY_NAME.get(unit)


def to_count(time: np.ndarray, zero: float, stated: float | None = None) -> tuple[np.ndarray, bool]:
    """Times in a known count, and whether they had to be brought to it.

    Full or modified Julian dates are told by their size; of two counts of mission days only the header can tell.

    Args:
        time: times [d], NaN where there is none.
        zero: Julian date from which they should count.
        stated: Julian date from which their header says that they count.
    """
    finite = time[np.isfinite(time)]
    found = kind_of(float(np.median(finite))) if finite.size else ""
    if not found:
        return time, False
    if stated not in _ZEROS[found]:
        stated = zero if zero in _ZEROS[found] or found == MISSION else _ZEROS[found][0]
    return (time, False) if stated == zero else (time + (stated - zero), True)


def epoch_in_count(epoch: float, span: tuple[float, float], zero: float | None) -> float | None:
    """An epoch in the count of a light curve; None where no count or more than one would do.

    Args:
        epoch: of an ephemeris [d].
        span: first and last time of the light curve [d].
        zero: Julian date from which these count; None where it is not known.
    """
    kind, own = kind_of(max(epoch, 0.0)), kind_of((span[0] + span[1]) / 2)
    if kind == own or not own:
        # Nothing says that they differ.
        return epoch
    if not kind:
        return None
    shifts = {a - b for a in _ZEROS[kind] for b in (_ZEROS[own] if zero is None else (zero,))}
    if zero is not None and len(shifts) == 1:
        return epoch + shifts.pop()
    near = [epoch + s for s in shifts if span[0] - _REACH <= epoch + s <= span[1] + _REACH]
    return near[0] if len(near) == 1 else None


def differ_in_count(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two spans (first, last [d]) are the same time in two counts."""
    zeros = [zero for kind in _ZEROS.values() for zero in kind]
    shifts = np.array([a - b for a in zeros for b in zeros if a != b])
    begin, end = one[0] - other[0], one[1] - other[1]
    return bool(np.any((np.abs(shifts - begin) < _SAME) & (np.abs(shifts - end) < _SAME)))
