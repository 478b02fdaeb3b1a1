"""Check a finished catalog again: every byte, every column, every count, and the index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.atomic import settled
from spotcat.catalog.finalise import ROWS
from spotcat.catalog.index import GROUP as INDEX
from spotcat.catalog.index import INDEXED, index_arrays
from spotcat.catalog.layout import root_attributes
from spotcat.catalog.manifest import GROUP as MANIFEST
from spotcat.catalog.manifest import attributes_hash, file_hash, files_hash, files_of
from spotcat.catalog.query import located, open_catalog
from spotcat.catalog.schema import attributes
from spotcat.catalog.selection import Catalog
from spotcat.status import InputError, RunError, SpotcatError

_WITHOUT_CHECKSUMS = 1
"""The version of the schema whose catalogs have no manifest."""


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        n_stars: stars in the catalog.
        n_files: files whose checksums were compared.
        problems: one sentence for each fault; empty for a sound catalog.
    """

    n_stars: int
    n_files: int
    problems: list[str]


def validate(path: str | Path) -> Verdict:
    """Check a catalog in a folder: checksums of all files, then columns, counts, order, codes and index.

    A flipped bit is found wherever it is: every file has a checksum, and so have the checksums.

    Args:
        path: folder of the catalog, or of the run that made it.

    Raises:
        InputError: nothing is there, it cannot even be opened, or it is of version 1, which has no checksums.
    """
    folder = settled(Path(located(path)))
    catalog = open_catalog(folder)
    stored = _noted_files(folder)
    if not stored and catalog.attrs["schema_version"] == _WITHOUT_CHECKSUMS:
        raise InputError(f"{path}: version {_WITHOUT_CHECKSUMS} of the schema has no checksums to compare with")
    problems = [*_wrong_files(folder, stored, catalog.attrs)]
    if not problems:
        problems = [*_wrong_columns(catalog), *_wrong_index(folder, catalog)]
    return Verdict(len(catalog), len(stored), problems)


def check(path: str | Path) -> Verdict:
    """Check a catalog as `validate` does, and raise what is wrong.

    Raises:
        InputError: it cannot be opened.
        RunError: it is not sound; the first faults are named.
    """
    verdict = validate(path)
    if verdict.problems:
        shown = "; ".join(verdict.problems[:5])
        more = len(verdict.problems) - 5
        rest = f"; and {more} more" if more > 0 else ""
        raise RunError(f"{path}: {shown}{rest}; copy the catalog again or finalise it again")
    return verdict


def _noted_files(folder: Path) -> dict[str, str]:
    found: Any = root_attributes(folder / MANIFEST).get("files")
    return dict(found) if isinstance(found, dict) else {}


def _wrong_files(folder: Path, noted: dict[str, str], attrs: dict[str, Any]) -> Iterator[str]:
    if attrs.get("attributes_hash") != attributes_hash(attrs):
        yield "the catalog's attributes differ from their checksum"
    if attrs.get("files_hash") != files_hash(noted):
        yield "the list of checksums differs from its own"
    present = files_of(folder)
    for name in sorted({*noted, *present}):
        if name not in present:
            yield f"{name} is missing"
        elif name not in noted:
            yield f"{name} does not belong to the catalog"
        elif file_hash(folder / name) != noted[name]:
            yield f"{name} differs from its checksum"


def _wrong_columns(catalog: Catalog) -> Iterator[str]:
    if catalog.attrs.get("n_stars") != len(catalog):
        yield f"has {len(catalog)} stars where it should have {catalog.attrs.get('n_stars')}"
    if np.any(np.diff(catalog.column("star_id")) <= 0):
        yield "the star ids are not sorted, or one is there twice"
    for name, column in catalog.columns.items():
        try:
            values = catalog.column(name)
        except SpotcatError as error:
            yield str(error)
            continue
        about = attributes(column)
        if len(values) != len(catalog):
            yield f"{name} has {len(values)} values"
        elif "flag_values" in about and not np.isin(values, about["flag_values"]).all():
            yield f"{name} has codes that it does not explain"
        elif "flag_masks" in about and np.any(values & ~np.bitwise_or.reduce(about["flag_masks"])):
            yield f"{name} has bits that it does not explain"


def _wrong_index(folder: Path, catalog: Catalog) -> Iterator[str]:
    import zarr

    lists, marks = index_arrays({name: catalog.column(name) for name in INDEXED}, ROWS)
    group: Any = zarr.open_group(folder / INDEX, mode="r")
    if dict(group.attrs) != marks or any(not np.array_equal(group[c.name][...], v) for c, v in lists.items()):
        yield "the index does not fit the columns"
