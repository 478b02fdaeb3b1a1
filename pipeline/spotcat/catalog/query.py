"""Open a catalog, wherever it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spotcat.catalog.index import GROUP, Index
from spotcat.catalog.schema import ARRAYS, COLUMNS
from spotcat.catalog.selection import Catalog
from spotcat.status import InputError


def open_catalog(path: str | Path) -> Catalog:
    """Open a catalog; its columns are read when they are used.

    Args:
        path: folder of the catalog, or a URL that fsspec understands, such as ``https://...``.

    Raises:
        InputError: nothing is there, it is not a spotcat catalog, it is incomplete, or another version of
            the schema wrote it.
    """
    from zarr.errors import BaseZarrError

    from spotcat.catalog.store import open_columns, open_group

    group = open_group(path)
    try:
        attributes: dict[str, Any] = dict(group.attrs)
        listed = set(attributes["columns"])
        sources = open_columns(group, tuple(column for column in (*COLUMNS, *ARRAYS) if column.name in listed))
        index: Any = group[GROUP]
        return Catalog(sources, attributes, Index(index, sources["star_id"].array.chunks[0]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, BaseZarrError) as error:
        raise InputError(f"{path}: the catalog is damaged or incomplete ({error}); copy it again") from None
