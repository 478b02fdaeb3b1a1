"""Open a catalog, select its rows, find one star.

xarray imports Dask as soon as it wraps a NumPy array, which costs a query more than the query itself; so
selecting is done with NumPy, and the results reach xarray through the same lazy arrays as the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spotcat.catalog.atomic import settled
from spotcat.catalog.expression import Expression
from spotcat.catalog.layout import root_attributes
from spotcat.catalog.schema import FORMAT, SCHEMA_VERSION, check_names
from spotcat.status import InputError

if TYPE_CHECKING:
    import xarray as xr


def open_catalog(path: str | Path) -> xr.Dataset:
    """Open a catalog; its columns are read when they are used.

    Args:
        path: folder of the catalog.

    Returns:
        One variable per column along the dimension ``star``, in the order of the schema, and the arrays
        ``gp_periodogram``, ``gp_period`` [star, period] and ``fit_vector`` [star, parameter] where the
        catalog has them.  Attributes give units, UCDs, descriptions and the words of codes and flags.

    Raises:
        InputError: nothing is there, it is not a spotcat catalog, it is incomplete, or another version of
            the schema wrote it.
    """
    from zarr.errors import BaseZarrError

    from spotcat.catalog.lazy import open_store

    folder = settled(Path(path))
    if not folder.is_dir():
        raise InputError(f"{path}: no such catalog")
    attributes = root_attributes(folder)
    if attributes.get("format") != FORMAT:
        raise InputError(f"{path}: not a spotcat catalog")
    version = attributes.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: has version {version} of the schema, this spotcat reads {SCHEMA_VERSION}; "
            f"finalise it again or use the spotcat that wrote it"
        )
    try:
        return open_store(folder, attributes)
    except (OSError, ValueError, KeyError, BaseZarrError) as error:
        raise InputError(f"{path}: the catalog is damaged or incomplete ({error}); copy it again") from None


def query(catalog: xr.Dataset, expression: str, columns: Iterable[str] | None = None) -> xr.Dataset:
    """The stars for which an expression holds.

    Args:
        catalog: what `open_catalog` returned, or a selection of it.
        expression: a condition as `Expression` describes it; blank selects every star.
        columns: the columns wanted, in that order; all of the table's if None.

    Returns:
        The selected rows in the catalog's order, in memory.  Only the columns named here or in the
        expression are read.

    Raises:
        InputError: the expression is not valid, or a column is unknown.
    """
    condition = Expression(expression)
    table = [str(name) for name, variable in catalog.variables.items() if variable.dims == ("star",)]
    wanted = table if columns is None else list(columns)
    check_names([*condition.names, *wanted], table)
    values = {name: catalog[name].values for name in condition.names}
    return _rows(catalog, np.flatnonzero(condition.mask(values, catalog.sizes["star"])), wanted)


def star(catalog: xr.Dataset, name: str, columns: Iterable[str] | None = None) -> xr.Dataset:
    """One star by its name or star id.

    Args:
        catalog: what `open_catalog` returned, or a selection of it.
        name: the name, in any case and with or without spaces (``kic10002792``), or the star id.
        columns: the columns and arrays wanted, in that order; all if None.

    Returns:
        A selection of length one along ``star``, in memory.

    Raises:
        InputError: no star or several stars match, or a column is unknown.
    """
    known = [str(key) for key in catalog.variables]
    wanted = known if columns is None else list(columns)
    check_names(wanted, known)
    names = catalog["name"].values
    found = np.flatnonzero(names == name.strip())
    if not len(found) and name.strip().isdecimal():
        found = np.flatnonzero(catalog["star_id"].values == int(name))
    if not len(found):
        plain = _plain(name)
        found = np.array([row for row, other in enumerate(names) if _plain(other) == plain], dtype=int)
    if not len(found):
        raise InputError(f"no star {name.strip()!r} in the catalog")
    if len(found) > 1:
        ids = ", ".join(str(number) for number in catalog["star_id"].values[found[:5]])
        raise InputError(f"{len(found)} stars are called {name.strip()!r}; give a star id: {ids}")
    return _rows(catalog, found, wanted)


def _rows(catalog: xr.Dataset, rows: np.ndarray, names: list[str]) -> xr.Dataset:
    """Some rows of some variables, in memory; reads no more than the range that holds the rows."""
    from spotcat.catalog.lazy import in_memory

    first, stop = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    values = {name: catalog.variables[name][first:stop].values[rows - first] for name in names}
    return in_memory(catalog, values)


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()
