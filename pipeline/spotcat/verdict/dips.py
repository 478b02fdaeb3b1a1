"""Narrow dips, as of eclipses and transits, that a rotation model takes for spots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spotcat.model.grid import GridBatch
from spotcat.verdict.classical import times_within
from spotcat.verdict.thresholds import THRESHOLDS

MOST_WORK = 1e8
"""Measurements times trial periods of the longest comparison; of a longer one only the beginning is compared."""
MOST_BOXES = 1e5
"""Shortest boxes in the time that is compared, those of 22 years: what is longer is taken with the gaps as the grid
closes them, and is not compared if it is longer even so.  The trial periods are a few times as many."""

MULTIPLES = np.arange(1.0, 5.0)
"""Dips that repeat with so many times the best trial period are tried as well, once boxes have won."""


class Box(NamedTuple):
    """Periodic dips.

    Attributes:
        period: [d].
        duration: [d].
        depth: in units of the flux, positive.
        epoch: middle of a dip [d].
    """

    period: float
    duration: float
    depth: float
    epoch: float


class Dips(NamedTuple):
    """What was found of narrow dips in some light curves, shape (B,) each.

    Attributes:
        found: whether there are any.
        period: of those that repeat [d]; NaN where no box was sought or none won.
        duration: of one [d], or NaN.
        depth: in relative flux, or NaN.
        epoch: middle of one [d], in the light curve's own time, or NaN.
    """

    found: np.ndarray
    period: np.ndarray
    duration: np.ndarray
    depth: np.ndarray
    epoch: np.ndarray

    def holding(self, i: int, time: np.ndarray) -> np.ndarray:
        """Which times [d] of a star's light curve are within repeating dips; truth values of the shape of `time`."""
        if not np.isfinite(self.period[i]):
            return np.zeros(time.shape, dtype=bool)
        phase = (time - self.epoch[i]) / self.period[i]
        # Wider than the box by half: where it is best an eclipse has begun already.
        return np.abs(phase - np.round(phase)) * self.period[i] < 0.75 * self.duration[i]


def dipping(batch: GridBatch, dt: float, prot: np.ndarray, lifetime: np.ndarray, levels: np.ndarray) -> Dips:
    """Whether light curves have narrow dips: by their skewness or roughness, or because boxes explain more of them.

    Args:
        batch: light curves on a fine grid, B of them.
        dt: its step [d].
        prot: fitted rotation periods [d], shape (B,).
        lifetime: fitted spot lifetimes [d], shape (B,).
        levels: fitted levels of the harmonics n = 0, 1, ..., shape (B, n_harm + 1).

    Returns:
        Which ones have, and the boxes where these explain more.
    """
    skew = skewness(batch)
    found = (skew < THRESHOLDS.dip_skewness) | (roughness(batch) > THRESHOLDS.dip_roughness)
    seen = batch.mask > 0
    extent = np.array([np.ptp(t[own]) if own.any() else 0 for t, own in zip(batch.elapsed, seen, strict=True)])
    strict = lifetime > np.minimum(THRESHOLDS.suspect_lives * extent, THRESHOLDS.suspect_lifetime)
    suspect = strict | (skew < THRESHOLDS.suspect_skewness)
    suspect |= (levels[:, 3:] - levels[:, 1:2]).max(axis=1) > THRESHOLDS.suspect_harmonics
    boxes = np.full((4, found.size), np.nan)
    for i in np.flatnonzero((suspect | found) & np.isfinite(prot)):
        # Of spots that change, boxes of single measurements would explain as much as one likes.
        shortest = 0.0 if strict[i] else dt
        time = times_within(batch.elapsed[i], dt, MOST_BOXES * max(THRESHOLDS.box_durations[0], shortest))
        box = winning_box(time[seen[i]], batch.y[i, seen[i]], prot[i], shortest)
        found[i] |= box is not None
        # Where long gaps are closed dips do not repeat.
        if box is not None and np.array_equal(time, batch.elapsed[i]):
            boxes[:, i] = box.period, box.duration, box.depth * batch.scale[i], batch.start[i] + box.epoch
    return Dips(found, *boxes)


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


def winning_box(time: np.ndarray, flux: np.ndarray, prot: float, shortest_box: float) -> Box | None:
    """The periodic box (Kovacs, Zucker & Mazeh 2002, A&A 391, 369) that leaves less of the flux than a rotation does.

    The rotation is two harmonics of the fitted period, or of the boxes' own.

    Args:
        time: [d], shape (n,).
        flux: shape (n,).
        prot: fitted rotation period [d].
        shortest_box: shorter boxes than this [d] are not tried.

    Returns:
        The best box, its depth in units of `flux`; None where it leaves no less, where there are too few measurements
        for boxes, or where more than `MOST_BOXES` fit in.
    """
    from astropy.timeseries import BoxLeastSquares

    durations = np.unique(np.maximum(THRESHOLDS.box_durations, shortest_box))
    if not np.ptp(time) <= MOST_BOXES * durations[0]:
        return None
    periods = _trial_periods(float(np.ptp(time)), prot, durations)
    some = time - time[0] <= np.ptp(time) * min(1.0, np.sqrt(MOST_WORK / (time.size * max(periods.size, 1))))
    time, y = time[some], flux[some] - flux[some].mean()
    periods = _trial_periods(float(np.ptp(time)), prot, durations)
    if not periods.size:
        return None
    search = BoxLeastSquares(time, y)
    found = search.power(periods, durations, method="fast", oversample=3)
    best = int(np.argmax(found.power))
    where = found.period[best], found.duration[best], found.transit_time[best]
    if not search.transit_mask(time, *where).any():
        return None  # a box that rounding has moved off its one measurement
    box = search.model(time, *where)
    left = np.mean((y - box) ** 2)
    if not left < min(_left_by_harmonics(time, y, p) for p in (prot, found.period[best])):
        return None
    # Of a wrong rotation the trial periods may end below the dips' own, of which fractions win as well.
    periods = float(found.period[best]) * MULTIPLES
    found = search.power(periods[periods <= np.ptp(time) / 2], durations, method="fast", oversample=3)
    best = int(np.argmax(found.power))
    numbers = (found.period[best], found.duration[best], found.depth[best], found.transit_time[best])
    return Box(*map(float, numbers))


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
