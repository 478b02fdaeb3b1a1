"""Narrow dips, as of eclipses and transits, that a rotation model takes for spots."""

from __future__ import annotations

import numpy as np

from spotcat.gp.grid import GridBatch
from spotcat.verdict.classical import times_within
from spotcat.verdict.thresholds import THRESHOLDS

MOST_WORK = 1e8
"""Measurements times trial periods of the longest comparison; of a longer one only the beginning is compared."""
MOST_BOXES = 1e5
"""Shortest boxes in the time that is compared, those of 22 years: what is longer is taken with the gaps as the grid
closes them, and is not compared if it is longer even so.  The trial periods are a few times as many."""


def dipping(batch: GridBatch, dt: float, prot: np.ndarray, lifetime: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Whether light curves have narrow dips: by their skewness or roughness, or because boxes explain more of them.

    Args:
        batch: light curves on a fine grid, B of them.
        dt: its step [d].
        prot: fitted rotation periods [d], shape (B,).
        lifetime: fitted spot lifetimes [d], shape (B,).
        levels: fitted levels of the harmonics n = 0, 1, ..., shape (B, n_harm + 1).

    Returns:
        Truth values, shape (B,).
    """
    skew = skewness(batch)
    found = (skew < THRESHOLDS.dip_skewness) | (roughness(batch) > THRESHOLDS.dip_roughness)
    seen = batch.mask > 0
    extent = np.array([np.ptp(t[own]) if own.any() else 0 for t, own in zip(batch.elapsed, seen, strict=True)])
    strict = lifetime > np.minimum(THRESHOLDS.suspect_lives * extent, THRESHOLDS.suspect_lifetime)
    suspect = strict | (skew < THRESHOLDS.suspect_skewness)
    suspect |= (levels[:, 3:] - levels[:, 1:2]).max(axis=1) > THRESHOLDS.suspect_harmonics
    for i in np.flatnonzero(suspect & ~found & np.isfinite(prot)):
        # Of spots that change, boxes of single measurements would explain as much as one likes.
        shortest = 0.0 if strict[i] else dt
        time = times_within(batch.elapsed[i], dt, MOST_BOXES * max(THRESHOLDS.box_durations[0], shortest))
        found[i] = boxes_win(time[seen[i]], batch.y[i, seen[i]], prot[i], shortest)
    return found


def skewness(batch: GridBatch) -> np.ndarray:
    """Skewness of the flux of each star, shape (B,)."""
    count = np.maximum(batch.mask.sum(1), 1)
    y = (batch.y - (batch.y.sum(1) / count)[:, None]) * batch.mask
    spread = np.maximum(np.sqrt((y**2).sum(1) / count), 1e-300)
    return ((y / spread[:, None]) ** 3).sum(1) / count


def roughness(batch: GridBatch) -> np.ndarray:
    """Variance of each measurement from the mean of its neighbours, in units of the flux's; shape (B,).

    After von Neumann et al. (1941, Ann. Math. Stat. 12, 153), of second differences: they know no slopes.  0 where no
    three measurements follow one another.
    """
    y, mask = batch.y, batch.mask
    all_three = mask[:, :-2] * mask[:, 1:-1] * mask[:, 2:]
    away = (y[:, 1:-1] - 0.5 * (y[:, :-2] + y[:, 2:])) * all_three
    variance = ((y * mask) ** 2).sum(1) / np.maximum(mask.sum(1), 1)
    return (away**2).sum(1) / np.maximum(all_three.sum(1), 1) / np.maximum(variance, 1e-300)


def boxes_win(time: np.ndarray, flux: np.ndarray, prot: float, shortest_box: float) -> bool:
    """Whether periodic boxes (Kovacs, Zucker & Mazeh 2002, A&A 391, 369) leave less of the flux than a rotation does.

    The rotation is two harmonics of the fitted period, or of the boxes' own.

    Args:
        time: [d], shape (n,).
        flux: shape (n,).
        prot: fitted rotation period [d].
        shortest_box: shorter boxes than this [d] are not tried.

    Returns:
        Whether they do; not where there are too few measurements for boxes, or more than `MOST_BOXES` fit in.
    """
    from astropy.timeseries import BoxLeastSquares

    durations = np.unique(np.maximum(THRESHOLDS.box_durations, shortest_box))
    if not np.ptp(time) <= MOST_BOXES * durations[0]:
        return False
    periods = _trial_periods(float(np.ptp(time)), prot, durations)
    some = time - time[0] <= np.ptp(time) * min(1.0, np.sqrt(MOST_WORK / (time.size * max(periods.size, 1))))
    time, y = time[some], flux[some] - flux[some].mean()
    periods = _trial_periods(float(np.ptp(time)), prot, durations)
    if not periods.size:
        return False
    search = BoxLeastSquares(time, y)
    found = search.power(periods, durations, method="fast", oversample=3)
    best = int(np.argmax(found.power))
    where = found.period[best], found.duration[best], found.transit_time[best]
    if not search.transit_mask(time, *where).any():
        return False  # a box that rounding has moved off its one measurement
    box = search.model(time, *where)
    left = np.mean((y - box) ** 2)
    return bool(left < min(_left_by_harmonics(time, y, p) for p in (prot, found.period[best])))


def _trial_periods(span: float, prot: float, durations: np.ndarray) -> np.ndarray:
    """Periods so close that the boxes at both ends of a light curve are in phase to half their duration."""
    reach = THRESHOLDS.box_span
    longest, shortest = min(reach * prot, span / 2), max(prot / reach, 2 * durations[-1])
    if shortest >= longest:
        return np.empty(0)
    return np.geomspace(shortest, longest, int(2 * span / durations[0] * np.log(longest / shortest)) + 2)


def _left_by_harmonics(time: np.ndarray, y: np.ndarray, period: float) -> float:
    """Mean square that two harmonics of a period leave."""
    phase = 2 * np.pi * time / period
    waves = np.stack([np.ones_like(phase), *(f(n * phase) for n in (1, 2) for f in (np.sin, np.cos))], axis=1)
    return float(np.mean((y - waves @ np.linalg.lstsq(waves, y, rcond=None)[0]) ** 2))
