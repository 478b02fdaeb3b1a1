"""Buckets: the few grid shapes that a survey's light curves are binned and padded to.

A bucket fixes every array shape, so each is compiled once.  Its grid step is the coarsest that the shortest period allows
and the baseline demands; lengths come from a ladder of FFT-friendly sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from spotcat.config import FitConfig
from spotcat.gp.composite import Layout

BINS_PER_PERIOD = 4
"""Bins in the shortest period searched."""

BINS_PER_CYCLE = 12
"""Bins in a period on the grid of the refined fit; half the period then has six."""
SHORTEST_GRID = 256
"""Grids are not made coarser than this many points."""

_MANTISSAS = (1.0, 1.25, 1.5)
_SEGMENTS = (1, 4, 16, 64, 256)


class Measurements(Protocol):
    """One star's light curve: finite, sorted arrays of equal length."""

    @property
    def time(self) -> np.ndarray:
        """Time [d]."""
        ...

    @property
    def flux(self) -> np.ndarray:
        """Relative flux, about 1 in every segment."""
        ...

    @property
    def flux_err(self) -> np.ndarray:
        """Error of the relative flux."""
        ...

    @property
    def segment(self) -> np.ndarray:
        """Segment number, 0, 1, ... in time order."""
        ...


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
        nodes = 32 if self.n_time <= 512 else 64
        return Layout(self.n_time, self.dt, config.n_harm, nodes)


class GridBatch(NamedTuple):
    """Stars on one bucket's grid, each in units of its own scatter; arrays are float64.

    Attributes:
        y: flux, segment means removed, divided by `scale`; 0 where there is no measurement, shape (B, M).
        relative_variance: error variances divided by their mean, shape (B, M).
        mask: 1 where there is a measurement, shape (B, M).
        segment: segment number, shape (B, M).
        scale: standard deviation of the relative flux, shape (B,).
        width: bin width beyond the native sampling [d], shape (B,).
        white: the errors' variance in units of ``scale**2``, shape (B,).
    """

    y: np.ndarray
    relative_variance: np.ndarray
    mask: np.ndarray
    segment: np.ndarray
    scale: np.ndarray
    width: np.ndarray
    white: np.ndarray


def coarsen(spec: BucketSpec, period: float) -> BucketSpec:
    """The coarsest grid, by powers of two, that still shows half of a period; short grids are left as they are.

    Args:
        spec: the grid of the search.
        period: the star's period [d].
    """
    factor = 1
    while spec.n_time // (2 * factor) >= SHORTEST_GRID and 2 * factor * spec.dt <= period / BINS_PER_CYCLE:
        factor *= 2
    if factor == 1:
        return spec
    points = spec.n_time // factor + 2
    n_time = next(n for n in grid_lengths(points) if n >= points)
    return BucketSpec(n_time, float(f"{spec.dt * factor:.5g}"), spec.n_segments)


def grid_lengths(largest: int) -> list[int]:
    """The ladder of grid lengths: 64, 80, 96, 128, 160, 192, ... up to the first not below `largest`."""
    lengths, power = [], 64
    while not lengths or lengths[-1] < largest:
        lengths += [int(power * m) for m in _MANTISSAS]
        power *= 2
    return [n for n in lengths if n < largest] + [min(n for n in lengths if n >= largest)]


def choose_bucket(span: float, cadence: float, n_segments: int, config: FitConfig) -> BucketSpec:
    """The bucket of a light curve.

    Args:
        span: time between first and last measurement [d].
        cadence: median spacing of the measurements [d].
        n_segments: number of segments.
        config: limits on points and periods.
    """
    finest = max(config.p_min / BINS_PER_PERIOD, config.cadence_min)
    needed = max(finest, span / (config.max_points - 2))
    if cadence >= needed:
        dt = float(f"{cadence:.5g}")
    else:
        dt = float(f"{finest * 2 ** (np.ceil(2 * np.log2(needed / finest) - 1e-9) / 2):.5g}")
    points = int(np.floor(span / dt + 0.5)) + 1
    n_time = next(n for n in grid_lengths(points) if n >= points)
    return BucketSpec(n_time, dt, next(s for s in _SEGMENTS if s >= n_segments or s == _SEGMENTS[-1]))


def grid_stars(stars: Sequence[Measurements], spec: BucketSpec) -> GridBatch:
    """Bin stars onto a bucket's grid.

    A bin holds the mean of its measurements; where two segments meet in a bin the later one keeps it.  A star without
    scatter gets scale 1 and zero flux.

    Args:
        stars: the light curves; each must fit the grid.
        spec: the grid.
    """
    rows = [_grid_one(star, spec) for star in stars]
    return GridBatch(*(np.stack(column) for column in zip(*rows, strict=True)))


def _grid_one(star: Measurements, spec: BucketSpec) -> tuple[np.ndarray, ...]:
    m = spec.n_time
    cell = np.floor((star.time - star.time[0]) / spec.dt + 0.5).astype(int)
    segment = np.zeros(m, dtype=np.int32)
    np.maximum.at(segment, cell, star.segment)
    keep = star.segment == segment[cell]
    cell, flux, err = cell[keep], star.flux[keep], star.flux_err[keep]

    count = np.bincount(cell, minlength=m)
    mask = (count > 0).astype(float)
    n = np.maximum(count, 1)
    y = np.bincount(cell, flux, minlength=m) / n
    variance = np.bincount(cell, err**2, minlength=m) / n**2

    in_segment = np.maximum(np.bincount(segment, mask), 1)
    y = (y - (np.bincount(segment, y * mask) / in_segment)[segment]) * mask
    scatter = float(np.sqrt(np.sum(y**2) / mask.sum()))
    scale = scatter if scatter > 0 else 1.0
    mean_variance = float(np.sum(variance * mask) / mask.sum())
    relative = np.where(mask > 0, variance / mean_variance, 1.0) if mean_variance > 0 else np.ones(m)

    cadence = float(np.median(np.diff(star.time)))
    width = np.sqrt(max(spec.dt**2 - cadence**2, 0.0)) if cadence < 0.99 * spec.dt else 0.0
    return (
        y / scale, relative, mask, segment,
        np.float64(scale), np.float64(width), np.float64(mean_variance / scale**2),
    )  # fmt: skip
