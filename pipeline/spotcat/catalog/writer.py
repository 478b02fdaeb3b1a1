"""One chunk of stars as a part: a zarr group in a single zip file.

A part holds some sixty columns of a handful of stars.  As a folder it would be a hundred small files that no
rename could replace together; as one file it is replaced in one step.  The columns of one type lie side by
side in one array, because zarr spends a millisecond on each array however small.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from spotcat.atomic import write_file
from spotcat.catalog.escapes import as_unicode
from spotcat.catalog.layout import blank, create_array
from spotcat.catalog.schema import ARRAYS, COLUMNS, SCHEMA_VERSION, Column
from spotcat.status import RunError

_FILE = "part.zarr.zip"

# What reading a damaged zip file raises, found by flipping every bit of one.
_DAMAGE = (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)


def write_part(folder: Path, columns: Mapping[str, np.ndarray], arrays: Mapping[str, np.ndarray]) -> str:
    """Write one chunk of stars, replacing an earlier part in that folder in one step.

    Args:
        folder: the chunk's folder; made where missing.
        columns: one-dimensional arrays of equal length by column name; a column left out gets its fill.
        arrays: two-dimensional arrays [star, ...] by name; those left out are left out of the part.

    Returns:
        A checksum over the content; equal content has an equal checksum.

    Raises:
        RunError: the part cannot be written; an earlier one is untouched.
        ValueError: a name that is not in the schema, a missing column that has no fill, or values of
            the wrong length or type.
    """
    from zarr import create_group
    from zarr.storage import MemoryStore

    _check_known([*columns, *arrays])
    if "star_id" not in columns:
        raise ValueError("column 'star_id' must be given")
    n_stars = len(columns["star_id"])
    members: dict[str, Any] = {}
    group = create_group(MemoryStore(members), attributes={"schema_version": SCHEMA_VERSION})
    for dtype, block in _blocks().items():
        values = np.stack([_fitting(column, columns.get(column.name), n_stars) for column in block], axis=1)
        packed = Column(f"columns_{dtype}", dtype, "", "", "", block[0].fill, ("star", "column"))
        names = [column.name for column in block]
        create_array(group, packed, values.shape, n_stars, {"columns": names})[...] = values
    for array in ARRAYS:
        if array.name in arrays:
            values = _fitting(array, arrays[array.name], n_stars)
            create_array(group, array, values.shape, n_stars, {})[...] = values
    content = {key: members[key].to_bytes() for key in sorted(members)}
    checksum = _digest(content)
    write_file(folder / _FILE, _zipped(content, checksum))
    return checksum


def recorded_checksum(folder: Path) -> str | None:
    """The checksum that a part was written with, without reading its content; None without a whole part."""
    try:
        with zipfile.ZipFile(folder / _FILE) as archive:
            return archive.comment.decode("ascii")
    except _DAMAGE:
        return None


def read_part(folder: Path) -> dict[str, np.ndarray]:
    """Read a part, columns and arrays by name, after comparing its content with its checksum.

    Raises:
        RunError: the part is missing or damaged, or another version of spotcat wrote it.
    """
    from zarr import open_group
    from zarr.buffer.cpu import Buffer
    from zarr.storage import MemoryStore

    try:
        with zipfile.ZipFile(folder / _FILE) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
            sound = _digest(content) == archive.comment.decode("ascii", "replace")
    except FileNotFoundError:
        raise RunError(f"{folder}: the part is missing; run again to make it") from None
    except _DAMAGE as error:
        raise RunError(f"{folder}: the part cannot be read ({error}); delete it and run again") from None
    if not sound:
        raise RunError(f"{folder}: the part is damaged, its checksum differs; delete it and run again")
    members: Any = {name: Buffer.from_bytes(data) for name, data in content.items()}
    group = open_group(MemoryStore(members, read_only=True), mode="r")
    if group.attrs.get("schema_version") != SCHEMA_VERSION:
        raise RunError(f"{folder}: another version of spotcat wrote this part; delete it and run again")
    part: dict[str, np.ndarray] = {}
    for name, array in group.arrays():
        values = np.asarray(array[...])
        if "columns" in array.attrs:
            part.update(zip(cast("list[str]", array.attrs["columns"]), values.T, strict=True))
        else:
            part[name] = values
    return part


def _blocks() -> dict[str, list[Column]]:
    """The schema's columns by type."""
    blocks: dict[str, list[Column]] = {}
    for column in COLUMNS:
        blocks.setdefault(column.dtype, []).append(column)
    return blocks


def _check_known(names: Iterable[str]) -> None:
    unknown = sorted(set(names) - {column.name for column in (*COLUMNS, *ARRAYS)})
    if unknown:
        raise ValueError(f"not in the catalog's schema: {', '.join(unknown)}")


def _fitting(column: Column, values: np.ndarray | None, n_stars: int) -> np.ndarray:
    """The values in the column's own type and shape."""
    if values is None:
        if column.fill is None:
            raise ValueError(f"column {column.name!r} must be given")
        return blank(column, (n_stars,))
    values = np.asarray(values)
    if values.ndim != len(column.dims) or len(values) != n_stars:
        raise ValueError(f"column {column.name!r} has shape {values.shape} for {n_stars} stars")
    if column.dtype == "str":
        return np.asarray([as_unicode(str(value)) for value in values], dtype=object)
    try:
        fitting = values.astype(column.dtype, casting="same_kind")
    except TypeError:
        raise ValueError(f"column {column.name!r} is {column.dtype}, got {values.dtype}") from None
    if fitting.dtype.kind == "i" and not np.array_equal(fitting, values):
        raise ValueError(f"column {column.name!r} has values too large for {column.dtype}")
    return fitting


def _digest(content: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for name, data in sorted(content.items()):
        total.update(f"{name}\n{len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()


def _zipped(content: Mapping[str, bytes], checksum: str) -> bytes:
    """The members in one archive, without times, so that equal content gives equal bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data)
        archive.comment = checksum.encode("ascii")
    return stream.getvalue()
