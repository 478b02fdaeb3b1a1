"""Momentum dumps are told from spots by their even intervals."""

from __future__ import annotations

import numpy as np
import pytest
from fit_samples import Star

from spotcat.check.quiet import dumps
from spotcat.model.grid import Grid, GridBatch, grid_star
from spotcat.verdict.steps import sharpness, stepping
from spotcat.verdict.thresholds import THRESHOLDS

DT = 0.05
TIME = np.arange(540) * DT
SEEN = np.ones(540)


def slow_sharpness(y: np.ndarray, mask: np.ndarray) -> float:
    """By the mean of every piece, for every interval and phase, then lines on the best; all points of the grid."""
    points, own = np.arange(y.size), mask > 0
    y = y - y[own].mean()
    shortest, longest = THRESHOLDS.step_intervals[0] / DT, min(THRESHOLDS.step_intervals[1] / DT, (y.size - 1) / 3)
    best = (np.inf, 0.0, 0.0)
    for interval in np.geomspace(shortest, longest, int(0.5 * (y.size - 1) * np.log(longest / shortest)) + 2):
        for first in np.arange(0, interval):
            step = np.searchsorted(np.round(first + interval * np.arange(y.size / interval)), points, side="right")
            left = sum(((y[own & (step == k)] - y[own & (step == k)].mean()) ** 2).sum() for k in set(step[own]))
            best = min(best, (left, interval, first))
    left, interval, first = best
    corners = first + interval * np.arange(-2, y.size / interval + 2)
    lines = np.stack([np.interp(points, corners, row) for row in np.eye(corners.size)], axis=1)[own]
    return float(np.sum((y[own] - lines @ np.linalg.lstsq(lines, y[own], rcond=None)[0]) ** 2) / left)


def test_sharpness_is_that_of_every_interval_and_phase_tried_one_by_one() -> None:
    rng = np.random.default_rng(3)
    time, mask = TIME[:260], np.where(rng.uniform(size=260) < 0.1, 0.0, 1.0)
    mask[[0, -1]] = 1
    for flux in (dumps(time, rng), np.sin(time), rng.normal(size=time.size)):
        noisy = (flux + 0.1 * rng.normal(size=time.size)) * mask
        assert sharpness(noisy, mask, DT) == pytest.approx(slow_sharpness(noisy, mask), rel=1e-6)


def test_dumps_that_go_up_and_down_are_sharp_at_any_interval_and_phase_and_with_gaps() -> None:
    rng = np.random.default_rng(4)
    for every in rng.uniform(2.5, 5, 30):
        level = rng.uniform(0.5, 1.5, 20) * (-1) ** np.arange(20)
        flux = level[((TIME + rng.uniform(0, every)) / every).astype(int)] + 0.1 * rng.normal(size=TIME.size)
        mask = np.where((rng.uniform(size=TIME.size) < 0.05) | (abs(TIME - 13.3) < 0.5), 0.0, 1.0)
        assert sharpness(flux * mask, mask, DT) > THRESHOLDS.step_sharpness


def test_no_sinusoid_is_sharp_nor_noise_nor_a_drift() -> None:
    rng = np.random.default_rng(5)
    phases = rng.uniform(0, 2 * np.pi, 40)
    waves = [np.sin(2 * np.pi * TIME / p + x) for p, x in zip(np.geomspace(0.5, 30, 40), phases, strict=True)]
    walk = np.cumsum(rng.normal(size=TIME.size))
    for flux in (*waves, rng.normal(size=TIME.size), TIME**2, walk):
        assert sharpness(flux, SEEN, DT) < THRESHOLDS.step_sharpness


def test_only_suspects_are_looked_at_and_only_their_first_month() -> None:
    rng = np.random.default_rng(6)
    time = np.arange(0, 60, 1 / 48)
    early = np.where(time < 30, rng.normal(size=40)[(time / 3).astype(int)], 0)
    noise = 0.05 * rng.normal(size=time.size)
    late = early[::-1]
    grid = Grid(1280, DT)
    stars = [Star(time, f + noise, np.full(time.size, 0.05), np.zeros(time.size, int)) for f in (early, late, early)]
    batch = GridBatch(*(np.stack(parts) for parts in zip(*(grid_star(s, grid) for s in stars), strict=True)))
    assert stepping(batch, DT, np.array([True, True, False])).tolist() == [True, False, False]


def test_what_is_too_short_sparse_or_constant_is_not_sharp() -> None:
    for y, mask, dt in (
        (np.zeros(100), np.zeros(100), DT),
        (TIME[:100] % 1, SEEN[:100], DT),
        (TIME % 3, SEEN, 1.0),
        (np.ones(540), SEEN, DT),
    ):
        with np.errstate(all="raise"):
            assert sharpness(y, mask, dt) == 0
