"""Measurements that do not belong to a light curve: what cleaning has left of flares, dips and jumps.

A Gaussian likelihood bends a whole light curve to hold one flare.  After a first fit each bin is compared with what all
others say of it; those too far away are left out and the star is fitted again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spotcat.model.grid import Measurements

MOST_OUTLIERS = 64
"""So many bins of a light curve are left out at most."""


class Kept(NamedTuple):
    """The measurements of a star that are left; see ``model.grid.Measurements``."""

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    segment: np.ndarray
    vectors: np.ndarray


def outlier_times(deviation: np.ndarray, time: np.ndarray, sigma: float) -> np.ndarray:
    """Middles of the bins furthest from what all others say of them.

    Args:
        deviation: of each bin in units of its own standard deviation, NaN of no fit, shape (n, M).
        time: middles of the bins [d], shape (n, M).
        sigma: how far they must be; 0 is infinitely.

    Returns:
        Times [d], the furthest first, NaN where there are no more, shape (n, MOST_OUTLIERS).
    """
    away = np.nan_to_num(np.abs(deviation))
    order = np.argsort(-away, axis=1, kind="stable")[:, :MOST_OUTLIERS]
    far = np.take_along_axis(away, order, axis=1) > (sigma or np.inf)
    out = np.full((len(away), MOST_OUTLIERS), np.nan)
    out[:, : order.shape[1]] = np.where(far, np.take_along_axis(time, order, axis=1), np.nan)
    return out


def further(known: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Those of the found bins that there is room for beside the known ones; times [d] as of `outlier_times`."""
    room = MOST_OUTLIERS - np.isfinite(known).sum(axis=1)
    return np.where(np.arange(MOST_OUTLIERS) < room[:, None], found, np.nan)


def joined(known: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Known bins and then found ones, as many as there is room for; times [d] as of `outlier_times`."""
    both = np.concatenate([known, found], axis=1)
    order = np.argsort(np.isnan(both), axis=1, kind="stable")[:, :MOST_OUTLIERS]
    return np.take_along_axis(both, order, axis=1)


def without(star: Measurements, middles: np.ndarray, dt: float) -> Measurements:
    """A light curve without the measurements of some bins.

    Args:
        star: the light curve.
        middles: middles of the bins [d], NaN for none, shape (k,).
        dt: their width [d].
    """
    out = np.sort(middles[np.isfinite(middles)])
    if not out.size:
        return star
    place = np.searchsorted(out, star.time)
    before, after = out[np.maximum(place - 1, 0)], out[np.minimum(place, out.size - 1)]
    kept = np.minimum(np.abs(star.time - before), np.abs(star.time - after)) > 0.5 * dt
    return where(star, kept)


def where(star: Measurements, kept: np.ndarray) -> Kept:
    """Those measurements of a light curve that are `kept`, truth values of shape (N,)."""
    return Kept(*(getattr(star, name)[kept] for name in Kept._fields))
