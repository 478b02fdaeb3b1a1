"""Open a catalog, wherever it lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotcat.catalog.index import GROUP, Index
from spotcat.catalog.schema import ARRAYS, COLUMNS, SCHEMA_VERSION
from spotcat.catalog.selection import Catalog
from spotcat.status import InputError

if TYPE_CHECKING:
    import zarr


def open_catalog(path: str | Path) -> Catalog:
    """Open a catalog; its columns are read when they are used.

    One of an earlier schema has the columns that it was written with, with the units and meanings that it tells;
    ``catalog.attrs["schema_version"]`` says which it is.

    Args:
        path: folder of the catalog, or a URL that fsspec understands, such as ``https://...``.

    Raises:
        InputError: nothing is there, it is not a spotcat catalog, it is incomplete, or a later version of
            the schema wrote it.
    """
    from zarr.errors import BaseZarrError

    from spotcat.catalog.store import open_columns, open_group

    group = open_group(path)
    try:
        attributes: dict[str, Any] = dict(group.attrs)
        if attributes["schema_version"] < SCHEMA_VERSION:
            return _older(group, attributes)
        listed = set(attributes["columns"])
        sources = open_columns(group, tuple(column for column in (*COLUMNS, *ARRAYS) if column.name in listed))
        index: Any = group[GROUP]
        return Catalog(sources, attributes, Index(index, sources["star_id"].array.chunks[0]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, BaseZarrError) as error:
        raise InputError(f"{path}: the catalog is damaged or incomplete ({error}); copy it again") from None


def _older(group: zarr.Group, attributes: dict[str, Any]) -> Catalog:
    """A catalog of an earlier schema, with its index where it has one."""
    from spotcat.catalog.older import older_columns

    sources = older_columns(group)
    inside: Any = group.get(GROUP)
    stars: Any = group["star_id"]
    return Catalog(sources, attributes, Index(inside, stars.chunks[0]) if inside else None)
