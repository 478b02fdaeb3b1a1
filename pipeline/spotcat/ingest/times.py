"""The times of a plain table: by the format or unit that the table states, or else days, if they can be."""

from __future__ import annotations

import numpy as np

from spotcat.ingest.clean import Refusal
from spotcat.ingest.daycount import BY_NAME, kinds_of
from spotcat.ingest.fields import Field
from spotcat.ingest.placeholders import stray_times
from spotcat.ingest.units import days_in
from spotcat.status import Status

_SECONDS = 86_400.0
_UNIX = 2_440_587.5
"""Julian date of 1970-01-01."""
WIDEST_STEP = 25.0
"""Measurements further apart [d] show no period up to 100 d, since one takes four of them."""
_FEW = 0.05
"""If more of the times than this count from another date, it is no damage."""


def days_of(field: Field) -> tuple[np.ndarray, bool] | Refusal:
    """The times of a column.

    Returns:
        f8 [d], NaN where there is none, and whether they were no days and now are full Julian dates.
    """
    if field.time_format:
        return _of_format(field)
    if isinstance(field.values, np.ndarray) and field.values.dtype.kind == "M":
        since = (field.values - np.datetime64("1970-01-01")) / np.timedelta64(1, "s")
        return np.asarray(since, dtype=np.float64) / _SECONDS + _UNIX, True
    values, factor = field.numbers(), days_in(field.name, field.unit)
    if isinstance(values, Refusal):
        return values
    if isinstance(factor, Refusal):
        return factor
    return values if factor == 1 else values * factor, False


def implausible(time: np.ndarray) -> Refusal | None:
    """Why times that should be days cannot be those of a light curve of Kepler, K2 or TESS; None if they can.

    Args:
        time: [d], NaN where there is none.
    """
    time = time[np.isfinite(time) & ~stray_times(time)]
    steps = np.diff(np.unique(time))
    if steps.size == 0:
        return None
    if (step := float(np.median(steps))) > WIDEST_STEP:
        words = f"its measurements are {step:.6g} d apart, too wide for any period searched; are the times in days?"
        return Refusal(Status.UNREADABLE, words)
    shares = {kind: float(np.mean(within)) for kind, within in kinds_of(time).items()}
    between = f"from {time.min():.10g} to {time.max():.10g}"
    if sum(shares.values()) < 1 - _FEW:
        words = f"its times, {between}, are no days of Kepler, K2 or TESS in any count (BKJD, BTJD, MJD, JD)"
        return Refusal(Status.UNREADABLE, f"{words}; are they in days?")
    common = [kind for kind, share in shares.items() if share > _FEW]
    if len(common) > 1:
        return Refusal(Status.UNREADABLE, f"its times, {between}, count days from several dates ({', '.join(common)})")
    return None


def _of_format(field: Field) -> tuple[np.ndarray, bool] | Refusal:
    """The times of a column that is one of astropy's times."""
    text = isinstance(field.values, list)
    values = field.numbers()
    if isinstance(values, Refusal) and field.fraction is None and text:
        return _dates(field, np.array([value.strip() for value in field.values]))
    if isinstance(values, Refusal):
        return values
    if field.fraction is not None:
        known = field.elapsed or field.time_format in BY_NAME
        zero = 0.0 if field.elapsed else BY_NAME.get(field.time_format, 0.0)
        return (values - zero) + field.fraction, not known
    if field.elapsed:
        return (values / _SECONDS, True) if field.time_format == "sec" else (values, False)
    return (values, False) if field.time_format in BY_NAME else _dates(field, values)


def _dates(field: Field, values: np.ndarray) -> tuple[np.ndarray, bool] | Refusal:
    """Full Julian dates from any other format that astropy knows."""
    from astropy.time import Time

    given = np.isfinite(values) if values.dtype.kind == "f" else values != ""
    days = np.full(values.shape, np.nan)
    try:
        days[given] = Time(values[given], format=field.time_format, scale=field.scale or None).jd
    except ValueError:
        words = f"column {field.name!r} has times in the format {field.time_format!r} that cannot be read"
        return Refusal(Status.UNREADABLE, words)
    return days, True
