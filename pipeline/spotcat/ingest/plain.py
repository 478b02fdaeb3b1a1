"""Plain tables as light curves: columns by their names, values by their units, one star in each table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spotcat.ingest.clean import RawCurve, Refusal
from spotcat.ingest.fields import Field, read_fields
from spotcat.ingest.several import several_series, several_stars
from spotcat.ingest.times import days_of, implausible
from spotcat.ingest.units import UNSAID, Delivered, flux_unit
from spotcat.status import Status

_COLUMNS = ("time", "flux", "flux_err", "segment")
_LISTED = 8
"""Names of columns in a message."""
_LETTERS = 24
"""Letters of each."""
_FOLDED = "time_original"
"""lightkurve keeps the times of a folded light curve under this name."""


def read_plain(path: Path) -> Delivered | Refusal:
    """The light curve of a table with time, flux, and where present flux_err and segment; it has no quality mask.

    Raises:
        InputError: a Parquet file, but no library that reads it.
        Exception: almost any where the file is damaged.
    """
    fields = read_fields(path)
    if isinstance(fields, Refusal):
        return fields
    names = [field.name for field in fields]
    if _FOLDED in names:
        return Refusal(Status.UNSUPPORTED, f"a folded light curve (column {_FOLDED!r}): its times are phases")
    found = {name: _field(fields, name) for name in _COLUMNS}
    for column in found.values():
        if isinstance(column, Refusal):
            return column
    absent = [name for name in ("time", "flux") if found[name] is None]
    problem = lacking(absent, names) or several_stars(fields)
    return problem or _curve({name: field for name, field in found.items() if isinstance(field, Field)})


def lacking(wanted: Sequence[str], names: Sequence[str]) -> Refusal | None:
    """A refusal that names the columns that a file does not have, and some of those that it has."""
    missing = [repr(name) for name in wanted if name not in names]
    if not missing:
        return None
    shown = [repr(name if len(name) <= _LETTERS else name[:_LETTERS] + "...") for name in names[:_LISTED]]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    there = f"; there are {', '.join(shown)}{more}" if shown else ""
    return Refusal(Status.UNREADABLE, f"no column {', '.join(missing)}{there}")


def _field(fields: Sequence[Field], name: str) -> Field | Refusal | None:
    """The column that is spelt so, or else the only one that is but for its case."""
    exact = [field for field in fields if field.name == name]
    alike = exact or [field for field in fields if field.name.strip().casefold() == name]
    if len(alike) > 1:
        names = ", ".join(repr(field.name[:_LETTERS]) for field in alike[:_LISTED])
        return Refusal(Status.UNREADABLE, f"more than one column could be {name!r} ({names})")
    return alike[0] if alike else None


def _curve(fields: dict[str, Field]) -> Delivered | Refusal:
    days = days_of(fields["time"])
    if isinstance(days, Refusal):
        return days
    time, converted = days
    values: dict[str, np.ndarray] = {}
    units = dict.fromkeys(_COLUMNS, UNSAID)
    for name in [name for name in fields if name != "time"]:
        column, unit = fields[name].numbers(), flux_unit(fields[name].name, fields[name].unit)
        if isinstance(column, Refusal):
            return column
        if isinstance(unit, Refusal) and name != "segment":
            return unit
        values[name] = column
        units[name] = UNSAID if isinstance(unit, Refusal) else unit
    segment = values.get("segment")
    if segment is not None and not np.isfinite(segment).all():
        return Refusal(Status.UNREADABLE, "column 'segment' has missing values")
    problem = implausible(time) or several_series(time, values["flux"])
    if problem:
        return problem
    quality = np.zeros(time.size, dtype=np.int32)
    curve = RawCurve(time, values["flux"], values.get("flux_err"), quality, segment, converted=converted)
    return Delivered(curve, units["flux"], units["flux_err"])
