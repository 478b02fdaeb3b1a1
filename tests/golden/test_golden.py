"""Stores of every version ever written are opened, or refused in one sentence; anything that reads zarr reads them."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from golden_stars import N_POINTS, PERIODS, STEP, light_curve
from make import pack

from spotcat.catalog.export import FORMATS, export
from spotcat.catalog.query import open_catalog
from spotcat.catalog.request import Request, answer
from spotcat.catalog.schema import ARRAYS, COLUMNS, SCHEMA_VERSION
from spotcat.catalog.validate import check
from spotcat.catalog.words import with_words
from spotcat.ingest.store import VERSION, LightCurveStore
from spotcat.report.survey_page import report
from spotcat.status import Flag, InputError, Status

HERE = Path(__file__).parent
CATALOGS = list(range(1, SCHEMA_VERSION + 1))
STORES = list(range(1, VERSION + 1))
STARS = sorted([*PERIODS, "golden-empty", "golden-short"])


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every golden store in a folder of its own, by the name of its file."""
    found = {}
    for path in HERE.glob("*.tar.xz"):
        folder = tmp_path_factory.mktemp("golden")
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
        (found[path.name.removesuffix(".tar.xz")],) = folder.iterdir()
    return found


def test_there_is_one_of_every_version(unpacked: dict[str, Path]) -> None:
    wanted = {*(f"catalog-{n}" for n in CATALOGS), *(f"lightcurves-{n}" for n in STORES)}
    assert set(unpacked) == wanted, "run `python tests/golden/make.py`, and commit what it makes"
    for name, folder in unpacked.items():
        packed = HERE / f"{name}.tar.xz"
        assert packed.stat().st_size < 32_000
        with tarfile.open(packed) as archive:
            assert sum(member.isfile() for member in archive) == sum(path.is_file() for path in folder.rglob("*"))


def test_packing_knows_no_clock(unpacked: dict[str, Path]) -> None:
    assert pack(unpacked["lightcurves-1"]) == pack(unpacked["lightcurves-1"])


@pytest.mark.parametrize("version", CATALOGS)
def test_a_catalog_of_each_version_is_read(unpacked: dict[str, Path], version: int) -> None:
    catalog = open_catalog(unpacked[f"catalog-{version}"])
    assert catalog.attrs["schema_version"] == version
    assert sorted(catalog.column("name").tolist()) == STARS
    for name, period in PERIODS.items():
        star = catalog.star(name.upper())
        assert star.column("prot")[0] == pytest.approx(period, rel=0.05)
        assert star.column("status")[0] == Status.OK
        assert star.column("prot_lower")[0] < star.column("prot")[0] < star.column("prot_upper")[0]
    assert catalog.star("golden-short").column("status")[0] == Status.FEW_POINTS
    assert catalog.star("golden-empty").column("status")[0] == Status.UNREADABLE
    assert catalog.query("prot.between(4, 6)").column("name").tolist() == ["golden-a"]
    assert len(catalog.cone(0, 0, 180)) == 0
    assert {catalog.columns[name].unit for name in ("prot", "peq", "spot_lifetime")} == {"d"}
    assert all(column.description and column.ucd for name, column in catalog.columns.items() if name in catalog.names)


@pytest.mark.parametrize("version", CATALOGS)
def test_it_is_printed_and_shown_and_asked_for_ages(unpacked: dict[str, Path], version: int, tmp_path: Path) -> None:
    path = unpacked[f"catalog-{version}"]
    assert answer(path, Request(printed=True, sort="-prot")).column("name").tolist()[0] == "golden-b"
    rows = io.StringIO()
    export(with_words(open_catalog(path)), "csv", rows)
    assert "few_points" in rows.getvalue()
    assert "golden-b" in (report(path, tmp_path / "page", stars=[]).parent / "data.js").read_text()
    if version < 5:
        with pytest.raises(InputError, match=r"--preset gyro needs the columns .*verdict.* this catalog lacks"):
            answer(path, Request(preset="gyro"))
    else:
        assert set(answer(path, Request(preset="gyro")).column("name")) <= set(PERIODS)


@pytest.mark.parametrize("version", CATALOGS)
def test_its_flags_have_their_words_of_today(unpacked: dict[str, Path], version: int) -> None:
    folder = unpacked[f"catalog-{version}"]
    stored: Any = zarr.open_group(folder, mode="r")["flags"]
    words = dict(zip(stored.attrs["flag_masks"], stored.attrs["flag_meanings"].split(), strict=True))
    today = open_catalog(folder).column("flags")
    for before, now in zip(stored[...].tolist(), today.tolist(), strict=True):
        assert [word for mask, word in words.items() if before & mask] == [str(f.name).lower() for f in Flag(now)]


def test_a_flag_that_was_another_bit_is_translated(unpacked: dict[str, Path], tmp_path: Path) -> None:
    copy = tmp_path / "catalog.zarr"
    copy.mkdir()
    with tarfile.open(HERE / "catalog-1.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    stored: Any = zarr.open_group(copy, mode="r+")["flags"]
    stored[...] = np.full(stored.shape, (1 << 7) | 1, dtype=stored.dtype)
    flags = open_catalog(copy).column("flags")
    assert {Flag(value) for value in flags.tolist()} == {Flag.MEASUREMENTS_ODD | Flag.NOT_DETECTED}


@pytest.mark.parametrize("version", CATALOGS)
def test_it_goes_to_files_of_other_programs(unpacked: dict[str, Path], version: int, tmp_path: Path) -> None:
    from astropy.table import Table

    catalog = open_catalog(unpacked[f"catalog-{version}"])
    for form in ("fits", "votable", "ecsv", "csv", "json"):
        assert form in FORMATS
        catalog.write(tmp_path / f"stars.{form}", form)
    table = Table.read(tmp_path / "stars.fits")
    assert np.array_equal(table["prot"], catalog.column("prot"), equal_nan=True)
    assert str(table["prot"].unit) == "d"


@pytest.mark.parametrize("version", CATALOGS)
def test_any_program_that_reads_zarr_reads_it(unpacked: dict[str, Path], version: int) -> None:
    folder = unpacked[f"catalog-{version}"]
    catalog = open_catalog(folder)
    dataset = xr.open_zarr(folder, consolidated=False, chunks=None)
    group: Any = zarr.open_group(folder, mode="r")
    for name in ("star_id", "prot", "spot_lifetime", "status", "gp_periodogram"):
        assert np.array_equal(dataset[name].values, catalog.column(name), equal_nan=True)
        assert np.array_equal(group[name][...], catalog.column(name), equal_nan=True)
        assert dataset[name].attrs["units"] == group[name].attrs["units"] == catalog.columns[name].unit
        assert dataset[name].dims[0] == "star"
    assert dataset["name"].values.tolist() == catalog.column("name").tolist()


def test_checksums_hold_where_there_are_any(unpacked: dict[str, Path]) -> None:
    for version in CATALOGS[1:]:
        assert check(unpacked[f"catalog-{version}"]).n_stars == len(STARS)
    with pytest.raises(InputError, match="version 1 of the schema has no checksums"):
        check(unpacked["catalog-1"])


def test_one_of_this_version_has_every_column(unpacked: dict[str, Path]) -> None:
    catalog = open_catalog(unpacked[f"catalog-{SCHEMA_VERSION}"])
    assert set(catalog.names) <= {column.name for column in COLUMNS}
    assert {name: column for name, column in catalog.columns.items() if name not in catalog.names}.keys() <= {
        array.name for array in ARRAYS
    }
    assert catalog.attrs["citation"].startswith("The spotcat developers, spotcat")


def test_a_light_curve_store_of_this_version_is_read(unpacked: dict[str, Path]) -> None:
    store = LightCurveStore(unpacked[f"lightcurves-{VERSION}"])
    assert sorted(store.stars["name"].tolist()) == STARS
    numbers = dict(zip(store.stars["name"].tolist(), store.stars["star_id"].tolist(), strict=True))
    for name in PERIODS:
        (star,) = store.read([numbers[name]])
        time, flux = light_curve(name)
        assert np.allclose(star.time - star.time[0], time)
        assert np.allclose(star.flux / np.median(star.flux), flux / np.median(flux), atol=1e-9)


@pytest.mark.parametrize("version", STORES[:-1])
def test_one_of_an_earlier_version_is_refused_in_one_sentence(unpacked: dict[str, Path], version: int) -> None:
    path = unpacked[f"lightcurves-{version}"]
    words = f"{path}: written in version {version} of the store, this spotcat reads version {VERSION}; "
    with pytest.raises(InputError, match=re.escape(words + "delete it and ingest again")):
        LightCurveStore(path)


@pytest.mark.parametrize("version", STORES)
def test_any_program_that_reads_zarr_reads_light_curves(unpacked: dict[str, Path], version: int) -> None:
    root: Any = zarr.open_group(unpacked[f"lightcurves-{version}"], mode="r")
    (campaign,) = root.attrs["campaigns"]
    group = root[campaign]
    names = dict(zip(root["stars/star_id"][...].tolist(), root["stars/name"][...].tolist(), strict=True))
    seen = set()
    star_id = group["star_id"][...].tolist()
    # Version 1 has a row for each line of the table; later ones say which.
    rows = group["row"][...].tolist() if "row" in group else range(len(star_id))
    for row, number in zip(rows, star_id, strict=True):
        name = names[number]
        if name in PERIODS:
            _, flux = light_curve(name)
            stored = group["flux"][row][:N_POINTS]
            assert np.allclose(stored / np.median(stored), flux / np.median(flux), atol=1e-6)
            assert np.allclose(np.diff(group["time"][row][:N_POINTS]), STEP)
            seen.add(name)
    assert seen == set(PERIODS)
