"""A fitted star, put together from its catalog row, its light curve and the settings of the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from spotcat.catalog.query import located, open_catalog
from spotcat.config import load_recipe
from spotcat.ingest.lightcurve import LightCurve, Removed
from spotcat.ingest.store import LightCurveStore
from spotcat.status import InputError

if TYPE_CHECKING:
    from spotcat.model.grid import GridBatch
    from spotcat.model.predict import StarPrediction

BREAK = 0.1
"""A gap longer than this fraction of the measured time ends a stretch of the light curve."""
ROTATIONS = 12
"""Rotations in the part of the light curve that is enlarged."""
SMOOTH = 24
"""Points at which a rotation is predicted there, at least."""


class Piece(NamedTuple):
    """The prediction from one grid point to another, in units of the star's scatter.

    Attributes:
        first: first grid point.
        last: last grid point.
        per_step: how often a grid step is divided.
        mean: predicted mean of the signal alone, shape ((last - first) per_step + 1,).
        sd: predicted standard deviation, same shape.
    """

    first: int
    last: int
    per_step: int
    mean: np.ndarray
    sd: np.ndarray


class FittedStar(NamedTuple):
    """What there is to draw of a star.

    Attributes:
        row: the star's catalog columns by name.
        period: trial periods [d], shape (P,).
        gain: GP periodogram, ln likelihood gain at each of them, shape (P,).
        time: grid times in the mission's days, shape (M,).
        grid: the binned light curve, in units of its scatter.
        prediction: the fitted process at the grid points, in the same units.
        detail: a finer prediction of a part of the light curve.
        removed: the measurements that cleaning left out, unbinned, their flux where `grid` would have it, in units of
            the scatter.
    """

    row: dict[str, Any]
    period: np.ndarray
    gain: np.ndarray
    time: np.ndarray
    grid: GridBatch
    prediction: StarPrediction
    detail: Piece
    removed: Removed = Removed.none()

    @property
    def dt(self) -> float:
        """Grid step [d]."""
        return float(self.row["dt"])

    @property
    def scale(self) -> float:
        """Scatter of the relative flux."""
        return float(self.grid.scale)

    @property
    def seen(self) -> np.ndarray:
        """Indices of the grid points that have a measurement."""
        return np.flatnonzero(self.grid.mask)

    @property
    def beside(self) -> np.ndarray:
        """What was fitted beside the signal at the measurements: offsets, slopes, trends; in units of the scatter."""
        segment, design = self.grid.segment[self.seen], self.grid.design[self.seen]
        # The coefficients of all offsets come first, then those of each segment's design columns.
        n_segments = self.prediction.offset.size // (1 + design.shape[1])
        offset, rest = np.split(self.prediction.offset, [n_segments])
        own = rest.reshape(n_segments, design.shape[1])[segment]
        return np.asarray(offset[segment] + np.sum(design * own, axis=1))

    @property
    def residual(self) -> np.ndarray:
        """What neither the signal nor what is beside it explains at the measurements, in units of the scatter."""
        return np.asarray(self.grid.y[self.seen] - self.prediction.mean[self.seen] - self.beside)

    @property
    def stretches(self) -> list[Piece]:
        """The whole light curve, cut at long gaps."""
        mean, sd = self.prediction.mean, self.prediction.sd
        return [Piece(a, b, 1, mean[a : b + 1], sd[a : b + 1]) for a, b in stretches(self.grid.mask)]


def load_fitted(catalog_path: Path, name: str | int) -> FittedStar:
    """Read a star and condition the fitted process on its light curve, on the grid of its fit.

    Args:
        catalog_path: a catalog in its run folder, which holds the light curves and the recipe; or that folder.
        name: the star's name or star id.

    Raises:
        InputError: the catalog, the star, the light curves or the recipe are missing, or the star was not fitted.
    """
    from spotcat.model.grid import fitted_grid, grid_star
    from spotcat.model.outliers import without
    from spotcat.model.predict import predict_star

    catalog_path = Path(located(catalog_path))
    found = open_catalog(catalog_path).star(name)
    row = {key: found.column(key)[0] for key in found.columns}
    theta = row.get("fit_vector")
    if theta is None or not np.isfinite(theta).all():
        raise InputError(f"{row['name']}: was not fitted, so there is nothing to draw ({row['reason']})")
    recipe = load_recipe(catalog_path.parent / "recipe.toml")
    store = LightCurveStore(catalog_path.parent / "lightcurves.zarr")
    (light_curve,) = store.read([row["star_id"]])
    place = np.searchsorted(store.stars["star_id"], row["star_id"])
    span, cadence = (float(store.stars[key][place]) for key in ("span", "cadence"))
    shape = fitted_grid(span, cadence, float(row["dt"]), recipe.fit)
    layout = shape.layout(recipe.fit)
    grid = grid_star(without(light_curve, row["outlier_time"], shape.dt), shape)
    first, last = densest(grid.mask, row["prot"] / shape.dt)
    per_step = int(np.clip(np.ceil(SMOOTH * shape.dt / row["prot"]), 1, SMOOTH))
    # Both predictions in one call: compiling a second program takes longer than all else on the page.
    whole, part = np.arange(shape.n_time) * per_step, np.arange(first * per_step, last * per_step + 1)
    both = predict_star(theta, grid, layout, np.concatenate([whole, part]), per_step)
    mean, sd = (np.split(values, [shape.n_time]) for values in (both.mean, both.sd))
    return FittedStar(
        row=row,
        period=row["gp_period"],
        gain=row["gp_periodogram"],
        time=grid.start + grid.elapsed,
        grid=grid,
        prediction=both._replace(mean=mean[0], sd=sd[0], covariance=both.covariance[::per_step]),
        detail=Piece(first, last, per_step, mean[1], sd[1]),
        removed=left_out(light_curve, grid, shape.dt),
    )


def left_out(star: LightCurve, grid: GridBatch, dt: float) -> Removed:
    """What cleaning left out of a light curve, at the level and in the units of its binned flux.

    Binning takes away the mean of each segment, and its slopes or cotrending vectors where the recipe asks for them.
    What it took is the difference between the bins as measured and as gridded; between bins it is interpolated.

    Args:
        star: the light curve.
        grid: the same on its grid.
        dt: grid step [d].

    Returns:
        The measurements left out, in order of time, without those before or behind the grid, which holds the fullest
        part of a light curve that is longer than it.
    """
    seen = np.flatnonzero(grid.mask)
    times, owner = float(grid.start) + grid.elapsed[seen], grid.segment[seen]
    between = 0.5 * (times[1:] + times[:-1])
    bin_of = np.searchsorted(between, star.time, side="right")
    inside = (owner[bin_of] == star.segment) & (np.abs(star.time - times[bin_of]) <= 0.501 * dt)
    count = np.maximum(np.bincount(bin_of[inside], minlength=seen.size), 1)
    measured = np.bincount(bin_of[inside], star.flux[inside], minlength=seen.size) / count
    taken = measured - float(grid.scale) * grid.y[seen]
    removed = star.removed
    level = np.ones(removed.time.size)  # of a segment that has no bin: its median
    drawn = (removed.time >= times[0]) & (removed.time <= times[-1])
    for number in np.intersect1d(removed.segment, owner):
        here, own = removed.segment == number, owner == number
        level[here] = np.interp(removed.time[here], times[own], taken[own])
        drawn |= here
    # Beyond a measurement that is not on the grid nothing is drawn.
    on_grid = np.flatnonzero(inside)
    before, behind = np.r_[-np.inf, star.time, np.inf][[on_grid[0], on_grid[-1] + 2]]
    drawn &= (removed.time > before) & (removed.time < behind)
    moved = removed._replace(flux=(removed.flux - level) / float(grid.scale))
    return Removed(*(part[drawn][np.argsort(removed.time[drawn], kind="stable")] for part in moved))


def stretches(mask: np.ndarray) -> list[tuple[int, int]]:
    """First and last grid point of each stretch of measurements between long gaps.

    Args:
        mask: 1 where there is a measurement, shape (M,).
    """
    seen = np.flatnonzero(mask)
    cuts = np.flatnonzero(np.diff(seen) > max(BREAK * seen.size, 2)) + 1
    return [(int(part[0]), int(part[-1])) for part in np.split(seen, cuts)]


def densest(mask: np.ndarray, rotation: float) -> tuple[int, int]:
    """First and last grid point of the part to enlarge: some rotations, or a third of a stretch, with few gaps.

    Args:
        mask: 1 where there is a measurement, shape (M,).
        rotation: rotation period in grid steps.
    """
    longest = max(last - first for first, last in stretches(mask))
    width = max(min(int(ROTATIONS * rotation), longest // 3), 1)
    counts = np.convolve(mask, np.ones(width + 1), "valid")
    best = np.flatnonzero(counts == counts.max())
    first = int(best[best.size // 2])
    return first, first + width


def autocorrelation(star: FittedStar) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Autocorrelation of the light curve and what the fitted covariance lets one expect of it.

    Both are sums over the pairs of measurements at each lag, divided by the sum of their squares: from -1 to 1,
    whatever the variance of the fit and the gaps.  The expectation takes account of the columns that were removed from
    each segment, its mean first of all: without that the covariance of slow spots lies far above what a finite light
    curve can show.

    Returns:
        Number of ordered pairs (1 where there is none), autocorrelation and its expectation at lags 0, 1, ... grid
        steps, shapes (n,).
    """
    seen, fit = star.seen, star.prediction
    lag = np.abs(seen[:, None] - seen[None, :])
    expected = fit.covariance[lag] + np.diag(fit.white * star.grid.relative_variance[seen])
    removed = _removed(star)
    expected -= removed @ (removed.T @ expected)
    expected -= (expected @ removed) @ removed.T
    y = star.grid.y[seen]
    pairs = np.maximum(np.bincount(lag.ravel()), 1)
    return pairs, _correlation(lag, np.outer(y, y)), _correlation(lag, expected)


def _removed(star: FittedStar) -> np.ndarray:
    """Orthonormal columns of which the measurements hold nothing, shape (n, columns)."""
    segment, design = star.grid.segment[star.seen], star.grid.design[star.seen]
    own = (segment[:, None] == np.unique(segment)).astype(float)
    parts = (own[:, :, None] * design[:, None, :]).reshape(segment.size, -1)
    columns = np.hstack([own / np.sqrt(own.sum(axis=0)), parts])
    return columns[:, columns.any(axis=0)]


def _correlation(lag: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Products of pairs at each lag over the squares of their members; 0 where there are none."""
    places = lag.ravel()
    squares = np.bincount(places, np.broadcast_to(products.diagonal(), products.shape).ravel())
    sums = np.bincount(places, products.ravel())
    return np.asarray(np.divide(sums, squares, out=np.zeros_like(sums), where=squares > 0))
