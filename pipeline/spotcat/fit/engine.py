"""The fit of a batch of stars: search, refine, confirm, posterior; light curves in, catalog columns out."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from spotcat.config import FitConfig
from spotcat.fit.buckets import BucketSpec, Measurements
from spotcat.fit.columns import FitTable, fit_table
from spotcat.fit.levels import Searched, search_stars
from spotcat.fit.modes import Fit
from spotcat.fit.outliers import without
from spotcat.fit.second import second_signals
from spotcat.fit.single import fit_one_signal, padded, replace_fits
from spotcat.gaps import stretches_of


def fit_stars(stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig, lanes: int = 0) -> FitTable:
    """Fit stars of one bucket.

    Args:
        stars: light curves; all must fit the bucket's grid.
        spec: the bucket.
        config: settings of the steps.
        lanes: batch size that the arrays are padded to, so that a short batch uses the programs of a full one.

    Returns:
        One row for each star; a star that cannot be fitted has a status and NaNs.

    Raises:
        ValueError: a light curve is longer than the bucket's grid.
    """
    longest = max(stretches_of(star.time).span for star in stars)
    if longest > spec.whole.length:
        raise ValueError(f"a light curve of {longest:g} d does not fit a grid of {spec.whole.length:g} d")
    size = max(lanes, len(stars))
    with jax.enable_x64(True):
        fit, searched = _fitted(stars, spec, config, size)
        # A Gaussian likelihood takes a flare for signal, and would bend the whole light curve to hold it.
        again, clean = np.flatnonzero(np.isfinite(fit.outlier_time).any(axis=1)), list(stars)
        if again.size:
            for i in again.tolist():
                clean[i] = without(stars[i], fit.outlier_time[i], fit.dt[i])
            better, other = _fitted([clean[i] for i in again.tolist()], spec, config, size)
            replace_fits(fit, again, better._replace(outlier_time=fit.outlier_time[again]))
            searched.gain[again] = other.gain
        second = second_signals(fit, clean, spec, config, size)
    return fit_table(fit, second, searched.gain, stars, spec, config)


def _fitted(stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig, size: int) -> tuple[Fit, Searched]:
    searched = search_stars(padded(stars, size), len(stars), spec, config)
    return fit_one_signal(stars, searched, spec, config, size), searched._replace(gain=np.array(searched.gain))
