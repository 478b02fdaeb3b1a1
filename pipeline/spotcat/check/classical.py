"""How strong the classical periods of stars are, and what these methods detect at a given rate of false alarms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from spotcat.check.recovery import METHODS
from spotcat.ingest.lightcurve import LightCurve
from spotcat.ingest.store import LightCurveStore
from spotcat.verdict.classical import autocorrelation

CLASSICAL = tuple(method for method in METHODS if method != "spotcat")
_AT_ONCE = 64
"""Stars that are read from the store together."""
_SMOOTHING = 0.1
"""Width of the Gaussian that smooths the autocorrelation, of the period (McQuillan et al. 2013, MNRAS 432, 1203)."""


def stored_strengths(store: Path, periods: Mapping[str, np.ndarray], max_points: int) -> dict[str, np.ndarray]:
    """The same as `strengths` of a store whose stars are numbered from 0 on.

    Args:
        store: its folder.
        periods: as of `strengths`.
        max_points: as of `strengths`.

    Raises:
        InputError: there is no such store.
        RunError: it is damaged.
    """
    opened, numbers = LightCurveStore(store), np.arange(len(periods[CLASSICAL[0]]))
    parts = np.array_split(numbers, -(-numbers.size // _AT_ONCE))
    return strengths((star for part in parts for star in opened.read(part)), periods, max_points)


def strengths(stars: Iterable[LightCurve], periods: Mapping[str, np.ndarray], max_points: int) -> dict[str, np.ndarray]:
    """How strong the classical periods of a catalog are in the light curves that it was made of.

    Args:
        stars: the light curves as the fit had them, cleaned, n of them.
        periods: by classical method, the catalog's periods [d], NaN where there is none, shape (n,) each.
        max_points: bins of the grid, as of the fit.

    Returns:
        By method, shape (n,): the normalised power with a floating mean at the Lomb-Scargle period, and the height of
        the smoothed autocorrelation at its period; minus infinity where there is no period.
    """
    from astropy.timeseries import LombScargle

    result = {method: np.full(len(periods[method]), -np.inf) for method in CLASSICAL}
    for i, star in enumerate(stars):
        if star.time.size < 2:
            continue
        y, mask, step = _grid(star, max_points)
        power, height = periods["Lomb-Scargle"][i], periods["autocorrelation"][i]
        if np.isfinite(power) and y.any():
            seen = np.flatnonzero(mask)
            result["Lomb-Scargle"][i] = LombScargle(seen * step, y[seen]).power(1 / power)
        if np.isfinite(height):
            lag = height / step
            acf = gaussian_filter1d(autocorrelation(y[None], mask[None])[0], max(_SMOOTHING * lag, 0.5))
            result["autocorrelation"][i] = np.interp(lag, np.arange(acf.size), acf)
    return result


def _grid(star: LightCurve, max_points: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Means of bins about their mean, 0 where there is none; 1 where there is one; the step [d]."""
    gaps = np.diff(star.time)
    # Long gaps make the grid longer, not coarser.
    covered = float(gaps[gaps < 1.0].sum())
    step = max(float(np.median(gaps)), covered / max_points)
    place = np.floor((star.time - star.time[0]) / step).astype(int)
    n = np.bincount(place).astype(float)
    mask = (n > 0).astype(float)
    mean = np.bincount(place, star.flux) / np.maximum(n, 1)
    return (mean - mean[n > 0].mean()) * mask, mask, step


def called_alike(
    strength: Mapping[str, np.ndarray], quiet: Mapping[str, np.ndarray], rate: float
) -> dict[str, np.ndarray]:
    """Which stars each classical method calls rotating if it calls no larger a fraction of quiet ones than `rate`.

    Args:
        strength: of rotators, by method, shape (n,).
        quiet: the same of stars that do not rotate, shape (m,).
        rate: fraction of the quiet stars.

    Returns:
        bool by method, shape (n,): whether a star is stronger than the threshold, the lowest that keeps to the rate.
    """
    result = {}
    for method, values in strength.items():
        falling = np.sort(quiet[method])[::-1]
        threshold = falling[min(int(np.floor(rate * falling.size + 1e-9)), falling.size - 1)]
        result[method] = values > threshold
    return result
