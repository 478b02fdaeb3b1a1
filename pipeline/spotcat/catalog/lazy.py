"""Variables that xarray reads on demand, without Dask.

xarray's own zarr reader gives text as NumPy's variable-length strings, on which `xarray.Dataset.where` fails;
here text is an array of Python strings, as everywhere else in xarray.  Import this module only when a catalog
is opened: it loads xarray and zarr.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from spotcat.catalog.schema import ARRAYS, COLUMNS
from spotcat.status import RunError


def open_store(folder: Path, attributes: Mapping[str, Any]) -> xr.Dataset:
    """The columns of a catalog's store.

    Raises:
        FileNotFoundError: a column or a chunk of one is missing.
    """
    group = zarr.open_group(folder, mode="r", use_consolidated=False)
    found = dict(group.arrays())
    variables = {}
    for column in (*COLUMNS, *ARRAYS):
        if column.name in found:
            array = found[column.name]
            _check_chunks(folder / column.name, array)
            variables[column.name] = _Variable(column.dims, _Stored(array), dict(array.attrs))
        elif column in COLUMNS:
            raise FileNotFoundError(f"no column {column.name}")
    return _dataset(variables, attributes)


def in_memory(like: xr.Dataset, values: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Arrays as a dataset with the dimensions and attributes of another."""
    variables = {
        name: _Variable(tuple(map(str, like[name].dims)), _Held(array), dict(like[name].attrs))
        for name, array in values.items()
    }
    return _dataset(variables, like.attrs)


class _Stored(BackendArray):
    """A zarr array; text is read as Python strings."""

    def __init__(self, array: zarr.Array) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = np.dtype(object) if array.dtype.kind == "T" else array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        try:
            return np.asarray(self.array.oindex[key]).astype(self.dtype, copy=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise RunError(
                f"{self.array.store_path}: the column is damaged ({error}); finalise the catalog again"
            ) from None


class _Held(BackendArray):
    """A NumPy array."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self.array.__getitem__
        )


@dataclass(frozen=True)
class _Variable:
    dims: tuple[str, ...]
    data: BackendArray
    attributes: dict[str, Any]


class _Variables(BackendEntrypoint):
    """Lets `xarray.open_dataset` add its caching and copy-on-write to variables made here."""

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,  # noqa: ARG002 -- xarray passes it
    ) -> xr.Dataset:
        return xr.Dataset(
            {
                name: xr.Variable(one.dims, indexing.LazilyIndexedArray(one.data), one.attributes)
                for name, one in filename_or_obj.items()
            }
        )


def _dataset(variables: dict[str, _Variable], attributes: Mapping[Any, Any]) -> xr.Dataset:
    source: Any = variables
    dataset = xr.open_dataset(source, engine=_Variables, chunks=None)
    dataset.attrs.update(attributes)
    return dataset


def _check_chunks(folder: Path, array: zarr.Array) -> None:
    """Refuse an array with chunks missing: zarr would read them as fill values."""
    chunks = folder / "c"
    found = sum(1 for _ in chunks.iterdir()) if chunks.is_dir() else 0
    expected = -(-array.shape[0] // array.chunks[0])
    if found != expected:
        raise FileNotFoundError(f"column {array.basename} has {found} of {expected} chunks")
