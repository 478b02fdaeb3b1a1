"""Which stars of a catalog are also in another table, by name, by number or by position.

A row of the table whose key is missing or says nothing has no match; a column that could be read in two ways, or
whose numbers were rounded on their way here, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spotcat.catalog.index import plain_name
from spotcat.catalog.selection import Catalog
from spotcat.catalog.sky import separation, unit_vectors
from spotcat.config import nearest
from spotcat.status import InputError

_CATALOG_OF = {"Kepler": "KIC", "K2": "EPIC", "TESS": "TIC"}
_NAMED = re.compile(r"(kic|epic|tic)[\s_:-]*(\d+)", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)(\.0*)?")
_COLUMN_SAYS = {"kic": "KIC", "kep": "KIC", "kepler": "KIC", "epic": "EPIC", "tic": "TIC"}
_SUFFIX = re.compile(r"(?<=.)(ids?|no|num|number|name)$")


class Cells(NamedTuple):
    """A column of another table as Python values.

    Attributes:
        name: of the column.
        values: None where one is missing.
        exact: whole numbers below this survived whatever type they came in.
    """

    name: str
    values: list[Any]
    exact: float


def table_cells(table: Any, name: str) -> Cells:
    """A column of any kind of table.

    Args:
        table: an astropy, pandas or Arrow table, an array with fields, a mapping of arrays or lists, a catalog.
        name: the column.

    Raises:
        InputError: there is no such column.
    """
    column = _column(table, name)
    dtype = getattr(column, "dtype", getattr(column, "type", None))
    dtype = getattr(dtype, "numpy_dtype", dtype)  # of pandas' own types
    is_single = str(dtype) in ("float32", "float")  # the latter is Arrow's word
    return Cells(
        name, [None if _is_missing(value) else value for value in _listed(column)], 2.0 ** (24 if is_single else 53)
    )


def table_degrees(table: Any, name: str) -> np.ndarray:
    """A column of angles [deg], NaN where one is missing; a unit other than degrees is converted.

    Raises:
        InputError: there is no such column, or it is no angle.
    """
    column = _column(table, name)
    unit = getattr(column, "unit", None)
    try:
        factor = 1.0 if unit is None else float((1.0 * unit).to_value("deg"))
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"the table's column {name!r} is no angle ({error})") from None
    cells = [None if _is_missing(value) else value for value in _listed(column)]
    degrees = np.array([_number_of(value) for value in cells], dtype=float)
    if not np.isfinite(degrees).any() and any(value is not None and str(value).strip() for value in cells):
        raise InputError(f"the table's column {name!r} holds no numbers; give degrees")
    return factor * degrees


def match_names(catalog: Catalog, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the catalog and of the table that are one star.

    Text is a name, spaces and case aside, or a number.  A number is a star id, or that of the KIC, EPIC or TIC where
    the column is called so (``tic``, ``kepid``, ``EPIC_ID``); a column of another name is what all of its numbers can
    be.

    Raises:
        InputError: two stars have a name that the table holds, numbers may be of two kinds, or numbers are
            floating-point and so large that they were rounded.
    """
    names, kind = _rows_by_name(catalog), _kind_of(cells.name)
    found: dict[int, int] = {}
    rest: dict[int, Any] = {}
    for place, value in enumerate(cells.values):
        text = _text_of(value)
        is_name = text and plain_name(text) in names and not (kind and _NUMBER.fullmatch(text))
        if not is_name:
            rest[place] = value
        elif (row := names[plain_name(text)]) >= 0:
            found[place] = row
        else:
            raise InputError(f"several stars are called {text!r}; match them by star id")
    found |= _rows_of_numbers(catalog, cells, rest) if rest else {}
    other = np.array(sorted(found), dtype=np.int64)
    return np.array([found[place] for place in other.tolist()], dtype=np.int64), other


def _rows_of_numbers(catalog: Catalog, cells: Cells, rest: Mapping[int, Any]) -> dict[int, int]:
    """The row of each value that is the number of a star, by its place in the table."""
    numbers = _rows_by_number(catalog)
    found: dict[int, int] = {}
    bare: dict[int, int] = {}
    for place, value in rest.items():
        if named := _NAMED.fullmatch(_text_of(value)):
            row = numbers[named[1].upper()].get(int(named[2]), -1)
            found |= {place: row} if row >= 0 else {}
        elif (number := _whole(value, cells)) is not None:
            bare[place] = number
    return found | _rows_of_bare(bare, numbers, cells.name)


def _rows_of_bare(bare: Mapping[int, int], numbers: Mapping[str, Mapping[int, int]], column: str) -> dict[int, int]:
    """The row of each number that does not say of what it is one."""
    kind = _kind_of(column)
    found = {
        name: {place: rows[number] for place, number in bare.items() if number in rows}
        for name, rows in numbers.items()
        if kind in (None, name)
    }
    possible = {name: matches for name, matches in found.items() if matches}
    fullest = max(possible.values(), key=len, default={})
    # Ways that lead to the same stars are one.
    if any(fullest.get(place) != row for matches in possible.values() for place, row in matches.items()):
        counts = " and ".join(f"{name} of {len(matches)} stars" for name, matches in possible.items())
        raise InputError(
            f"the numbers in the table's column {column!r} may be {counts}; call the column star_id, kic, epic or tic"
        )
    return fullest


def _kind_of(column: str) -> str | None:
    """What a column's name says that its numbers are: a key of `_rows_by_number`."""
    if plain_name(column).replace("_", "") == "starid":
        return "star_id"
    tokens = re.split(r"[^a-z]+", column.lower())
    said = {_COLUMN_SAYS[word] for word in (_SUFFIX.sub("", token) for token in tokens) if word in _COLUMN_SAYS}
    return said.pop() if len(said) == 1 else None


def _rows_by_name(catalog: Catalog) -> dict[str, int]:
    """Rows by `plain_name`, -1 for a name of several."""
    rows: dict[str, int] = {}
    for row, name in enumerate(catalog.column("name").tolist()):
        rows[plain_name(name)] = -1 if plain_name(name) in rows else row
    return rows


def _rows_by_number(catalog: Catalog) -> dict[str, dict[int, int]]:
    """Rows by star id, and by the numbers of the KIC, EPIC and TIC."""
    rows: dict[str, dict[int, int]] = {"star_id": {}, "KIC": {}, "EPIC": {}, "TIC": {}}
    for row, number in enumerate(catalog.column("star_id").tolist()):
        rows["star_id"][number] = row
    if {"mission", "mission_id"} <= set(catalog.names):
        missions, numbers = (catalog.column(name).tolist() for name in ("mission", "mission_id"))
        for row, (mission, number) in enumerate(zip(missions, numbers, strict=True)):
            if mission in _CATALOG_OF and number >= 0:
                rows[_CATALOG_OF[mission]].setdefault(number, row)
    for row, name in enumerate(catalog.column("name").tolist()):
        if named := _NAMED.fullmatch(name.strip()):
            rows[named[1].upper()].setdefault(int(named[2]), row)
    return rows


def _column(table: Any, name: str) -> Any:
    if isinstance(table, Catalog):
        return table.column(name)
    fields = getattr(getattr(table, "dtype", None), "names", None)
    known = [str(key) for key in (getattr(table, "colnames", None) or getattr(table, "column_names", fields) or table)]
    if name not in known:
        raise InputError(f"the table to match has no column {name!r}; {nearest(name, known)}")
    return table[name]


def _listed(column: Any) -> list[Any]:
    """The values of a column, None where masked; whole numbers stay whole where the column has them so."""
    for method in ("to_pylist", "to_list"):  # of Arrow, of pandas
        if hasattr(column, method):
            return list(getattr(column, method)())
    if isinstance(column, list | tuple):
        return list(column)
    values = np.asarray(getattr(column, "unmasked", column)).tolist()  # astropy's masked quantities have both
    mask = getattr(column, "mask", None)
    if isinstance(mask, np.ndarray) and mask.shape:
        return [None if hidden else value for value, hidden in zip(values, mask.tolist(), strict=True)]
    return list(values)


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # pandas' NA is neither equal nor unequal
        return True


def _text_of(value: Any) -> str:
    """Text without surrounding spaces; empty for what is no text."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text.strip() if isinstance(text, str) else ""


def _whole(value: Any, cells: Cells) -> int | None:
    """A whole number, written or stored in whatever way; None for anything else.

    Raises:
        InputError: it is floating-point and too large to be exact.
    """
    if written := _NUMBER.fullmatch(_text_of(value)):
        return int(written[1])
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number) or np.iscomplexobj(value):
        return None
    if isinstance(value, float | np.floating):
        if not np.isfinite(value) or value != int(value):
            return None
        if abs(float(value)) >= cells.exact:
            raise InputError(
                f"the table's column {cells.name!r} holds {value:.0f} as a floating-point number, which is rounded; "
                f"read the column as 64-bit integers or as text"
            )
    return int(value)


def _number_of(value: Any) -> float:
    """A number of any kind, NaN for what is none."""
    try:
        return float(_text_of(value) or value)
    except (TypeError, ValueError):
        return float("nan")


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
    asked = np.flatnonzero(np.isfinite(there[0]) & (np.abs(there[1]) <= 90))  # -999 is none
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
