"""Buckets: the few grid shapes that a survey's light curves are binned and padded to.

A bucket fixes every array shape, so each is compiled once.  Its grid step is the coarsest that the shortest period
allows and the baseline demands; lengths come from a ladder of FFT-friendly sizes.  Where the baseline demands a coarser
step than the shortest period allows, short periods are searched in pieces of a finer grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spotcat.config import FitConfig
from spotcat.model.grid import (
    BINS_PER_PERIOD,
    Grid,
    GridBatch,
    Measurements,
    finest_step,
    grid_of_step,
    grid_star,
    search_grid,
)
from spotcat.model.layout import Layout

SHORTEST_GRID = 128
"""Grids are not made coarser than this many points."""
BINS_PER_CYCLE = 5
"""Bins in a period on the grid of the refined fit; half the period is then still above the Nyquist limit."""
LEAST_BINS = 2.5
"""A period of fewer bins is not shown by a grid: of fewer than two it looks like a longer one."""
WEAK_GAIN, WEAK_BINS = 50.0, 8.0
"""A star that gains less than this is fitted with so many bins a period: fewer blur most of a weak signal away."""
PIECE = 1024
"""Points of the pieces that a light curve is cut into for its short periods: three cycles of the longest, at least."""

_SEGMENTS = (1, 4, 18, 64, 256)
"""Rooms for offsets; 18 is a star of all Kepler quarters."""


class Level(NamedTuple):
    """A resolution of the search: a grid, and the periods that it can show.

    Attributes:
        layout: the covariance model on the grid.
        pieces: light curves are cut into as many, each one grid long.
        first: the shortest period, an index into the bucket's.
        last: the one after the longest.
    """

    layout: Layout
    pieces: int
    first: int
    last: int


@dataclass(frozen=True, order=True)
class BucketSpec:
    """The grids of some stars.

    Attributes:
        n_time: points of the grid of the whole light curve, a multiple of 4.
        dt: its step [d].
        n_segments: room for segment offsets.
        finest: the step [d] that the shortest period asks for, where `dt` had to be coarser; else 0.
    """

    n_time: int
    dt: float
    n_segments: int
    finest: float = 0.0

    @property
    def whole(self) -> Grid:
        """The grid of the whole light curve."""
        return Grid(self.n_time, self.dt)

    @property
    def finest_grid(self) -> Grid:
        """The grid of the whole light curve at the finest step."""
        return Grid(int(np.ceil(self.n_time * self.dt / self.finest)), self.finest) if self.finest else self.whole

    def periods(self, config: FitConfig) -> np.ndarray:
        """Log-spaced periods of the search [d]."""
        low = max(config.p_min, BINS_PER_PERIOD * (self.finest or self.dt))
        high = max(min(config.p_max, self.n_time * self.dt / 2), 2 * low)
        return np.geomspace(low, high, config.n_period)

    def layout(self, config: FitConfig) -> Layout:
        """The covariance model on the grid of the whole light curve."""
        return self.whole.layout(config)

    def levels(self, config: FitConfig) -> tuple[Level, ...]:
        """The resolutions of the search: if the whole light curve's grid is too coarse, first a finer one in pieces."""
        if not self.finest:
            return (Level(self.layout(config), 1, 0, config.n_period),)
        # The fine grid goes on to where the coarse one shows half of a period too.
        split = int(np.searchsorted(self.periods(config), 2 * BINS_PER_PERIOD * self.dt))
        fine = Level(Grid(PIECE, self.finest).layout(config), -(-self.finest_grid.n_time // PIECE), 0, split)
        whole = Level(self.layout(config), 1, split, config.n_period)
        return (fine, whole) if split < config.n_period else (fine,)

    def fitted(self, period: float, config: FitConfig, bins: float = BINS_PER_CYCLE) -> Grid:
        """The coarsest grid, by powers of two, that has so many bins in a period; short grids are left as they are.

        Where the whole light curve's grid cannot show the period at all it is a finer one for a part of it.
        """
        if self.finest and period < BINS_PER_PERIOD * self.dt:
            finer = max(int(np.log2(period / BINS_PER_CYCLE / self.finest)), 0)
            return grid_of_step(self.whole, float(f"{self.finest * 2**finer:.5g}"), config)
        factor = 1
        while self.n_time // (2 * factor) >= SHORTEST_GRID and 2 * factor * self.dt <= period / bins:
            factor *= 2
        return grid_of_step(self.whole, factor * self.dt, config)

    def refitted(self, grid: Grid, period: float, gain: float, config: FitConfig) -> Grid:
        """The grid that a fit's best mode asks for: the one it was found on, if that shows it well.

        Args:
            grid: what it was found on.
            period: its equatorial period [d].
            gain: what it gains in log-likelihood over no rotation.
            config: limits on points and periods.
        """
        least, bins = (WEAK_BINS, WEAK_BINS) if gain < WEAK_GAIN else (LEAST_BINS, BINS_PER_CYCLE)
        if not period < least * grid.dt:  # NaN asks for nothing
            return grid
        return self.fitted(period, config, bins)


def choose_bucket(span: float, cadence: float, n_segments: int, config: FitConfig) -> BucketSpec:
    """The bucket of a light curve.

    Args:
        span: time between first and last measurement, long gaps closed [d].
        cadence: median spacing of the measurements [d].
        n_segments: number of segments.
        config: limits on points and periods.
    """
    grid, finest = search_grid(span, cadence, config), finest_step(span, cadence, config)
    room = next(s for s in _SEGMENTS if s >= n_segments or s == _SEGMENTS[-1])
    return BucketSpec(*grid, room, finest if finest < 0.75 * grid.dt else 0.0)


def grid_stars(stars: Sequence[Measurements], grid: Grid) -> GridBatch:
    """Bin stars onto one grid; of a star longer than that its fullest part."""
    rows = [grid_star(star, grid) for star in stars]
    return GridBatch(*(np.stack(column) for column in zip(*rows, strict=True)))
