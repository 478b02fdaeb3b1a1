"""Steps at even intervals, as of momentum dumps, that a rotation model takes for spots."""

from __future__ import annotations

import numpy as np

from spotcat.model.grid import GridBatch
from spotcat.verdict.thresholds import THRESHOLDS


def stepping(batch: GridBatch, dt: float, suspect: np.ndarray) -> np.ndarray:
    """Whether light curves are made of evenly spaced steps.

    Args:
        batch: light curves on a fine grid, B of them.
        dt: its step [d].
        suspect: which ones are to be looked at, shape (B,).

    Returns:
        Truth values, shape (B,), false where `suspect` is.
    """
    points, found = round(THRESHOLDS.step_window / dt), np.zeros(suspect.size, bool)
    for i in np.flatnonzero(suspect):
        found[i] = sharpness(batch.y[i, :points], batch.mask[i, :points], dt) > THRESHOLDS.step_sharpness
    return found


def sharpness(y: np.ndarray, mask: np.ndarray, dt: float) -> float:
    """What lines leave of the flux, joined where evenly spaced steps fit best, over what the steps leave.

    Args:
        y: flux on a grid, shape (M,).
        mask: 1 where there is a measurement, shape (M,).
        dt: step of the grid [d].

    Returns:
        Ratio of the mean squares; 0 of a light curve too short for three intervals or too sparse for any.
    """
    seen = np.flatnonzero(mask)
    span = int(seen[-1] - seen[0]) if seen.size else 0
    low, high = THRESHOLDS.step_intervals
    shortest, longest = max(low / dt, THRESHOLDS.step_points), min(high / dt, span / 3)
    if shortest >= longest:
        return 0.0
    flux = np.where(mask > 0, y - y[seen].mean(), 0.0)[seen[0] : seen[-1] + 1]
    count = mask[seen[0] : seen[-1] + 1]
    sums = np.stack([np.append(0.0, np.cumsum(values)) for values in (flux, count)])
    # The next interval moves the last step by two points: by one either way of where it should be.
    intervals = np.geomspace(shortest, longest, int(0.5 * span * np.log(longest / shortest)) + 2)
    explained, interval, first = max(_best_phase(sums, interval) for interval in intervals)
    power = float(flux @ flux)
    left = max(power - explained, np.finfo(float).eps * power)
    return _left_by_lines(flux, count, first + interval * np.arange(-1, span / interval + 1)) / left if left else 0.0


def _best_phase(sums: np.ndarray, interval: float) -> tuple[float, float, float]:
    """Sum of squares that steps explain at their best phase, the interval again, and where the first step is.

    Args:
        sums: of flux and of measurements before each grid point, shape (2, M + 1).
        interval: between steps [grid points].
    """
    last = sums.shape[1] - 1
    first = np.arange(0.0, interval)
    edges = first[:, None] + interval * np.arange(-1, last / interval + 1)
    levels = np.diff(sums[:, np.clip(np.round(edges), 0, last).astype(int)], axis=2)
    explained = (levels[0] ** 2 / np.maximum(levels[1], 1)).sum(axis=1)
    best = int(np.argmax(explained))
    return float(explained[best]), interval, float(first[best])


def _left_by_lines(flux: np.ndarray, mask: np.ndarray, corners: np.ndarray) -> float:
    """Sum of squares that a continuous line leaves, bent at evenly spaced corners only."""
    at = np.flatnonzero(mask)
    hats = np.maximum(0, 1 - np.abs(at[:, None] - corners) / (corners[1] - corners[0]))
    return float(np.sum((flux[at] - hats @ np.linalg.lstsq(hats, flux[at], rcond=None)[0]) ** 2))
