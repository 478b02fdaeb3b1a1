"""The regular grid that a light curve is binned to: its step, its length, and the binning itself.

A grid is a function of the light curve's extent and the recipe, so that whoever has a catalog and its light
curves can put a star back on the very grid of its fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from spotcat.config import FitConfig, Spots
from spotcat.gaps import stretches_of
from spotcat.model.design import segment_design, segments_of
from spotcat.model.levelled import levelled

if TYPE_CHECKING:
    from spotcat.model.layout import Layout

BINS_PER_PERIOD = 4
"""Bins in the shortest period searched."""
MOST_FINER = 40
"""The finest step is at most this much finer than that of the whole light curve: there the periods that a piece of
the one and the whole of the other can show still meet."""

_MANTISSAS = (1.0, 1.25, 1.5)


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

    @property
    def vectors(self) -> np.ndarray:
        """What may be added to each segment with any coefficients, such as its slope, shape (N, v)."""
        ...


class GridBatch(NamedTuple):
    """Light curves on a grid, each in units of its own scatter; float64, leading axes (if any) the star.

    Attributes:
        y: flux, segment means removed, divided by `scale`; 0 where there is no measurement, shape (..., M).
        relative_variance: error variances divided by their mean, shape (..., M).
        mask: 1 where there is a measurement, shape (..., M).
        segment: segment number, shape (..., M).
        design: within each segment orthonormal columns without mean, of which `y` holds nothing, shape (..., M, v).
        elapsed: time since the first measurement [d], gaps that the grid closes included, shape (..., M).
        start: time of the first measurement [d], shape (...).
        reach: lag [grid steps] from which there is nothing but closed gaps between measurements, shape (...).
        scale: standard deviation of the relative flux, shape (...).
        width: bin width beyond the native sampling [d], shape (...).
        white: the errors' variance in units of ``scale**2``, shape (...).
    """

    y: np.ndarray
    relative_variance: np.ndarray
    mask: np.ndarray
    segment: np.ndarray
    design: np.ndarray
    elapsed: np.ndarray
    start: np.ndarray
    reach: np.ndarray
    scale: np.ndarray
    width: np.ndarray
    white: np.ndarray


class Grid(NamedTuple):
    """Length and step of a regular grid in time.

    Attributes:
        n_time: grid points, a multiple of 4.
        dt: grid step [d].
    """

    n_time: int
    dt: float

    @property
    def length(self) -> float:
        """The longest light curve that fits [d]."""
        return (self.n_time - 0.51) * self.dt

    def layout(self, config: FitConfig) -> Layout:
        """The covariance model on this grid."""
        from spotcat.model.layout import Layout, Priors

        nodes = 32 if self.n_time <= 1024 else 64
        return Layout(self.n_time, self.dt, config.n_harm, nodes, Priors.of(config), Spots.of(config))

    def coarsened(self, factor: int) -> Grid:
        """A grid of `factor` times the step that covers this one."""
        if factor == 1:
            return self
        points = self.n_time // factor + 2
        n_time = next(n for n in grid_lengths(points) if n >= points)
        return Grid(n_time, float(f"{self.dt * factor:.5g}"))


def grid_lengths(largest: int) -> list[int]:
    """The ladder of grid lengths: 64, 80, 96, 128, 160, 192, ... up to the first not below `largest`."""
    lengths: list[int] = []
    power = 64
    while not lengths or lengths[-1] < largest:
        lengths += [int(power * m) for m in _MANTISSAS]
        power *= 2
    return [n for n in lengths if n < largest] + [min(n for n in lengths if n >= largest)]


def search_grid(span: float, cadence: float, config: FitConfig) -> Grid:
    """The grid on which a light curve's period is searched.

    Args:
        span: time between first and last measurement, long gaps closed [d].
        cadence: median spacing of the measurements [d].
        config: limits on points and periods.
    """
    finest = max(config.p_min / BINS_PER_PERIOD, config.cadence_min)
    needed = max(finest, span / (config.max_points - 2))
    if cadence >= needed:
        dt = float(f"{cadence:.5g}")
    else:
        dt = float(f"{finest * 2 ** (np.ceil(2 * np.log2(needed / finest) - 1e-9) / 2):.5g}")
    points = int(np.floor(span / dt + 0.5)) + 1
    return Grid(next(n for n in grid_lengths(points) if n >= points), dt)


def finest_step(span: float, cadence: float, config: FitConfig) -> float:
    """The step [d] that the shortest period asks for, finer than the search grid's where that had to be coarse.

    Args:
        span: time between first and last measurement, long gaps closed [d].
        cadence: median spacing of the measurements [d].
        config: limits on points and periods.
    """
    dt = search_grid(span, cadence, config).dt
    wanted = max(config.p_min / BINS_PER_PERIOD, config.cadence_min, cadence, dt / MOST_FINER)
    return min(float(f"{wanted:.5g}"), dt)


def grid_of_step(whole: Grid, dt: float, config: FitConfig) -> Grid:
    """The grid of a fit: that of the whole light curve, coarser by a whole number, or finer as `max_points` allow.

    Args:
        whole: the grid of the search.
        dt: step of the fit's grid [d].
        config: limits on points.
    """
    if dt >= 0.999 * whole.dt:
        return whole.coarsened(round(dt / whole.dt))
    points = min(int(np.ceil(whole.n_time * whole.dt / dt)), config.max_points)
    return Grid(next(n for n in grid_lengths(points) if n >= points), dt)


def fitted_grid(span: float, cadence: float, dt: float, config: FitConfig) -> Grid:
    """The grid on which a star was fitted.

    Args:
        span: time between first and last measurement, long gaps closed [d].
        cadence: median spacing of the measurements [d].
        dt: step of the fit's grid [d], the catalog's column ``dt``.
        config: the settings of the fit.
    """
    return grid_of_step(search_grid(span, cadence, config), dt, config)


def fullest(time: np.ndarray, length: float) -> slice:
    """The measurements of the first stretch of time that holds most of them.

    Args:
        time: sorted times [d], shape (N,).
        length: of the stretch [d].
    """
    end = np.searchsorted(time, time + length, side="right")
    first = int(np.argmax(end - np.arange(len(time))))
    return slice(first, int(end[first]))


def grid_star(star: Measurements, grid: Grid) -> GridBatch:
    """Bin one star.

    A bin holds the mean of its measurements; where two segments meet in a bin the later one keeps it.  A star without
    scatter gets scale 1 and zero flux.  Long gaps are closed; of a star that is longer still its fullest part is
    taken.

    Args:
        star: the light curve.
        grid: the grid.

    Returns:
        The star, without a leading axis.

    Raises:
        ValueError: times so large that differences of a grid step are lost to rounding.
    """
    m, dt = grid
    if not np.spacing(np.abs(star.time[[0, -1]]).max()) < 0.1 * dt:
        raise ValueError(
            f"times of {np.abs(star.time[[0, -1]]).max():.3g} d cannot be told apart to a tenth of {dt:g} d"
        )
    pieces = stretches_of(star.time)
    piece = pieces.of(star.time)
    part = fullest(star.time - pieces.shift[piece], grid.length)
    time, owner, piece = star.time[part], star.segment[part], piece[part]
    shift = pieces.shift - pieces.shift[piece[0]]
    cell = np.floor((time - shift[piece] - time[0]) / dt + 0.5).astype(int)
    first = np.r_[0, np.flatnonzero(np.diff(piece)) + 1]  # of each stretch
    elapsed, reach = np.arange(m) * dt, _reach(cell, first, m)
    elapsed += shift[piece[first]][np.searchsorted(cell[first], np.arange(m), side="right") - 1]
    segment = np.zeros(m, dtype=np.int32)
    np.maximum.at(segment, cell, owner)
    keep = owner == segment[cell]
    cell, flux, err = cell[keep], star.flux[part][keep], star.flux_err[part][keep]

    count = np.bincount(cell, minlength=m)
    mask = (count > 0).astype(float)
    n = np.maximum(count, 1)
    y = np.bincount(cell, flux, minlength=m) / n
    variance = np.bincount(cell, err**2, minlength=m) / n**2

    y = levelled(y, segment, mask)
    vectors = star.vectors[part][keep]
    binned = np.empty((m, vectors.shape[1]))
    for column, values in zip(binned.T, vectors.T, strict=True):
        column[:] = np.bincount(cell, values, minlength=m) / n
    design = segment_design(binned, segment, mask)
    # The likelihood is the same whatever of these columns is in the flux; the periodogram is not.
    for own in segments_of(segment, mask) if design.size else ():
        y[own] -= design[own] @ (design[own].T @ y[own])
    scatter = float(np.sqrt(np.sum(y**2) / mask.sum()))
    scale = scatter if scatter > 0 else 1.0
    mean_variance = float(np.sum(variance * mask) / mask.sum())
    relative = np.where(mask > 0, variance / mean_variance, 1.0) if mean_variance > 0 else np.ones(m)

    cadence = float(np.median(np.diff(star.time)))
    width = np.sqrt(max(dt**2 - cadence**2, 0.0)) if cadence < 0.99 * dt else 0.0
    scalars = (np.asarray(value) for value in (time[0], reach, scale, width, mean_variance / scale**2))
    return GridBatch(y / scale, relative, mask, segment, design, elapsed, *scalars)


def _reach(cell: np.ndarray, first: np.ndarray, m: int) -> int:
    """Shortest lag that is longer than every stretch; none of the grid where no gap is closed.

    Args:
        cell: grid point of each measurement, shape (N,).
        first: the first measurement of each stretch, shape (k,).
        m: grid points.
    """
    if len(first) == 1:
        return m
    begin, end = cell[first], cell[np.r_[first[1:] - 1, -1]]
    # On a grid so coarse that rounding eats up a gap the end of the longest stretch is told nothing of its beginning.
    return int(min(np.max(end - begin) + 1, np.min(begin[1:] - end[:-1])))
