"""From delivered measurements to usable ones: finite, sorted, no duplicates, with errors and segments."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spotcat.scatter import sigma_about
from spotcat.status import Status

MIN_POINTS = 3
"""Fewer valid measurements than this have neither a scatter nor a cadence."""

_MAX_FLUX = 100.0
"""No flare is this many times as bright as its star; larger values are damage."""
_MAX_ELAPSED = 30_000.0
"""A time [d] so far from the typical one is damage."""
_MAX_DARK = 0.05
"""If more of the fluxes than this are under a hundredth of the typical one, some of them are damage."""
_MIN_ERROR = 1e-3
"""An error that is this small a part of the typical one is damage."""
_MAX_REPEATS = 30
"""More equal fluxes in a row than this are hardly measurements of a star."""
_MAX_SEGMENTS = np.iinfo(np.int16).max


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file is not used."""

    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class RawCurve:
    """A light curve as delivered, quality mask applied; all arrays have one length.

    ``flux_err``, ``segment`` and ``cadence_number``, the mission's number of each measurement, are None where the file
    has none.  ``quality`` is 0 for tables.  ``n_masked`` counts the measurements that the mask took away, and
    ``n_placeholder`` those whose time or flux stands for a missing one and is NaN here.  ``converted`` says whether the
    times had to be brought to days.
    """

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray | None
    quality: np.ndarray
    segment: np.ndarray | None
    n_masked: int = 0
    cadence_number: np.ndarray | None = None
    n_placeholder: int = 0
    converted: bool = False


@dataclass(frozen=True, slots=True)
class CleanCurve:
    """A light curve ready for the store: finite, strictly increasing in time, segments in time order.

    ``time`` is f8 [d]; ``flux`` and ``flux_err`` keep the delivered precision; ``quality`` is i4; ``segment``
    is i2 and counts from 0; ``left_out`` (``LeftOut``, i1) is 0 for the measurements used.
    """

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    quality: np.ndarray
    segment: np.ndarray
    left_out: np.ndarray
    errors_estimated: bool
    odd: bool = False
    """Whether measurements were out of order or out of range."""
    n_masked: int = 0
    n_in_transit: int = 0
    n_placeholder: int = 0
    converted: bool = False
    cadence_number: np.ndarray | None = None
    """The mission's number of each measurement, i4."""


def clean(raw: RawCurve, gap: float, span: tuple[float, float] = (-np.inf, np.inf)) -> CleanCurve | Refusal:
    """Clean one file's light curve.

    Args:
        raw: the measurements as delivered.
        gap: a gap in time longer than this [d] starts a new segment.
        span: first and last day that the file can have.

    Returns:
        The clean light curve, or why there is none.
    """
    order, odd = _valid_order(raw, span)
    if order.size == 0:
        return Refusal(Status.NO_FINITE_FLUX, "no finite flux")
    if order.size < MIN_POINTS:
        return Refusal(Status.FEW_POINTS, f"{order.size} valid measurements")
    time = raw.time[order].astype(np.float64)
    flux = _native(raw.flux[order])
    if np.all(flux == flux[0]):
        return Refusal(Status.CONSTANT_FLUX, "the flux is constant")
    segment = _segments(time, None if raw.segment is None else raw.segment[order], gap)
    if isinstance(segment, Refusal):
        return segment
    if not _has_level(flux, segment):
        return Refusal(Status.NO_FLUX_LEVEL, "the median flux of a segment is not well above zero")
    flux_err, estimated = _errors(flux, None if raw.flux_err is None else raw.flux_err[order])
    odd |= _is_implausible(flux)
    quality = raw.quality[order].astype(np.int32)
    number = None if raw.cadence_number is None else raw.cadence_number[order].astype(np.int32)
    every = np.zeros(time.size, dtype=np.int8)
    curve = CleanCurve(time, flux, flux_err, quality, segment, every, estimated, odd, cadence_number=number)
    return replace(curve, n_masked=raw.n_masked, n_placeholder=raw.n_placeholder, converted=raw.converted)


def _valid_order(raw: RawCurve, span: tuple[float, float]) -> tuple[np.ndarray, bool]:
    """Indices of the sound measurements in time order, the first of each time kept, and whether others came along."""
    given = ~(np.isnan(raw.time) | np.isnan(raw.flux))
    level = np.median(np.abs(raw.flux[given]).astype(np.float64)) if given.any() else 0.0
    timed = raw.time[given & np.isfinite(raw.time)]
    middle = np.median(timed) if timed.size else 0.0
    sound = (raw.time >= span[0]) & (raw.time <= span[1]) & np.isfinite(raw.time) & np.isfinite(raw.flux)
    sound &= np.abs(raw.time - middle) <= _MAX_ELAPSED
    sound &= np.abs(raw.flux) <= _MAX_FLUX * level
    valid = np.flatnonzero(given & sound)
    order = valid[np.argsort(raw.time[valid], kind="stable")]
    fresh = np.ones(order.size, dtype=bool)
    fresh[1:] = np.diff(raw.time[order]) > 0
    odd = not (np.array_equal(given, given & sound) and fresh.all() and np.array_equal(order, valid))
    return order[fresh], odd


def _is_implausible(flux: np.ndarray) -> bool:
    """Whether the flux stands still or vanishes for long."""
    changes = np.flatnonzero(np.diff(flux) != 0)
    repeats = np.max(np.diff(changes, prepend=-1, append=flux.size - 1))
    size = np.abs(flux.astype(np.float64))
    return bool(repeats > _MAX_REPEATS or np.mean(size < np.median(size) / _MAX_FLUX) > _MAX_DARK)


def _native(values: np.ndarray) -> np.ndarray:
    # FITS is big-endian, which JAX and zarr's codecs refuse.
    return values.astype(values.dtype.newbyteorder("="))


def _segments(time: np.ndarray, label: np.ndarray | None, gap: float) -> np.ndarray | Refusal:
    """Segment numbers i2: a new one after every long gap and wherever the file's own label changes."""
    starts = np.diff(time) > gap
    if label is not None:
        changes = np.diff(label) != 0
        if np.count_nonzero(changes) >= np.unique(label).size:
            return Refusal(Status.UNSUPPORTED, "the segments overlap in time")
        starts |= changes
    count = np.count_nonzero(starts) + 1
    if count > _MAX_SEGMENTS:
        return Refusal(Status.UNSUPPORTED, f"{count} segments; a larger clean.gap makes fewer")
    return np.concatenate([[0], np.cumsum(starts)]).astype(np.int16)


def _has_level(flux: np.ndarray, segment: np.ndarray) -> bool:
    """Whether relative flux has a meaning in every segment.

    Fluxes that are nowhere negative deviate from their median by at most the median itself, for half of them.
    A larger typical deviation tells differences from a mean, such as ppm, from fluxes.
    """
    for part in np.split(flux.astype(np.float64), np.flatnonzero(np.diff(segment)) + 1):
        level = np.median(part)
        if not level > 0 or np.median(np.abs(part - level)) > level:
            return False
    return True


def _errors(flux: np.ndarray, flux_err: np.ndarray | None) -> tuple[np.ndarray, bool]:
    """The errors, the point-to-point scatter in place of those absent, not finite, not positive or far too small."""
    errors = np.full_like(flux, np.nan) if flux_err is None else flux_err.astype(flux.dtype)
    bad = ~(np.isfinite(errors) & (errors > 0))
    if not bad.all():
        # A weight so great is none that photometry can have.
        bad |= ~bad & (errors < _MIN_ERROR * np.median(errors[~bad]))
    if not bad.any():
        return errors, False
    steps = np.diff(flux.astype(np.float64))
    scatter = sigma_about(steps, 0.0)
    # More than half of a coarsely digitised flux may repeat its neighbour.
    errors[bad] = (scatter or np.std(steps)) / np.sqrt(2)
    return errors, True
