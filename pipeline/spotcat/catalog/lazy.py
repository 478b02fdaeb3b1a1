"""Columns as an xarray dataset that reads them on demand, without Dask.

xarray's own zarr reader gives text as NumPy's variable-length strings, on which `xarray.Dataset.where` fails;
here text is an array of Python strings, as everywhere else in xarray.  Import this module only when a dataset
is asked for: it loads xarray, which takes longer than most queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from spotcat.catalog.schema import attributes
from spotcat.catalog.store import Source


def as_dataset(sources: Mapping[str, Source], attrs: Mapping[str, Any]) -> xr.Dataset:
    """One variable per column along the dimension ``star``, in their order."""
    given: Any = sources
    dataset = xr.open_dataset(given, engine=_Columns, chunks=None)
    dataset.attrs.update(attrs)
    return dataset


class _Values(BackendArray):
    """A column for xarray's lazy indexing."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.shape = source.shape
        self.dtype = source.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        rows, *others = key
        if isinstance(rows, int | np.integer):
            found = self.source.read(slice(int(rows), int(rows) + 1))[0]
            return np.asarray(found[tuple(others)] if others else found, dtype=self.dtype)
        if isinstance(rows, slice) and (rows.step or 1) < 0:
            rows = np.arange(self.shape[0])[rows]
        return self.source.read(rows)[(slice(None), *others)]


class _Columns(BackendEntrypoint):
    """Lets `xarray.open_dataset` add its caching and copy-on-write to variables made here."""

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,  # noqa: ARG002 -- xarray passes it
    ) -> xr.Dataset:
        return xr.Dataset(
            {
                name: xr.Variable(
                    source.column.dims, indexing.LazilyIndexedArray(_Values(source)), attributes(source.column)
                )
                for name, source in filename_or_obj.items()
            }
        )
