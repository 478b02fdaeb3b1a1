"""How a column lies in zarr; parts and catalogs share it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spotcat.catalog.schema import Column

if TYPE_CHECKING:
    import zarr


def blank(column: Column, shape: tuple[int, ...]) -> np.ndarray:
    """An array of the column's type in memory, filled with "nothing known"."""
    if column.dtype == "str":
        return np.full(shape, column.fill or "", dtype=object)
    return np.full(shape, 0 if column.fill is None else column.fill, dtype=column.dtype)


def create_array(
    group: zarr.Group, column: Column, shape: tuple[int, ...], rows: int, attributes: dict[str, Any]
) -> zarr.Array:
    """Add an empty array for a column to a group, chunked by `rows` stars.

    Text is zarr's variable-length ``string``.  Fixed-length text and bytes have no zarr v3 specification:
    each write warns, and other readers refuse them.  10^6 names take 0.3 s to write and 0.2 s to read,
    against 0.1 s and 0.3 s as fixed-length text, and half the space.

    Numbers are shuffled and packed by lz4: a chunk of 65,536 doubles is unpacked in 0.05 ms, by zstd in 0.4 to 0.8 ms,
    which was most of the time of looking up a star in sixty columns.
    """
    from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

    text = column.dtype == "str"
    packing = ZstdCodec(level=3) if text else BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")
    array: zarr.Array = group.create_array(
        column.name,
        shape=shape,
        dtype=str if text else column.dtype,
        chunks=(max(1, min(rows, shape[0])), *(max(1, width) for width in shape[1:])),
        # Either alone lets most flipped bits through.
        compressors=[packing, Crc32cCodec()],
        fill_value=blank(column, (1,))[0],
        dimension_names=column.dims,
        attributes=attributes,
        # A chunk left out because it holds nothing but the fill could not be told from one that was lost.
        config={"write_empty_chunks": True},
    )
    return array


def root_attributes(path: Path) -> dict[str, Any]:
    """Attributes of the zarr group in a folder; empty where there is none."""
    try:
        found = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        return dict(found["attributes"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
