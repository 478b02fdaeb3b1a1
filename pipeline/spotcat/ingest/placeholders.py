"""Numbers that stand for a missing measurement: told by being exact, and improbable beside all the others.

A measurement repeats another to the last bit where the flux is digitised coarsely or clipped, but then its neighbours
are close by.  A number that is far from every other one and comes again and again, or is one that people write for
"missing", is no measurement.  Nothing within the range of the others is ever taken for one: 0 is a value like any other
in a flux that scatters around 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spotcat.ingest.clean import RawCurve
from spotcat.scatter import sigma_of

_MANY = 3
"""A number that is no usual one must come so often."""
_FAR, _OFF = 10.0, 3.0
"""Robust standard deviations from the median; a usual number that has no neighbour needs no more than the second."""
_ALONE = 0.5
"""No other value is closer than this share of the distance to the median."""
_STEPS = 100.0
"""A time that comes twice lies so many cadences from every other one."""
_SPANS = 3.0
"""A usual number that comes once as a time lies so many lengths of the light curve from it."""
_USELESS = 30.0
"""A usual number as an error is so many times the scatter from point to point."""
_LIMITS = (32767, 32768, 65535, 2147483647, 2147483648, 4294967295)
_HUGE = 1e20
"""No flux and no time is so large; 1e30, netCDF's fill value and the greatest floats are."""


def without_placeholders(raw: RawCurve) -> RawCurve:
    """A light curve as delivered with NaN for the values that stand for missing ones, and their number.

    Errors that are placeholders become missing errors, which is not counted.
    """
    given = np.isfinite(raw.time) & np.isfinite(raw.flux)
    time = stray_times(np.where(given, raw.time, np.nan))
    flux = np.zeros(raw.flux.size, dtype=bool)
    # Segments, such as two stretches with other levels, are looked at one by one.
    for part in _parts(raw.segment, given & ~time):
        flux[part] = stray_values(raw.flux[part])
    if raw.flux_err is not None and (bad := _useless_errors(raw.flux_err, raw.flux[given & ~time & ~flux])).any():
        raw = replace(raw, flux_err=np.where(bad, np.nan, raw.flux_err).astype(raw.flux_err.dtype))
    stray = time | flux
    if not stray.any():
        return raw
    values = np.where(stray, np.nan, raw.flux).astype(raw.flux.dtype)
    return replace(raw, time=np.where(time, np.nan, raw.time), flux=values, n_placeholder=int(np.count_nonzero(stray)))


def stray_values(flux: np.ndarray) -> np.ndarray:
    """Which of some finite fluxes are placeholders, bool of their shape."""
    distinct, index, counts = np.unique(flux, return_inverse=True, return_counts=True)
    usual = _usual(distinct)
    if usual.all() or distinct.size < 2:
        return np.zeros(flux.shape, dtype=bool)
    wide = distinct.astype(np.float64)
    rest = flux[~usual[index]].astype(np.float64)
    middle = np.median(rest)
    others = wide[~usual]
    step = np.min(np.diff(others)) if others.size > 1 else 0.0
    scale = max(sigma_of(rest), float(step))
    off = np.abs(wide - middle)
    gap = _distance(wide, others)
    alone = gap > _ALONE * off
    # In digitised values, where most are repeated, a repetition says nothing.
    fine = others.size > rest.size / 2
    low, high = np.quantile(rest, [0.01, 0.99])
    stray = usual & (off > _OFF * scale) & alone
    stray |= (wide == 0) & (off > _FAR * scale) & (counts > 1) & (fine | (gap > 5 * step))
    stray |= usual & fine & (counts >= _MANY) & ((wide < low) | (wide > high))
    stray |= fine & (counts >= _MANY) & (off > _FAR * scale) & alone
    return stray[index]


def stray_times(time: np.ndarray) -> np.ndarray:
    """Which of some times [d], NaN where there is none, are placeholders, bool of their shape."""
    stray = np.zeros(time.shape, dtype=bool)
    finite = np.isfinite(time)
    distinct, index, counts = np.unique(time[finite], return_inverse=True, return_counts=True)
    if distinct.size <= 3:
        return stray
    step = float(np.median(np.diff(distinct)))
    usual = _usual(distinct)
    gap = _distance(distinct, distinct)
    first, last = np.quantile(time[finite], [0.05, 0.95])
    lonely = gap > _STEPS * step
    found = lonely & (usual & (counts > 1) | (counts >= _MANY))
    found |= lonely & usual & (gap > _SPANS * (last - first))
    stray[finite] = found[index]
    return stray


def _useless_errors(errors: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Which errors are usual numbers for a missing one, far above the scatter of the flux."""
    if flux.size < 2:
        return np.zeros(errors.shape, dtype=bool)
    steps = np.abs(np.diff(flux.astype(np.float64)))
    scatter = float(np.median(steps) or np.std(steps))
    finite = np.isfinite(errors)
    large = finite & (np.where(finite, errors, 0) > _USELESS * scatter)
    large[large] = _usual(errors[large])
    return large


def _parts(segment: np.ndarray | None, given: np.ndarray) -> list[np.ndarray]:
    if segment is None:
        return [np.flatnonzero(given)]
    return [np.flatnonzero(given & (segment == label)) for label in np.unique(segment[given])]


def _distance(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far each of some values is from the nearest other one that is not itself; the others are sorted."""
    bounded = np.concatenate([[-np.inf], others, [np.inf]])
    left = np.searchsorted(others, values, side="left")
    right = np.searchsorted(others, values, side="right")
    return np.minimum(values - bounded[left], bounded[right + 1] - values)


def _usual(values: np.ndarray) -> np.ndarray:
    """Which values are numbers that people and programs write for a missing one.

    These are 0, -1, all nines (99, -999, 9.99, 99.999), powers of ten from 1e10, all from 1e20, and limits of integers.
    """
    size = np.abs(values.astype(np.float64))
    near = 4 * np.finfo(values.dtype if values.dtype.kind == "f" else np.float64).eps
    found = (values == 0) | (values == -1) | (size >= _HUGE)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        for k in range(4):
            nines = size * 10.0**k + 1
            power = np.round(np.log10(nines))
            found |= (power >= 2) & (power <= 12) & (np.abs(nines - 10.0**power) <= near * 10.0**power) & (size > 9)
        power = np.round(np.log10(size))
        found |= (power >= 10) & (np.abs(size / 10.0**power - 1) <= near)
    for limit in _LIMITS:
        found |= np.abs(size / limit - 1) <= near
    return found
