"""Writing the light-curve store, block by block of rows, out of any reader's sight until it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.ingest.clean import CleanCurve
from spotcat.ingest.describe import FileInfo
from spotcat.ingest.store import FORMAT, LEFT_OUT_COLUMNS, ROW_COLUMNS, STAR_COLUMNS, VERSION
from spotcat.status import InputError

_CHUNK_ROWS = 64
_CHUNK_BYTES = 4 * 2**20
_SHARD_CHUNKS = 16
_TABLE_CHUNK = 65536
_FILLS = {"time": np.nan, "flux": np.nan, "flux_err": np.nan, "quality": 0, "segment": -1}


class StoreWriter:
    """A store in the making, in a sibling folder that `finish` renames.

    Args:
        path: where the finished store goes; what an earlier, killed writer left beside it is removed.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        import zarr

        self.path = path
        self._partial = path.with_name(path.name + ".partial")
        self._campaigns: list[str] = []
        try:
            if self._partial.exists():
                shutil.rmtree(self._partial)
            self._partial.mkdir(parents=True)
            self._root = zarr.create_group(str(self._partial), zarr_format=3)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another survey.output") from None

    def campaign(self, name: str, shape: tuple[int, int], attributes: Mapping[str, Any]) -> CampaignWriter:
        """Start a campaign of at most `shape` (rows, points); it exists once it has a row."""

        def create() -> Any:
            self._campaigns.append(name)
            return self._root.create_group(name, attributes=dict(attributes))

        return CampaignWriter(create, shape)

    def finish(
        self, stars: Mapping[str, Sequence[Any]], left_out: Mapping[str, Sequence[Any]], input_hash: str
    ) -> None:
        """Write the two tables, then make the store a store."""
        _write_columns(self._root.create_group("stars"), stars, STAR_COLUMNS, "star")
        _write_columns(self._root.create_group("left_out"), left_out, LEFT_OUT_COLUMNS, "file")
        self._root.update_attributes(
            {
                "format": FORMAT,
                "version": VERSION,
                "input_hash": input_hash,
                "campaigns": sorted(self._campaigns),
            }
        )
        _sync(self._partial)
        self._partial.rename(self.path)
        _sync_one(self.path.parent)


class CampaignWriter:
    """Collects rows, which must come sorted by star, and writes them a shard at a time."""

    def __init__(self, create: Any, shape: tuple[int, int]) -> None:
        n_rows, n_points = shape
        chunk_rows = _CHUNK_ROWS
        while chunk_rows > 1 and chunk_rows * n_points * 8 > _CHUNK_BYTES:
            chunk_rows //= 2
        self._create = create
        self._shape = shape
        self._chunks = (chunk_rows, n_points)
        self._shards = (chunk_rows * _SHARD_CHUNKS, n_points)
        self._block: dict[str, np.ndarray] = {}
        self._block_rows = min(n_rows, self._shards[0])
        self._written = 0
        self._rows: dict[str, list[Any]] = {name: [] for name in ROW_COLUMNS}

    def add(self, info: FileInfo, curve: CleanCurve) -> None:
        """Append one file's light curve."""
        if not self._rows["star_id"]:
            self._open(curve)
        k = len(self._rows["star_id"]) - self._written
        n = curve.time.size
        for name, block in self._block.items():
            block[k, :n] = curve.time - self._epoch if name == "time" else getattr(curve, name)
        row = (
            info.identity.star_id,
            n,
            int(curve.segment[-1]) + 1,
            info.file,
            info.sha256,
            info.version,
            info.product,
            info.observed,
        )
        for name, value in zip(ROW_COLUMNS, row, strict=True):
            self._rows[name].append(value)
        if k + 1 == self._block_rows:
            self._flush()

    def close(self) -> None:
        """Write what is left and the row table; without rows, nothing."""
        if not self._rows["star_id"]:
            return
        self._flush()
        for array in self._arrays.values():
            array.resize((self._written, self._shape[1]))
        _write_columns(self._group, self._rows, ROW_COLUMNS, "row")

    def _open(self, curve: CleanCurve) -> None:
        self._group = self._create()
        self._epoch = self._group.attrs["epoch"]
        self._arrays = {}
        for name, fill in _FILLS.items():
            dtype = getattr(curve, name).dtype
            self._block[name] = np.full((self._block_rows, self._shape[1]), fill, dtype=dtype)
            self._arrays[name] = self._group.create_array(
                name,
                shape=self._shape,
                shards=self._shards,
                chunks=self._chunks,
                dtype=dtype,
                fill_value=fill,
                compressors=_compressors(),
                dimension_names=("row", "point"),
            )

    def _flush(self) -> None:
        count = len(self._rows["star_id"]) - self._written
        if count == 0:
            return
        for name, block in self._block.items():
            self._arrays[name][self._written : self._written + count] = block[:count]
            block[:] = _FILLS[name]
        self._written += count


def _write_columns(group: Any, columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, str], dimension: str) -> None:
    """Write one-dimensional arrays, in the order of `kinds`."""
    from zarr.codecs import ZstdCodec

    for name, kind in kinds.items():
        text = kind == "U"
        values = np.array(columns[name], dtype=np.dtypes.StringDType() if text else kind)
        array = group.create_array(
            name,
            shape=values.shape,
            chunks=(_TABLE_CHUNK,),
            dtype="string" if text else kind,
            compressors=[ZstdCodec(level=3, checksum=True)] if text else _compressors(),
            dimension_names=(dimension,),
        )
        array[:] = values


def _compressors() -> list[Any]:
    """A checksum over every compressed chunk, because blosc alone lets most bit errors through."""
    from zarr.codecs import BloscCodec, Crc32cCodec

    return [BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec()]


def _sync(folder: Path) -> None:
    """Bring a whole tree to disk, so that its new name never outlives its contents."""
    for parent, _, files in os.walk(folder):
        for file in files:
            _sync_one(Path(parent) / file)
        _sync_one(Path(parent))


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
