"""Which stars of a catalog are also in another table, by name or by position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spotcat.catalog.index import plain_name
from spotcat.catalog.selection import Catalog
from spotcat.catalog.sky import separation, unit_vectors
from spotcat.config import nearest
from spotcat.status import InputError


def table_column(table: Any, name: str, *, degrees: bool = False) -> np.ndarray:
    """A column of any kind of table as plain values.

    Args:
        table: an astropy or pandas table, a mapping of arrays, a catalog.
        name: the column.
        degrees: whether a unit other than degrees is converted.

    Raises:
        InputError: there is no such column, or it is no angle.
    """
    if isinstance(table, Catalog):
        return table.column(name)
    known = [str(key) for key in (getattr(table, "colnames", None) or table)]
    if name not in known:
        raise InputError(f"the table to match has no column {name!r}; {nearest(name, known)}")
    column = table[name]
    unit = getattr(column, "unit", None)
    if not degrees or unit is None:
        return np.ma.filled(column, np.nan) if isinstance(column, np.ma.MaskedArray) else np.asarray(column)
    try:
        values = column.to("deg") if hasattr(column, "to") else column.quantity.to("deg")
    except ValueError as error:
        raise InputError(f"the table's column {name!r} is no angle ({error})") from None
    return np.asarray(getattr(values, "value", values), dtype=float)


def match_names(star_id: np.ndarray, name: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the catalog and of the table with the same name, spaces and case aside, or star id."""
    row_of: dict[Any, int] = {}
    for row, (number, text) in enumerate(zip(star_id.tolist(), name.tolist(), strict=True)):
        row_of.setdefault(number, row)
        row_of.setdefault(plain_name(text), row)
    keys = [plain_name(one.decode() if isinstance(one, bytes) else one) if isinstance(one, str | bytes) else int(one)
            for one in wanted.tolist()]  # fmt: skip
    rows = np.array([row_of.get(key, -1) for key in keys], dtype=np.int64)
    other = np.flatnonzero(rows >= 0)
    return rows[other], other


def match_positions(
    here: Sequence[np.ndarray], there: Sequence[np.ndarray], radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest star of the catalog to each position of a table, if it is within the radius.

    Args:
        here: the catalog's right ascensions and declinations [deg], NaN where unknown.
        there: the table's.
        radius: largest separation [deg].

    Returns:
        Rows of the catalog, rows of the table, sorted, and separations [deg].
    """
    from scipy.spatial import KDTree

    known = np.flatnonzero(np.isfinite(here[0]) & np.isfinite(here[1]))
    asked = np.flatnonzero(np.isfinite(there[0]) & np.isfinite(there[1]))
    nothing = np.zeros(0, dtype=np.int64)
    if not len(known) or not len(asked):
        return nothing, nothing, np.zeros(0)
    tree = KDTree(unit_vectors(here[0][known], here[1][known]))
    chord = 2 * np.sin(np.deg2rad(min(radius, 180.0)) / 2) * (1 + 1e-9) + 1e-12
    _, place = tree.query(unit_vectors(there[0][asked], there[1][asked]), distance_upper_bound=chord)
    found = place < len(known)
    rows, other = known[place[found]], asked[found]
    away = separation(here[0][rows], here[1][rows], there[0][other], there[1][other])
    near = away <= radius
    return rows[near], other[near], away[near]
