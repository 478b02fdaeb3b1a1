"""What is slow in a light curve, and what is left when it is taken away: the measure of flares, outliers and dips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import savgol_filter

from spotcat.scatter import sigma_of
from spotcat.status import LeftOut

HOUR = 1 / 24
"""Width [d] of the bins in which faint flares and dips are sought."""

_PAUSE = 0.3
"""A pause longer than this [d] ends a stretch: pointing, focus and temperature may differ after it."""
_BIN = 1 / 96
"""Width [d] of the bins that the trend follows."""
_CLIPPED = 3.0
"""Residuals count as no more than so many sigma for the trend."""
_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Bins:
    """Means of a stretch in bins of equal width; `of` is the bin of each measurement."""

    time: np.ndarray
    flux: np.ndarray
    of: np.ndarray

    @classmethod
    def make(cls, time: np.ndarray, flux: np.ndarray, width: float) -> Bins:
        cell = np.floor((time - time[0]) / width).astype(np.int64)
        _, of = np.unique(cell, return_inverse=True)
        count = np.bincount(of)
        return cls(np.bincount(of, time) / count, np.bincount(of, flux) / count, of)


def stretches(time: np.ndarray, why: np.ndarray, cadence: float) -> Iterator[np.ndarray]:
    """Indices of the measurements still used, a stretch without a long pause at a time."""
    used = np.flatnonzero(why == LeftOut.USED)
    if used.size:
        yield from np.split(used, np.flatnonzero(np.diff(time[used]) > max(_PAUSE, 5 * cadence)) + 1)


def from_trend(time: np.ndarray, flux: np.ndarray, cadence: float, window: float) -> np.ndarray | None:
    """What a local parabola leaves, fitted to bins with residuals clipped; None where a stretch has no room for one.

    A running median would stand still at every maximum of a fast rotation and leave it over.
    """
    width = max(_BIN, cadence)
    bins = Bins.make(time, flux, width)
    size = 2 * max(3, round(window / 2 / width)) + 1
    grid = np.arange(bins.time[0], bins.time[-1] + width / 2, width)
    if grid.size < size + 2:
        return None
    even = np.interp(grid, bins.time, bins.flux)
    rest = even - median_filter(even, size=size, mode="nearest")
    trend = even - rest
    for _ in range(_ROUNDS):
        most = _CLIPPED * sigma_of(rest)
        trend = savgol_filter(trend + np.clip(rest, -most, most), size, 2, mode="interp")
        rest = even - trend
    return flux - np.interp(time, grid, trend)
