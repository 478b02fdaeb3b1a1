"""Writing the light-curve store, a shard at a time, out of any reader's sight until it is whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.atomic import sync, sync_tree
from spotcat.ingest.clean import CleanCurve
from spotcat.ingest.outcome import Marks, Outcome
from spotcat.ingest.store import (
    FORMAT,
    LEFT_OUT_COLUMNS,
    ROW_COLUMNS,
    STAR_COLUMNS,
    VERSION,
    LightCurveStore,
    versioned,
)
from spotcat.ingest.vectors import CADENCE, COTRENDING, Vectors
from spotcat.status import InputError

_CHUNK_ROWS = 64
_CHUNK_BYTES = 4 * 2**20
_SHARD_CHUNKS = 16
_TABLE_CHUNK = 65536
_FILLS = {"time": np.nan, "flux": np.nan, "flux_err": np.nan, "quality": 0, "segment": -1, "left_out": 0}
_KINDS = {"time": "f8", "quality": "i4", "segment": "i2", "left_out": "i1", CADENCE: "i4"}


class StoreWriter:
    """A store in the making: in a sibling folder that `finish` renames, or as new groups of an old store.

    Args:
        path: where the finished store goes; what an earlier, killed writer left is removed, but for the shards of a
            store made from the same.
        plan: a digest of what the store is made from.
        old: the store at `path` to append to, if any.

    Raises:
        InputError: the folder cannot be written.
    """

    def __init__(self, path: Path, plan: str, old: LightCurveStore | None = None) -> None:
        import zarr

        self.path = path
        self.folder = path if old else path.with_name(path.name + ".partial")
        """Where the groups are meanwhile."""
        self._marks = Marks(self.folder)
        self._generation = old.generation + 1 if old else 0
        self._campaigns = list(old.campaigns) if old else []
        try:
            if old:
                _remove_rubbish(old)
            elif not self._marks.is_of(plan):
                if self.folder.exists():
                    shutil.rmtree(self.folder)
                self._marks.begin(plan)
            for path in self.folder.rglob("*.partial"):
                path.unlink()
            self._root: Any = zarr.open_group(str(self.folder), mode="a", zarr_format=3, use_consolidated=False)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another survey.output") from None

    def create(
        self,
        name: str,
        shape: tuple[int, int],
        precision: str,
        attributes: Mapping[str, Any],
        vectors: Mapping[str, Vectors] | None = None,
    ) -> str:
        """Make a campaign's empty arrays.

        Args:
            name: of the campaign.
            shape: rows, points.
            precision: type of the fluxes, f4 or f8.
            attributes: of the group.
            vectors: cotrending basis vectors by detector, if they are to be kept.

        Returns:
            The name of its group.
        """
        name = versioned(name, self._generation)
        if self.written(name) and (self.folder / name).is_dir():
            return name
        group = self._root.create_group(name, attributes=dict(attributes), overwrite=True)
        chunk_rows = block_rows(shape[1]) // _SHARD_CHUNKS
        for array, fill in (_FILLS | {CADENCE: -1} if vectors else _FILLS).items():
            group.create_array(
                array,
                shape=shape,
                shards=(chunk_rows * _SHARD_CHUNKS, shape[1]),
                chunks=(chunk_rows, shape[1]),
                dtype=_KINDS.get(array, precision),
                fill_value=fill,
                compressors=_compressors(),
                dimension_names=("row", "point"),
            )
        for detector, found in (vectors or {}).items():
            _write_vectors(group.create_group(f"{COTRENDING}/{detector}"), found)
        return name

    def written(self, name: str) -> dict[int, list[Outcome]]:
        """What came of the files of a campaign's shards that an earlier, killed writer wrote, by their first row."""
        return self._marks.read(name)

    def close(self, name: str, rows: Mapping[str, Sequence[Any]]) -> None:
        """Finish a campaign with its row table; without rows there is no campaign."""
        if rows["star_id"]:
            _write_columns(self._root[name], rows, ROW_COLUMNS, "row")
            self._campaigns.append(name)
        else:
            shutil.rmtree(self.folder / name)

    def finish(
        self, stars: Mapping[str, Sequence[Any]], left_out: Mapping[str, Sequence[Any]], attributes: Mapping[str, Any]
    ) -> None:
        """Write the two tables, then make the store a store, or its additions a part of it."""
        tables = {name: versioned(name, self._generation) for name in ("stars", "left_out")}
        for name, values, kinds, row in (
            ("stars", stars, STAR_COLUMNS, "star"),
            ("left_out", left_out, LEFT_OUT_COLUMNS, "file"),
        ):
            _write_columns(self._root.create_group(tables[name], overwrite=True), values, kinds, row)
        _remove_empty(self.folder)
        if self._generation:
            sync_tree(self.folder)
        self._root.update_attributes(
            {
                "format": FORMAT,
                "version": VERSION,
                **attributes,
                "campaigns": sorted(self._campaigns),
                "generation": self._generation,
            }
        )
        if self._generation:
            sync(self.folder)
            return
        sync_tree(self.folder)
        self._marks.remove()
        self.folder.rename(self.path)
        sync(self.path.parent)


def block_rows(n_points: int) -> int:
    """Rows of a shard, which one task alone may write."""
    chunk_rows = _CHUNK_ROWS
    while chunk_rows > 1 and chunk_rows * n_points * 8 > _CHUNK_BYTES:
        chunk_rows //= 2
    return chunk_rows * _SHARD_CHUNKS


class Block:
    """A shard's rows before they are written; rows without a light curve keep the fill values."""

    def __init__(self, folder: Path, campaign: str, start: int, n_rows: int) -> None:
        import zarr

        self._folder = folder / campaign
        group: Any = zarr.open_group(str(self._folder), mode="r+", zarr_format=3, use_consolidated=False)
        self._fills = _FILLS | ({CADENCE: -1} if CADENCE in group else {})
        self._arrays = {name: group[name] for name in self._fills}
        self._epoch = group.attrs["epoch"]
        self._rows = slice(start, start + n_rows)
        n_points = self._arrays["time"].shape[1]
        self._values = {
            name: np.full((n_rows, n_points), fill, dtype=self._arrays[name].dtype)
            for name, fill in self._fills.items()
        }

    def put(self, k: int, curve: CleanCurve) -> None:
        """Set the k-th row."""
        n = curve.time.size
        for name, values in self._values.items():
            given = curve.time - self._epoch if name == "time" else getattr(curve, name)
            if given is not None:
                values[k, :n] = given

    def write(self) -> None:
        """Write the shard and bring it to disk, so that no mark outlives it."""
        for name, values in self._values.items():
            array = self._arrays[name]
            array[self._rows] = values
            shard = self._folder / name / "c" / str(self._rows.start // array.shards[0]) / "0"
            # A shard of nothing but fill values is no file.
            if shard.exists():
                sync(shard)


def _remove_rubbish(store: LightCurveStore) -> None:
    """Take away what a killed writer has appended, and tables that newer ones replaced."""
    known = {*store.campaigns, *(versioned(name, store.generation) for name in ("stars", "left_out"))}
    for metadata in list(store.path.rglob("zarr.json")):
        group = metadata.parent
        name = group.relative_to(store.path).as_posix()
        kept = any(name == k or k.startswith(f"{name}/") or name.startswith(f"{k}/") for k in known)
        if name != "." and not kept and group.exists():
            shutil.rmtree(group)


def _remove_empty(folder: Path) -> None:
    """Take away groups of missions whose campaigns all came to nothing."""
    for group in folder.iterdir():
        if (group / "zarr.json").is_file() and {entry.name for entry in group.iterdir()} <= {"zarr.json"}:
            shutil.rmtree(group)


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
            overwrite=True,
            compressors=[ZstdCodec(level=3, checksum=True)] if text else _compressors(),
            dimension_names=(dimension,),
        )
        array[:] = values


def _write_vectors(group: Any, vectors: Vectors) -> None:
    for name, values in vectors._asdict().items():
        array = group.create_array(
            name, shape=values.shape, chunks=values.shape, dtype=values.dtype, compressors=_compressors()
        )
        array[...] = values


def _compressors() -> list[Any]:
    """A checksum over every compressed chunk, because blosc alone lets most bit errors through."""
    from zarr.codecs import BloscCodec, Crc32cCodec

    return [BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec()]
