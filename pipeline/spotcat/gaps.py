"""Long gaps in a star's measurements, and a time in which they are closed.

Spots that live shorter than a gap tell nothing across it: the stretches on its two sides are independent, and a grid
need not hold the time between.  A gap is closed if it is much longer than everything that is left in one piece; it
then takes up just enough of the grid that no lag across it is a lag within a stretch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

LONG = 30.0
"""No shorter gap [d] is closed: nights, lost weeks and safe modes leave a light curve in one piece."""
LONGER = 2.0
"""A gap is closed if it is so many times as long as the longest stretch."""
LEFT = 1.5
"""What is left of a closed gap, in units of the longest stretch; more than one, for what a grid rounds."""


class Stretches(NamedTuple):
    """Stretches of measurements between closed gaps.

    Attributes:
        begin: first time of each stretch [d], increasing, shape (k,).
        end: last time [d], shape (k,).
        shift: time taken away before each stretch [d], shape (k,), 0 for the first.
    """

    begin: np.ndarray
    end: np.ndarray
    shift: np.ndarray

    @property
    def longest(self) -> float:
        """Length of the longest stretch [d]."""
        return float(np.max(self.end - self.begin))

    @property
    def span(self) -> float:
        """Time from the first measurement to the last once the gaps are closed [d]; 0 if that is not finite."""
        with np.errstate(over="ignore", invalid="ignore"):
            span = float(self.end[-1] - self.begin[0] - self.shift[-1])
        return span if np.isfinite(span) else 0.0

    def of(self, time: np.ndarray) -> np.ndarray:
        """Which stretch each measurement belongs to, integers of the shape of `time`."""
        return np.searchsorted(self.begin, time, side="right") - 1


def stretches(begin: np.ndarray, end: np.ndarray) -> Stretches:
    """Close the long gaps between intervals of measurements.

    None is closed where every interval is a single time: then the gaps are the cadence.

    Args:
        begin: first time of each interval [d], in any order, at least one, shape (n,).
        end: last time of each [d], shape (n,).
    """
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], np.maximum.accumulate(end[order])
    with np.errstate(over="ignore", invalid="ignore"):
        gap = begin[1:] - end[:-1]
        for limit, longest in _longest_without(begin, end, gap):
            if 0 < LONGER * longest <= limit:
                cut = np.flatnonzero(gap >= limit)
                first, last = np.r_[begin[0], begin[1:][cut]], np.r_[end[:-1][cut], end[-1]]
                return Stretches(first, last, np.r_[0.0, np.cumsum(gap[cut] - LEFT * longest)])
    return Stretches(begin[:1], end[-1:], np.zeros(1))


def _longest_without(begin: np.ndarray, end: np.ndarray, gap: np.ndarray) -> Iterator[tuple[float, float]]:
    """Each long gap's length, ascending, and the longest stretch [d] that gaps of no less than this leave.

    Gaps are filled in one by one, the short ones first, which only makes stretches longer: one pass, however many.
    """
    first, last = np.arange(begin.size), np.arange(begin.size)  # where the stretch of each begins and ends, at its ends
    longest, filled = float(np.max(end - begin)), -np.inf
    for i in np.argsort(gap, kind="stable"):
        if gap[i] > max(filled, LONG):
            yield float(gap[i]), longest
            filled = gap[i]
        a, b = first[i], last[i + 1]
        last[a], first[b] = b, a
        longest = max(longest, float(end[b] - begin[a]))


def stretches_of(time: np.ndarray) -> Stretches:
    """Close the long gaps of a light curve.

    Args:
        time: sorted times [d], shape (N,).
    """
    return stretches(*intervals(time))


def intervals(time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last times [d] of what lies between gaps that may be closed, shape (n,) each.

    Args:
        time: sorted times [d], shape (N,).
    """
    with np.errstate(over="ignore"):
        jump = np.flatnonzero(np.diff(time) > LONG)
    return time[np.r_[0, jump + 1]], time[np.r_[jump, -1]]
