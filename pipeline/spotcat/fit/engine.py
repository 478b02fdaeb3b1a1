"""The fit of a batch of stars: search, refine, confirm, posterior; light curves in, catalog columns out."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from spotcat.config import FitConfig
from spotcat.fit.buckets import BucketSpec, Measurements, grid_stars
from spotcat.fit.columns import FitTable, fit_table
from spotcat.fit.lanes import Device, Room, this_device
from spotcat.fit.levels import Searched, search_stars
from spotcat.fit.modes import Fit
from spotcat.fit.second import second_signals
from spotcat.fit.single import fit_one_signal, replace_fits
from spotcat.gaps import stretches_of
from spotcat.model.outliers import further, joined, where, without
from spotcat.verdict.dips import Dips, dipping

MOST_IN_DIPS = 0.3
"""Dips that hold more of a light curve than this are not narrow, and stay (chosen)."""
ROUNDS = 3
"""So many times bins are left out: a large flare raises the noise that a smaller one is measured by.  Four flares of up
to 20 times the scatter leave three simulated light curves a half of their gain after one round, nine tenths after three
(``tests/fit/test_fit_shown.py`` makes such flares)."""


def fit_stars(
    stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig, lanes: int = 0, device: Device | None = None
) -> FitTable:
    """Fit stars of one bucket.

    Args:
        stars: light curves; all must fit the bucket's grid.
        spec: the bucket.
        config: settings of the steps.
        lanes: batch size that the arrays are padded to, so that a short batch uses the programs of a full one.
        device: what to divide the work for; None for the one that there is.

    Returns:
        One row for each star; a star that cannot be fitted has a status and NaNs.

    Raises:
        ValueError: a light curve is longer than the bucket's grid.
    """
    longest = max(stretches_of(star.time).span for star in stars)
    if longest > spec.whole.length:
        raise ValueError(f"a light curve of {longest:g} d does not fit a grid of {spec.whole.length:g} d")
    room = Room(max(lanes, len(stars)), device or this_device())
    with jax.enable_x64(True):
        fit, searched = _fitted(stars, spec, config, room)
        clean = _without_outliers(fit, searched, stars, spec, config, room)
        dips = _dips(fit, stars, spec, config)
        rest = [_between(dips, i, star) for i, star in enumerate(clean)]
        _fit_again(fit, searched, clean, rest, spec, config, room)
        second = second_signals(fit, rest, spec, config, room)
    shown = [_between(dips, i, star) for i, star in enumerate(stars)]
    return fit_table(fit, second, dips, searched.gain, shown, spec, config)


def _without_outliers(
    fit: Fit, searched: Searched, stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig, room: Room
) -> Sequence[Measurements]:
    """Leave out the bins that do not belong and fit again, until there are none.

    `fit` then names all that are left out.  A Gaussian likelihood takes a flare for signal, and would bend the whole
    light curve to hold it.
    """
    found = fit.outlier_time.copy()
    fit.outlier_time[:] = np.nan
    for _ in range(ROUNDS):
        found = further(fit.outlier_time, found)
        clean = [without(star, *bins) for star, *bins in zip(stars, found, fit.dt, strict=True)]
        fit.outlier_time[:] = joined(fit.outlier_time, found)
        found = _fit_again(fit, searched, stars, clean, spec, config, room)
        stars = clean
    return stars


def _fit_again(
    fit: Fit,
    searched: Searched,
    before: Sequence[Measurements],
    after: Sequence[Measurements],
    spec: BucketSpec,
    config: FitConfig,
    room: Room,
) -> np.ndarray:
    """Search and fit the light curves that have lost measurements again, in the place of what is there.

    Returns:
        Middles of the bins that do not belong to those, NaN-padded as ``Fit.outlier_time``; these are still in.
    """
    found = np.full_like(fit.outlier_time, np.nan)
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if new is not old]
    if not changed:
        return found
    better, again = _fitted([after[i] for i in changed], spec, config, room)
    found[changed] = better.outlier_time
    replace_fits(fit, np.array(changed), better._replace(outlier_time=fit.outlier_time[changed]))
    searched.gain[changed] = again.gain
    return found


def _dips(fit: Fit, stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig) -> Dips:
    grid = spec.finest_grid
    levels = fit.theta[:, spec.layout(config).levels]
    return dipping(grid_stars(stars, grid), grid.dt, fit.best.prot, fit.best.spot_lifetime, levels)


def _between(dips: Dips, i: int, star: Measurements) -> Measurements:
    """A light curve without its repeating dips, if enough is left."""
    inside = dips.holding(i, star.time)
    return where(star, ~inside) if inside.any() and inside.mean() < MOST_IN_DIPS else star


def _fitted(stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig, room: Room) -> tuple[Fit, Searched]:
    searched = search_stars(stars, spec, config, room)
    return fit_one_signal(stars, searched, spec, config, room), searched._replace(gain=np.array(searched.gain))
