"""Buckets: the few grid shapes that a survey's light curves are binned and padded to.

A bucket fixes every array shape, so each is compiled once.  Its grid step is the coarsest that the shortest period
allows and the baseline demands; lengths come from a ladder of FFT-friendly sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spotcat.config import FitConfig
from spotcat.gp.grid import BINS_PER_PERIOD, Grid, GridBatch, Measurements, grid_star, search_grid
from spotcat.gp.layout import Layout

BINS_PER_CYCLE = 5
"""Bins in a period on the grid of the refined fit; half the period is then still above the Nyquist limit."""
SHORTEST_GRID = 256
"""Grids are not made coarser than this many points."""

_SEGMENTS = (1, 4, 16, 64, 256)


@dataclass(frozen=True, order=True)
class BucketSpec:
    """A grid shape.

    Attributes:
        n_time: grid points, a multiple of 4.
        dt: grid step [d].
        n_segments: room for segment offsets.
    """

    n_time: int
    dt: float
    n_segments: int

    def periods(self, config: FitConfig) -> np.ndarray:
        """Log-spaced periods of the search [d]."""
        low = max(config.p_min, BINS_PER_PERIOD * self.dt)
        high = max(min(config.p_max, self.n_time * self.dt / 2), 2 * low)
        return np.geomspace(low, high, config.n_period)

    def layout(self, config: FitConfig) -> Layout:
        """The covariance model on this grid."""
        return Grid(self.n_time, self.dt).layout(config.n_harm)


def coarsen(spec: BucketSpec, period: float) -> BucketSpec:
    """The coarsest grid, by powers of two, that still shows half of a period; short grids are left as they are.

    Args:
        spec: the grid of the search.
        period: the star's period [d].
    """
    factor = 1
    while spec.n_time // (2 * factor) >= SHORTEST_GRID and 2 * factor * spec.dt <= period / BINS_PER_CYCLE:
        factor *= 2
    return BucketSpec(*Grid(spec.n_time, spec.dt).coarsened(factor), spec.n_segments)


def choose_bucket(span: float, cadence: float, n_segments: int, config: FitConfig) -> BucketSpec:
    """The bucket of a light curve.

    Args:
        span: time between first and last measurement [d].
        cadence: median spacing of the measurements [d].
        n_segments: number of segments.
        config: limits on points and periods.
    """
    grid = search_grid(span, cadence, config)
    return BucketSpec(*grid, next(s for s in _SEGMENTS if s >= n_segments or s == _SEGMENTS[-1]))


def grid_stars(stars: Sequence[Measurements], spec: BucketSpec) -> GridBatch:
    """Bin stars onto a bucket's grid.

    Args:
        stars: the light curves; each must fit the grid.
        spec: the grid.
    """
    rows = [grid_star(star, spec.n_time, spec.dt) for star in stars]
    return GridBatch(*(np.stack(column) for column in zip(*rows, strict=True)))
