"""From parts to a catalog: sorted by star, in large chunks, swapped in whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.atomic import replacing_folder
from spotcat.catalog.index import GROUP as INDEX
from spotcat.catalog.index import INDEXED, index_arrays
from spotcat.catalog.layout import blank, create_array, root_attributes
from spotcat.catalog.manifest import write_manifest
from spotcat.catalog.schema import ARRAYS, COLUMNS, FORMAT, SCHEMA_VERSION, Column, attributes
from spotcat.catalog.writer import read_part
from spotcat.status import InputError, RunError

if TYPE_CHECKING:
    import zarr

ROWS = 65_536
"""Stars in a chunk of a table column: 10^6 rows filter four times faster than in chunks of 256."""

_TEXT_ROWS = 8_192
"""Stars in a chunk of text; decoding 65,536 texts takes 8 ms, half the time of looking up a star.  Divides `ROWS`."""

_ARRAY_ROWS = 4_096
"""Stars in a chunk of an array, which is hundreds of values wide; divides `ROWS`."""


@dataclass(frozen=True)
class _Index:
    """Where each row of the catalog comes from."""

    parts: list[Path]
    part: np.ndarray
    row: np.ndarray
    widths: dict[str, int]


def finalise(
    parts: Sequence[Path],
    target: Path,
    attrs: Mapping[str, Any],
    counts: Mapping[Path, int] | None = None,
    wanted: Mapping[Path, Sequence[int]] | None = None,
) -> int:
    """Join parts into a catalog sorted by star id, with an index and checksums, replacing an earlier one.

    The bytes depend on the stars and the attributes alone, not on how the stars were divided among parts nor
    on the parts' order.  One writer at a time; who holds the earlier catalog open must open the new one.

    Args:
        parts: folders that `write_part` filled.
        target: folder of the catalog.
        attrs: attributes of the whole catalog, anything that JSON can hold; ``fit_parameters`` names the
            columns of ``fit_vector``.
        counts: how many stars the ledger knows of in each part; not compared if None.
        wanted: star ids of each part to take, where its other stars are in later parts; all if None.

    Returns:
        The number of stars.

    Raises:
        InputError: there are no parts, or `target` holds something else than a catalog.
        RunError: a part is missing or damaged or has another number of stars than the ledger says, a star is
            in two rows, parts disagree on the width of an array, or the catalog cannot be written.  An earlier
            catalog is untouched.
    """
    from zarr import create_group

    if not parts:
        raise InputError(f"{target}: there is nothing to finalise; run the fit first")
    if target.exists() and root_attributes(target).get("format") != FORMAT:
        raise InputError(f"{target}: holds something else than a catalog; move it away")
    index = _index(sorted(set(parts)), counts or {}, wanted or {})
    n_stars = len(index.row)
    columns = [*COLUMNS, *(array for array in ARRAYS if array.name in index.widths)]
    names = [column.name for column in columns]
    marks = {**attrs, "format": FORMAT, "schema_version": SCHEMA_VERSION, "columns": names, "n_stars": n_stars}
    with replacing_folder(target) as partial:
        group = create_group(partial, attributes=dict(sorted(marks.items())), overwrite=True)
        _write_index(group, _write_columns(group, index, columns))
        write_manifest(group, partial)
    return n_stars


def _write_columns(group: zarr.Group, index: _Index, columns: Sequence[Column]) -> dict[str, np.ndarray]:
    """Write the catalog's columns, and return those that are indexed."""
    n_stars = len(index.row)
    arrays = {}
    for column in columns:
        shape = (n_stars, *_tail(column, index))
        rows = _TEXT_ROWS if column.dtype == "str" else ROWS
        arrays[column.name] = create_array(
            group, column, shape, rows if len(shape) == 1 else _ARRAY_ROWS, attributes(column)
        )
    kept: dict[str, list[np.ndarray]] = {name: [] for name in INDEXED}
    for start in range(0, n_stars, ROWS):
        stop = min(start + ROWS, n_stars)
        for name, values in _gather(index, columns, start, stop).items():
            arrays[name][start:stop] = values
            if name in kept:
                kept[name].append(values)
    empty = {column.name: blank(column, (0,)) for column in columns}
    return {name: np.concatenate([empty[name], *values]) for name, values in kept.items()}


def _write_index(group: zarr.Group, columns: Mapping[str, np.ndarray]) -> None:
    lists, marks = index_arrays(columns, ROWS)
    inside = group.create_group(INDEX, attributes=marks)
    for column, values in lists.items():
        create_array(inside, column, values.shape, ROWS, attributes(column))[...] = values


def _index(parts: list[Path], counts: Mapping[Path, int], wanted: Mapping[Path, Sequence[int]]) -> _Index:
    """Read which stars the parts hold, checking every part on the way."""
    ids, owners, rows = [], [], []
    widths: dict[str, int] = {}
    for number, folder in enumerate(parts):
        part = read_part(folder)
        star_id = part["star_id"]
        expected = counts.get(folder, len(star_id))
        if len(star_id) != expected:
            raise RunError(
                f"{folder}: has {len(star_id)} stars where the ledger has {expected}; delete the part and run again"
            )
        taken = np.flatnonzero(np.isin(star_id, wanted[folder])) if folder in wanted else np.arange(len(star_id))
        ids.append(star_id[taken])
        owners.append(np.full(len(taken), number))
        rows.append(taken)
        for array in ARRAYS:
            if array.name in part:
                width = part[array.name].shape[1]
                if widths.setdefault(array.name, width) != width:
                    raise RunError(
                        f"{folder}: '{array.name}' is {width} wide, {widths[array.name]} in other parts; "
                        f"delete the parts and run again"
                    )
    star_id, owner, row = np.concatenate(ids), np.concatenate(owners), np.concatenate(rows)
    order = np.argsort(star_id, kind="stable")
    twice = np.flatnonzero(np.diff(star_id[order]) == 0)
    if len(twice):
        first, second = order[twice[0]], order[twice[0] + 1]
        raise RunError(
            f"star {star_id[first]} is in two rows, of {parts[owner[first]]} and {parts[owner[second]]}; "
            f"delete the parts and run again"
        )
    return _Index(parts, owner[order], row[order], widths)


def _gather(index: _Index, columns: Sequence[Column], start: int, stop: int) -> dict[str, np.ndarray]:
    """The catalog's rows from `start` to `stop`; reads only the parts that hold some of them."""
    owner, row = index.part[start:stop], index.row[start:stop]
    values = {column.name: blank(column, (stop - start, *_tail(column, index))) for column in columns}
    for number in np.unique(owner):
        part = read_part(index.parts[number])
        here = owner == number
        for name in values:
            if name in part:
                values[name][here] = part[name][row[here]]
    return values


def _tail(column: Column, index: _Index) -> tuple[int, ...]:
    return (index.widths[column.name],) if len(column.dims) > 1 else ()
