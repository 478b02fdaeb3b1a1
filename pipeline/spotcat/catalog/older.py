"""Catalogs of earlier versions of the schema, read as they describe themselves.

Each array carries its unit, UCD, description and the words of its codes, so that an old catalog needs no table of what
its columns meant.  Version 1 lists no columns and has neither an index nor checksums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.catalog.schema import ARRAYS, COLUMNS, Column, attributes

if TYPE_CHECKING:
    import zarr

    from spotcat.catalog.store import Source


def older_columns(group: zarr.Group) -> dict[str, Source]:
    """The columns of a catalog of an earlier schema.

    A code whose numbers were others then is translated by its words.

    Args:
        group: the catalog.

    Raises:
        FileNotFoundError: a column or a chunk of one is missing.
        KeyError: a code has a word that today's has not.
    """
    from spotcat.catalog.store import Held, open_columns

    listed: Any = group.attrs.get("columns") or _by_rank(group)
    arrays: dict[str, Any] = {name: group[name] for name in listed}
    found: dict[str, Source] = dict(open_columns(group, tuple(_column(name, array) for name, array in arrays.items())))
    for name, array in arrays.items():
        old, new = _words(dict(array.attrs)), _words(attributes(found[name].column))
        if any(new[word] != number for word, number in old.items()):
            found[name] = Held(found[name].column, _translated(array[...], old, new))
    return found


def _by_rank(group: zarr.Group) -> list[str]:
    """All arrays of a group, in the order of today's columns, others last."""
    rank = {column.name: place for place, column in enumerate((*COLUMNS, *ARRAYS))}
    return sorted(group.array_keys(), key=lambda name: (rank.get(name, len(rank)), name))


def _column(name: str, array: Any) -> Column:
    """What an array says of itself."""
    about = dict(array.attrs)
    dims = tuple(array.metadata.dimension_names)
    dtype = "str" if array.dtype.kind == "T" else array.dtype.str[1:]
    return Column(name, dtype, about["units"], about["ucd"], about["description"], array.fill_value, dims)


def _words(about: dict[str, Any]) -> dict[str, int]:
    """The numbers of a code's words; empty for what is no code."""
    numbers = about.get("flag_masks") or about.get("flag_values") or []
    return dict(zip(about.get("flag_meanings", "").split(), numbers, strict=True))


def _translated(values: np.ndarray, old: dict[str, int], new: dict[str, int]) -> np.ndarray:
    """Flags with the bits that their words have today."""
    found = np.zeros_like(values)
    for word, mask in old.items():
        found[(values & mask) != 0] |= new[word]
    return found
