"""A catalog in use: select its rows, find one star or those near a position, turn it into other tables.

Selecting is done with NumPy on the chunks that are needed: xarray takes longer to import than most queries
take, so it is loaded when a dataset or an array with labels is asked for, and not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from spotcat.catalog.expression import Expression
from spotcat.catalog.index import Index
from spotcat.catalog.names import find_star
from spotcat.catalog.schema import MATCHED, Column, check_names
from spotcat.catalog.sky import degrees, separation
from spotcat.status import InputError

if TYPE_CHECKING:
    import astropy.table
    import pandas as pd
    import pyarrow as pa
    import xarray as xr

    from spotcat.catalog.store import Source

_SEPARATION, _MATCH_ROW, _MINUS, _PLUS = MATCHED


class Catalog:
    """A catalog of stars, or a selection of one.

    ``catalog["prot"]`` is a column with its units and description (an `xarray.DataArray`),
    ``catalog.column("prot")`` its plain values; every selection is a catalog again.

    Args:
        sources: where the columns are, by name, in their order.
        attrs: attributes of the whole catalog.
        index: the side index of a store; selections have none.
    """

    def __init__(self, sources: Mapping[str, Source], attrs: Mapping[str, Any], index: Index | None = None) -> None:
        self._sources = dict(sources)
        self._index = index
        self.attrs = dict(attrs)

    def __len__(self) -> int:
        return next((source.shape[0] for source in self._sources.values()), 0)

    def __repr__(self) -> str:
        from spotcat.catalog.export import preview

        return preview(self)

    @property
    def columns(self) -> dict[str, Column]:
        """What each column and array is, by name."""
        return {name: source.column for name, source in self._sources.items()}

    @property
    def names(self) -> list[str]:
        """The columns of the table; the arrays beside it (GP periodogram, fit) are in `columns` alone."""
        return [name for name, source in self._sources.items() if source.column.dims == ("star",)]

    @cached_property
    def dataset(self) -> xr.Dataset:
        """All columns and arrays as an `xarray.Dataset`, read when they are used."""
        from spotcat.catalog.lazy import as_dataset

        return as_dataset(self._sources, self.attrs)

    @overload
    def __getitem__(self, name: str) -> xr.DataArray: ...

    @overload
    def __getitem__(self, name: list[str]) -> xr.Dataset: ...

    def __getitem__(self, name: str | list[str]) -> xr.DataArray | xr.Dataset:
        check_names([name] if isinstance(name, str) else name, self._sources)
        return self.dataset[name]

    def column(self, name: str) -> np.ndarray:
        """The values of a column or array.

        Raises:
            InputError: there is no such column.
            RunError: it is damaged.
        """
        check_names([name], self._sources)
        return self._sources[name].read()

    def select(self, columns: Iterable[str]) -> Catalog:
        """The same stars with some columns, in that order; nothing is read.

        Raises:
            InputError: there is no such column.
        """
        wanted = list(columns)
        check_names(wanted, self._sources)
        return Catalog({name: self._sources[name] for name in wanted}, self.attrs)

    def query(self, expression: str = "", columns: Iterable[str] | None = None, limit: int | None = None) -> Catalog:
        """The stars for which an expression holds.

        Args:
            expression: a condition such as ``prot.between(5, 10) and flags == 0``, as `Expression` describes
                it; blank selects every star.
            columns: the columns wanted, in that order; all of the table's if None.
            limit: give the first stars only.

        Returns:
            The selected rows in the catalog's order, in memory.  Only the columns named here or in the
            expression are read.

        Raises:
            InputError: the expression is not valid, or a column is unknown.
            RunError: a column is damaged.
        """
        from spotcat.catalog.store import Held, read_together

        condition, wanted = Expression(expression), self._wanted(columns)
        check_names(condition.names, self.names)
        needed = [self._sources[name] for name in condition.names]
        values = dict(zip(condition.names, read_together(needed), strict=True))
        rows = np.flatnonzero(condition.mask(values, len(self)))[:limit]
        # What was read for the condition is not read again.
        read = {name: Held(self._sources[name].column, values[name]) for name in condition.names}
        return Catalog({**self._sources, **read}, self.attrs)._take(rows, wanted)

    def star(self, name: str | int, columns: Iterable[str] | None = None) -> Catalog:
        """One star by its name or star id.

        Args:
            name: the name, in any case and with or without spaces (``tic461654150``), the star id, or the number of
                the KIC, EPIC or TIC; a number is first of all a star id, a text first of all a name.
            columns: the columns and arrays wanted, in that order; all if None.

        Returns:
            A selection of length one, in memory.

        Raises:
            InputError: no star or several stars match, or a column is unknown.
        """
        wanted = list(self._sources) if columns is None else list(columns)
        check_names(wanted, self._sources)
        check_names(("name", "star_id"), self._sources)
        return self._take(find_star(self._sources, self._index, name), wanted)

    def cone(self, ra: float, dec: float, radius: float, columns: Iterable[str] | None = None) -> Catalog:
        """The stars around a position.

        Args:
            ra: right ascension [deg], or an astropy quantity.
            dec: declination [deg], the same.
            radius: radius of the cone [deg], the same.
            columns: the columns wanted; all of the table's if None.

        Returns:
            The stars within the radius in the catalog's order, with a column ``separation`` [deg].

        Raises:
            InputError: the position or the radius is not one, or a column is unknown.
        """
        ra, dec, radius = (degrees(value) for value in (ra, dec, radius))
        if not (np.isfinite(ra) and -90 <= dec <= 90):
            raise InputError(f"no position: ra {ra:g}, dec {dec:g}; give degrees, dec from -90 to 90")
        if not 0 <= radius <= 180:
            raise InputError(f"no radius of a cone: {radius:g}; give degrees from 0 to 180")
        wanted = self._wanted(columns)
        if self._index is not None:
            rows, away = self._index.near(ra, dec, radius)
        else:
            every = separation(self.column("ra"), self.column("dec"), ra, dec)
            rows = np.flatnonzero(every <= radius)
            away = every[rows]
        return self._take(rows, wanted, {_SEPARATION: away})

    def crossmatch(
        self,
        table: Any,
        radius: float = 1 / 3600,
        on: str | None = None,
        columns: Iterable[str] | None = None,
    ) -> Catalog:
        """The stars that are also in another table, one row for each row of the table that has a match.

        Args:
            table: anything with columns: an astropy, pandas or Arrow table, a mapping of arrays, a catalog.
            radius: how far apart two positions of a star may be [deg]; the nearest star counts.
            on: column of `table` with names, star ids or numbers of the KIC, EPIC or TIC, as numbers or text, which
                are compared instead of its ``ra`` and ``dec``; a name such as ``tic`` or ``kepid`` says what its
                numbers are.
            columns: the columns wanted; all of this catalog's table if None.

        Returns:
            Matched stars in the order of `table`, with a column ``match_row``, the row there, and with
            positions ``separation`` [deg].  A row of the table whose key is missing has no match.

        Raises:
            InputError: the table lacks the columns, a column is unknown, several stars have a name of the table, its
                numbers may be of two kinds, or they are floating-point numbers too large to be exact.
        """
        from spotcat.catalog.match import match_names, match_positions, table_cells, table_degrees

        wanted = self._wanted(columns)
        if on is not None:
            rows, other = match_names(self, table_cells(table, on))
            return self._take(rows, wanted, {_MATCH_ROW: other})
        here = [self.column(key) for key in ("ra", "dec")]
        there = [table_degrees(table, key) for key in ("ra", "dec")]
        rows, other, away = match_positions(here, there, degrees(radius))
        return self._take(rows, wanted, {_MATCH_ROW: other, _SEPARATION: away})

    def with_errors(self) -> Catalog:
        """The same catalog with the distances from ``prot`` to the ends of its interval, ``prot_minus``, ``prot_plus``.

        Nothing is read; a catalog without the period or its ends is given back as it is.
        """
        from spotcat.catalog.store import Difference

        own = [self._sources.get(name) for name in ("prot", "prot_lower", "prot_upper")]
        if None in own:
            return self
        prot, low, high = (source for source in own if source is not None)
        added = {_MINUS.name: Difference(_MINUS, prot, low), _PLUS.name: Difference(_PLUS, high, prot)}
        return Catalog({**self._sources, **added}, self.attrs, self._index)

    def sort(self, by: str, *, descending: bool = False) -> Catalog:
        """The same stars ordered by a column of the table; missing values come last either way."""
        check_names([by], self.names)
        values = self.column(by)
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
        order = np.argsort(values, kind="stable")
        order = order[~missing[order]]
        if descending:
            order = order[::-1]
        return self._take(np.concatenate([order, np.flatnonzero(missing)]), list(self._sources))

    def head(self, n_stars: int) -> Catalog:
        """The first stars, with all columns and arrays."""
        return self._take(np.arange(min(n_stars, len(self))), list(self._sources))

    def to_pandas(self) -> pd.DataFrame:
        """The table's columns; units, UCDs and descriptions are in the frame's ``attrs["columns"]``."""
        from spotcat.catalog.tables import to_pandas

        return to_pandas(self)

    def to_astropy(self) -> astropy.table.Table:
        """The table's columns with units, descriptions and, in each column's ``meta``, UCDs."""
        from spotcat.catalog.tables import to_astropy

        return to_astropy(self)

    def to_arrow(self) -> pa.Table:
        """The table's columns for Parquet, with units, UCDs and descriptions in the fields' metadata."""
        from spotcat.catalog.tables import to_arrow

        return to_arrow(self)

    def write(self, path: str | Path, form: str | None = None) -> None:
        """Write the table's columns to a file, as `spotcat.catalog.export.export_file` does.

        Args:
            path: the file; an earlier one is replaced in one step.
            form: a format; that of the path's suffix if None.
        """
        from spotcat.catalog.export import export_file, format_of

        export_file(self, form or format_of(Path(path)), Path(path))

    def _wanted(self, columns: Iterable[str] | None) -> list[str]:
        wanted = self.names if columns is None else list(columns)
        check_names(wanted, self.names)
        return wanted

    def _take(
        self, rows: np.ndarray, names: Iterable[str], added: Mapping[Column, np.ndarray] | None = None
    ) -> Catalog:
        """Some rows in memory, with columns that a search adds behind the others."""
        from spotcat.catalog.store import Held, read_together

        sources = [self._sources[name] for name in dict.fromkeys(names)]
        taken: dict[str, Source] = {
            source.column.name: Held(source.column, values)
            for source, values in zip(sources, read_together(sources, rows), strict=True)
        }
        taken |= {column.name: Held(column, values) for column, values in (added or {}).items()}
        return Catalog(taken, self.attrs)
