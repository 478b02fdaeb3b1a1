"""Readers by product: one file in, a clean light curve or the reason why there is none out.

The missions' files have a fast reader; lightkurve is the reference, and reads every other product.  A new product
needs a mark in :mod:`spotcat.ingest.products` and a line in :mod:`spotcat.ingest.formats`.
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve, Refusal, clean
from spotcat.ingest.daycount import kind_of, stated_zero, to_count
from spotcat.ingest.discover import TABLE_SUFFIXES
from spotcat.ingest.formats import KEPSEISMIC, PRODUCTS, TABLE
from spotcat.ingest.placeholders import stray_times, without_placeholders
from spotcat.ingest.plain import lacking, read_plain
from spotcat.ingest.robust import left_out
from spotcat.ingest.transits import Transit, drop_transits
from spotcat.ingest.units import BY_NAME, Delivered
from spotcat.status import InputError, Status

_ORBIT_GAP = 0.5
"""TESS looks away for about a day between the two orbits of a sector."""
_ORBIT_LENGTHS = 5.0, 16.0
"""The longest stretch of a table [d] between such pauses, if it is of TESS: nights are shorter, quarters longer."""
_SNIFFED = 512
_GZIP = b"\x1f\x8b"
_FITS = b"SIMPLE  ="


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file beforehand: first and last day that it can have, and transits of its star."""

    span: tuple[float, float] = (-np.inf, np.inf)
    transits: tuple[Transit, ...] = ()


_ANYTHING = Known()


def read_curve(
    path: Path, product: str, config: CleanConfig, reader: str = "fast", known: Known = _ANYTHING
) -> CleanCurve | Refusal:
    """Read and clean one file.

    Args:
        path: the file.
        product: ``TABLE`` or a key of ``PRODUCTS``.
        config: the steps of cleaning.
        reader: ``fast``, or ``lightkurve`` for the reference.
        known: what is known of the file.

    Raises:
        InputError: a Parquet file, but no library that reads it.
    """
    try:
        delivered = read_plain(path) if product == TABLE else _read_fits(path, product, config.quality, reader)
    except (InputError, MemoryError):
        raise
    # Damaged files make the FITS and table libraries raise almost anything.
    except Exception as error:
        return unreadable(error)
    if isinstance(delivered, Refusal):
        return delivered
    # What stands for a missing value does so in the delivered unit.
    raw = delivered._replace(curve=without_placeholders(delivered.curve)).linear()
    if isinstance(raw, Refusal):
        return raw
    kind = PRODUCTS.get(product)
    masked = drop_transits(raw, known.transits, kind.reference if kind else None)
    if isinstance(masked, Refusal):
        return masked
    raw, n_in_transit = masked
    by_orbit = config.orbits and (in_orbits(raw.time) if kind is None else kind.campaign.folder == "tess")
    curve = clean(raw, min(config.gap, _ORBIT_GAP) if by_orbit else config.gap, known.span)
    if isinstance(curve, Refusal):
        return curve
    why = left_out(curve.time, curve.flux, curve.segment, config)
    return replace(curve, n_in_transit=n_in_transit, left_out=why)


def in_orbits(time: np.ndarray) -> bool:
    """Whether the stretches of some times [d], shape (n,), without a pause last as long as those of TESS."""
    known = np.sort(time[np.isfinite(time)])
    ends = np.r_[-1, np.flatnonzero(np.diff(known) > _ORBIT_GAP), known.size - 1]
    longest = np.max(known[ends[1:]] - known[ends[:-1] + 1], initial=0.0)
    return bool(_ORBIT_LENGTHS[0] <= longest <= _ORBIT_LENGTHS[1])


def unreadable(error: Exception) -> Refusal:
    """A refusal that names the cause but, unlike the error's own text, no path."""
    cause = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return Refusal(Status.UNREADABLE, f"cannot be read ({cause})")


def sniff(path: Path) -> Refusal | None:
    """Tell an empty file, a web page or a file that is not FITS from its first bytes."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_SNIFFED)
    except OSError as error:
        return unreadable(error)
    if not head:
        return Refusal(Status.UNREADABLE, "the file is empty")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return Refusal(Status.UNREADABLE, "a web page (HTML or XML) in place of the data")
    if not path.name.lower().endswith(TABLE_SUFFIXES) and not head.startswith((_FITS, _GZIP)):
        return Refusal(Status.UNREADABLE, "not a FITS file")
    return None


def read_times(path: Path, product: str) -> np.ndarray | Refusal:
    """The times [d] of a product's file, f8, NaN where there is none.

    Raises:
        Exception: almost any where the file is damaged.
    """
    from astropy.io import fits

    kind = PRODUCTS[product]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False) as hdus:
            if product == KEPSEISMIC and hdus[0].data is not None:
                return _in_count(np.array(hdus[0].data[:, 0], dtype=np.float64), kind.reference, None)
            problem = lacking((kind.time_column,), hdus[1].columns.names if len(hdus) > 1 else [])
            if problem:
                return problem
            time = np.array(hdus[1].data[kind.time_column], dtype=np.float64) - kind.time_shift
            return _in_count(time, kind.reference, stated_zero(hdus[1].header, kind.time_column))


def _in_count(time: np.ndarray, zero: float, stated: float | None) -> np.ndarray | Refusal:
    """Times in the days of their product, NaN for those that stand for a missing one."""
    days, _ = to_count(np.where(stray_times(time), np.nan, time), zero, stated)
    finite = days[np.isfinite(days)]
    if finite.size and not kind_of(float(np.median(finite))):
        words = f"its times, from {finite.min():.10g} to {finite.max():.10g}, are no days of its mission in any count"
        return Refusal(Status.UNREADABLE, words)
    return days


def _read_fits(path: Path, product: str, quality: str, reader: str) -> Delivered:
    from spotcat.ingest.official import read_official
    from spotcat.ingest.reference import read_reference

    curve = None
    if reader == "fast":
        # Whatever is odd about a file, the reference has the last word.
        with suppress(Exception):
            curve = read_official(path, product, quality)
    unit = BY_NAME[PRODUCTS[product].unit]
    return Delivered(read_reference(path, product, quality) if curve is None else curve, unit)
