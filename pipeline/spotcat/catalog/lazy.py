"""Columns as an xarray dataset that reads them on demand, without Dask.

xarray's own zarr reader gives text as NumPy's variable-length strings, on which `xarray.Dataset.where` fails;
here text is an array of Python strings, as everywhere else in xarray.  What is used of xarray is what its page "How to
add a new backend" gives to backends.  Import this module only when a dataset is asked for: it loads xarray, which takes
longer than most queries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core.indexing import ExplicitIndexer, IndexingSupport, LazilyIndexedArray, explicit_indexing_adapter

from spotcat.catalog.schema import attributes
from spotcat.catalog.store import Source


def as_dataset(sources: Mapping[str, Source], attrs: Mapping[str, Any]) -> xr.Dataset:
    """One variable per column along the dimension ``star``, in their order.

    Attributes are text and numbers, which netCDF and zarr can hold; of what is neither the JSON is there.
    """
    given: Any = sources
    dataset = xr.open_dataset(given, engine=_Columns, chunks=None)
    dataset.attrs.update({name: _attribute(value) for name, value in attrs.items()})
    return dataset


def _attribute(value: Any) -> Any:
    """A text, a number or a list of numbers as it is, anything else as JSON."""
    parts = value if isinstance(value, list) and value else [value]
    is_number = all(isinstance(part, int | float) and not isinstance(part, bool) for part in parts)
    return value if is_number or isinstance(value, str) else json.dumps(value, sort_keys=True)


class _Values(BackendArray):
    """A column for xarray's lazy indexing."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.shape = source.shape
        self.dtype = source.dtype

    def __getitem__(self, key: ExplicitIndexer) -> Any:
        return explicit_indexing_adapter(key, self.shape, IndexingSupport.OUTER_1VECTOR, self._read)

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
                name: xr.Variable(source.column.dims, LazilyIndexedArray(_Values(source)), attributes(source.column))
                for name, source in filename_or_obj.items()
            }
        )
