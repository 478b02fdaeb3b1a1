"""Open a catalog, wherever it lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotcat.atomic import settled
from spotcat.catalog.index import GROUP, Index
from spotcat.catalog.schema import ARRAYS, COLUMNS, SCHEMA_VERSION
from spotcat.catalog.selection import Catalog
from spotcat.status import InputError

if TYPE_CHECKING:
    import zarr

_CATALOG, _RECIPE = "catalog.zarr", "recipe.toml"
"""Names of the catalog and the recipe in a run folder."""


def located(path: str | Path) -> str | Path:
    """The catalog that a path stands for: itself, or that of a run folder.

    Raises:
        InputError: it is a run folder without a catalog.
    """
    if "://" in str(path):
        return path
    folder = Path(path)
    if not folder.is_dir() or (folder / "zarr.json").exists():
        return path
    if settled(folder / _CATALOG).is_dir():
        return folder / _CATALOG
    if (folder / _RECIPE).is_file():
        raise InputError(f"{path}: this run has no catalog yet; `spotcat status {path}` says how far it is")
    return path


def open_catalog(path: str | Path) -> Catalog:
    """Open a catalog; its columns are read when they are used.

    One of an earlier schema has the columns that it was written with, with the units and meanings that it tells;
    ``catalog.attrs["schema_version"]`` says which it is.

    Args:
        path: folder of the catalog or of the run that made it, or a URL that fsspec understands, such as
            ``https://...``.

    Raises:
        InputError: nothing is there, it is not a spotcat catalog, it is incomplete, or a later version of
            the schema wrote it.
    """
    from zarr.errors import BaseZarrError

    from spotcat.catalog.store import open_columns, open_group

    path = located(path)
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
