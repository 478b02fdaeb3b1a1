"""Faults of a finished catalog are found, wherever they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from catalog_samples import write_parts

from spotcat.catalog.finalise import finalise
from spotcat.catalog.layout import root_attributes
from spotcat.catalog.manifest import write_manifest
from spotcat.catalog.validate import check, validate
from spotcat.status import InputError, RunError, SpotcatError


def test_a_sound_catalog_is_sound(finished: Path) -> None:
    verdict = validate(finished)
    assert verdict.problems == []
    assert verdict.n_stars == 20
    assert verdict.n_files == len([p for p in finished.rglob("*") if p.is_file()]) - 2
    assert check(str(finished)) == verdict


def test_a_flipped_bit_is_found_in_any_file(catalog_path: Path) -> None:
    rng = np.random.default_rng(5)
    files = [path for path in sorted(catalog_path.rglob("*")) if path.is_file()]
    for path in [catalog_path / "zarr.json", *rng.choice(np.array(files), 40, replace=False)]:
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(SpotcatError):
            check(catalog_path)
        path.write_bytes(whole)
    assert check(catalog_path).n_stars == 20


def test_a_damaged_chunk_is_named(catalog_path: Path) -> None:
    (chunk,) = (catalog_path / "kappa" / "c").iterdir()
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"kappa/c/0 differs from its checksum; copy the catalog again"):
        check(catalog_path)


def test_a_file_too_many_or_too_few_is_named(catalog_path: Path) -> None:
    (catalog_path / "notes.txt").write_text("mine")
    shutil.rmtree(catalog_path / "index" / "sky_ra")
    problems = validate(catalog_path).problems
    assert "notes.txt does not belong to the catalog" in problems
    assert "index/sky_ra/zarr.json is missing" in problems
    with pytest.raises(RunError, match="index/sky_ra/c/0 is missing; index/sky_ra/zarr"):
        check(catalog_path)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("star_id", lambda v: v[::-1], "the star ids are not sorted, or one is there twice"),
        ("status", lambda v: np.where(v == 0, 77, v), "status has codes that it does not explain"),
        ("flags", lambda v: v | (1 << 30), "flags has bits that it does not explain"),
        ("ra", lambda v: v + 1, "the index does not fit the columns"),
        ("name", lambda v: np.array([f"{one}x" for one in v], object), "the index does not fit the columns"),
    ],
)
def test_wrong_content_is_found_though_its_checksums_fit(
    catalog_path: Path, column: str, values: object, message: str
) -> None:
    group = zarr.open_group(catalog_path, mode="r+")
    array = group[column]
    assert callable(values)
    array[...] = values(array[...])
    _noted_again(catalog_path)
    assert message in validate(catalog_path).problems


def _noted_again(folder: Path) -> None:
    """Write the checksums of a catalog anew."""
    shutil.rmtree(folder / "manifest")
    root = json.loads((folder / "zarr.json").read_text())
    root["attributes"] = {k: v for k, v in root["attributes"].items() if k not in ("files_hash", "attributes_hash")}
    (folder / "zarr.json").write_text(json.dumps(root))
    write_manifest(zarr.open_group(folder, mode="r+"), folder)


def test_a_changed_count_is_found(catalog_path: Path) -> None:
    root = json.loads((catalog_path / "zarr.json").read_text())
    root["attributes"]["n_stars"] = 21
    (catalog_path / "zarr.json").write_text(json.dumps(root))
    assert validate(catalog_path).problems == ["the catalog's attributes differ from their checksum"]
    _noted_again(catalog_path)
    assert validate(catalog_path).problems == ["has 20 stars where it should have 21"]


def test_what_is_no_catalog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such catalog"):
        validate(tmp_path / "none.zarr")


def test_the_ledgers_counts_are_compared(tmp_path: Path) -> None:
    parts = write_parts(tmp_path, [[1, 2], [3]])
    counts = {parts[0]: 2, parts[1]: 1}
    assert finalise(parts, tmp_path / "catalog.zarr", {}, counts) == 3
    assert root_attributes(tmp_path / "catalog.zarr")["n_stars"] == 3
    with pytest.raises(RunError, match="c0001: has 1 stars where the ledger has 2; delete the part"):
        finalise(parts, tmp_path / "catalog.zarr", {}, {**counts, parts[1]: 2})
