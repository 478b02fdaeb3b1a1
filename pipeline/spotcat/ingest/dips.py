"""Narrow dips, as of transits and eclipses, found against the light curve's own trend and left out whole."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import median_filter

from spotcat.config import CleanConfig
from spotcat.ingest.trend import HOUR, Bins, from_trend, stretches
from spotcat.scatter import sigma_of
from spotcat.status import LeftOut

MAX_OUTLIERS, CROWD = 2, 0.1
"""More points than this within such a time [d] that are too low are a dip, not outliers."""

_CLIPPED = 3.0
"""Residuals count as no more than so many sigma in the mean of an hour."""
_EDGE_SIGMA = 1.0
"""A dip goes on while it is this much below the trend."""
_MARGIN = 2
"""Points more at either end, where it begins."""
_FEWEST_DIPS, _ALIKE = 3, 0.3
"""So many dips with depths so close to their median, most of all, are a companion's."""
_BESIDE = 10
"""Points on either side of a dip from which its depth is measured."""
_PASSES = 2
"""The trend bends into a dip until it is known."""


def mark_dips(why: np.ndarray, time: np.ndarray, flux: np.ndarray, cadence: float, config: CleanConfig) -> None:
    """Leave out dips of a segment that are no longer than the window of the trend.

    Args:
        why: ``LeftOut`` of each measurement, changed in place, shape (N,).
        time: sorted times [d], shape (N,).
        flux: shape (N,).
        cadence: spacing of the measurements [d].
        config: depth and window.
    """
    for _ in range(_PASSES):
        parts = []
        for part in stretches(time, why, cadence):
            rest = from_trend(time[part], flux[part], cadence, config.clip_window)
            if rest is not None:
                parts.append((part, rest))
        sigma = sigma_of(np.concatenate([rest for _, rest in parts])) if parts else 0.0
        if sigma == 0:
            return
        # So that a single outlier does not make a dip of its hour.
        most = _CLIPPED * sigma
        width = max(HOUR, 3 * cadence)
        hours = [Bins.make(time[part], np.clip(rest, -most, most), width) for part, rest in parts]
        hourly = sigma_of(np.concatenate([bins.flux for bins in hours]))
        before = np.count_nonzero(why)
        for (part, rest), bins in zip(parts, hours, strict=True):
            low = rest < -config.dip_sigma * sigma
            core = low & ~lonely_points(low, max(2, round(CROWD / cadence)))
            if width < config.clip_window / 4:
                core |= (bins.flux < -config.dip_sigma * hourly)[bins.of] & (rest < 0)
            why[part[_narrow(time[part], rest / sigma, core, config.clip_window)]] = LeftOut.DIP
        if np.count_nonzero(why) == before:
            return


def repeating(flux: np.ndarray, why: np.ndarray) -> bool:
    """Whether a light curve's dips are of one depth, as those of a planet or a companion are.

    Args:
        flux: shape (N,).
        why: ``LeftOut`` of each measurement, shape (N,).
    """
    wide = flux.astype(np.float64)
    depth = np.array([_depth(wide, start, stop) for start, stop in _runs(why == LeftOut.DIP)])
    typical = np.median(depth) if depth.size else 0.0
    alike = np.abs(depth - typical) < _ALIKE * typical
    return bool(np.count_nonzero(alike) >= _FEWEST_DIPS and np.mean(alike) > 0.5)


def _depth(flux: np.ndarray, start: int, stop: int) -> float:
    """Depth of the middle of a dip below what is measured on both sides of it."""
    quarter = (stop - start) // 4
    around = np.concatenate([flux[max(start - _BESIDE, 0) : start], flux[stop : stop + _BESIDE]])
    return float(np.median(around) - np.median(flux[start + quarter : stop - quarter])) if around.size else 0.0


def _narrow(time: np.ndarray, rest: np.ndarray, core: np.ndarray, longest: float) -> np.ndarray:
    """The dips around some points, to where they begin and end, but for those that last too long."""
    below = median_filter(rest, size=3, mode="nearest") < -_EDGE_SIGMA
    found = np.zeros(time.size, dtype=bool)
    for start, stop in _runs(below | core):
        if core[start:stop].any() and time[stop - 1] - time[start] <= longest:
            found[max(start - _MARGIN, 0) : stop + _MARGIN] = True
    return found


def _runs(marked: np.ndarray) -> list[tuple[int, int]]:
    """First place, and the one after the last, of each unbroken run of marked points."""
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def lonely_points(marked: np.ndarray, crowd: int) -> np.ndarray:
    """Those of the marked points that have no more than one other within `crowd` points of them."""
    near = np.convolve(marked, np.ones(2 * crowd + 1), mode="same")[: marked.size] if marked.any() else marked
    return marked & (near <= MAX_OUTLIERS)
