"""Official FITS files and plain tables from disk to star rows; bad ones among good ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from ingest_files import (
    TWO_MINUTES,
    make_recipe,
    run_ingest,
    signal,
    star_row,
    table_columns,
    write_csv,
    write_kepler,
    write_official,
)

from spotcat.ingest.store import LightCurveStore
from spotcat.status import Flag, InputError, Status


def test_the_three_missions(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_kepler(folder, 5)
    write_official(folder / "ktwo.fits", "K2", 201000001, 4, signal(start=2200))
    write_official(folder / "tess.fits.gz", "TESS", 77, 12, signal(start=1600, step=TWO_MINUTES))
    summary, store = run_ingest(make_recipe(folder), tmp_path / "store")
    assert (summary.n_files, summary.n_stars, summary.n_usable, summary.n_left_out) == (3, 3, 3, 0)
    assert store.campaigns == ("k2/c04-1765s", "kepler/q05-1765s", "tess/s0012-120s")
    assert store.stars["name"].tolist() == ["KIC 5", "EPIC 201000001", "TIC 77"]
    assert store.stars["mission"].tolist() == ["Kepler", "K2", "TESS"]
    assert store.stars["author"].tolist() == ["Kepler", "K2", "SPOC"]
    row = star_row(store, "TIC 77")
    assert (row["mission_id"], row["star_id"], row["n_points"]) == (77, 3_000_000_000_077, 200)
    assert (row["ra"], row["dec"], row["mag"], row["crowding"]) == (290.5, 37.25, 11.5, 0.75)
    assert row["cadence"] == pytest.approx(TWO_MINUTES)
    assert (row["status"], row["reason"], row["flags"]) == (Status.OK, "", 0)


def test_quality_flags_sorting_and_duplicates(tmp_path: Path) -> None:
    columns = signal(n=300, start=500)
    columns["quality"][10] = 1  # attitude tweak: masked by default
    columns["quality"][20] = 128  # cosmic ray: kept by default
    columns["time"][30] = np.nan
    columns["flux"][40] = np.nan
    columns["time"][51] = columns["time"][50]
    shuffled = np.random.default_rng(0).permutation(300)
    path = tmp_path / "kplr000000005.fits"
    write_official(path, "Kepler", 5, 3, {name: values[shuffled] for name, values in columns.items()})
    _, store = run_ingest(make_recipe(path), tmp_path / "store")
    (curve,) = store.read([1_000_000_000_005])
    assert curve.time.size == 300 - 4
    assert np.all(np.diff(curve.time) > 0)
    assert columns["time"][20] in curve.time and columns["time"][10] not in curve.time
    index = np.searchsorted(curve.time, columns["time"][20])
    level = np.median(curve.flux)
    assert level == pytest.approx(1, abs=1e-12)
    ratio = columns["flux"][20].astype(float) / columns["flux_err"][20].astype(float)
    assert curve.flux[index] / curve.flux_err[index] == pytest.approx(ratio, rel=1e-12)


def _truncate(fraction: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        contents = path.read_bytes()
        path.write_bytes(contents[: int(fraction * len(contents))])

    return damage


def _overwrite(contents: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(contents) and None


def _edit(change: Callable[[fits.HDUList], None]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with fits.open(path, mode="update") as hdus:
            change(hdus)

    return damage


def _column(name: str, values: float | np.ndarray) -> Callable[[Path], None]:
    def change(hdus: fits.HDUList) -> None:
        hdus[1].data[name] = values

    return _edit(change)


def _ten_points(hdus: fits.HDUList) -> None:
    hdus[1].data = hdus[1].data[:10]


def _no_points(hdus: fits.HDUList) -> None:
    hdus[1].data = hdus[1].data[:0]


def _without_pdcsap(hdus: fits.HDUList) -> None:
    hdus[1].columns.change_name("PDCSAP_FLUX", "OTHER_FLUX")


BAD_FITS = {
    "truncated header": (_truncate(0.05), Status.UNREADABLE, "truncated"),
    "truncated extension header": (_truncate(0.2), Status.UNREADABLE, "truncated"),
    "truncated data": (_truncate(0.6), Status.UNREADABLE, "truncated"),
    "truncated last extension": (_truncate(0.99), Status.UNREADABLE, "truncated"),
    "empty": (_overwrite(b""), Status.UNREADABLE, "empty"),
    "web page": (_overwrite(b"\n<!DOCTYPE html><html>404</html>"), Status.UNREADABLE, "HTML"),
    "noise": (_overwrite(bytes(range(256)) * 40), Status.UNREADABLE, "not a FITS file"),
    "damaged header": (_overwrite(b"SIMPLE  = " + b"\xff" * 9000), Status.UNREADABLE, "truncated"),
    "all flags set": (_column("SAP_QUALITY", 65536), Status.NO_FINITE_FLUX, "no finite flux"),
    "no finite flux": (_column("PDCSAP_FLUX", np.nan), Status.NO_FINITE_FLUX, "no finite flux"),
    "no finite time": (_column("TIME", np.nan), Status.NO_FINITE_FLUX, "no finite flux"),
    "constant flux": (_column("PDCSAP_FLUX", 3.5), Status.CONSTANT_FLUX, "constant"),
    "ten points": (_edit(_ten_points), Status.FEW_POINTS, "10 valid measurements"),
    "no points": (_edit(_no_points), Status.NO_FINITE_FLUX, "no measurements"),
    "no PDCSAP column": (_edit(_without_pdcsap), Status.UNREADABLE, "no column 'PDCSAP_FLUX'"),
}


WRONG_PRODUCTS: dict[str, tuple[dict[str, str | None], str]] = {
    "target pixels": (
        {"CREATOR": "9 TargetPixelExporterPipelineModule"},
        "a Kepler target pixel file is no light curve",
    ),
    "K2VARCAT": ({"CREATOR": "k2varcat", "TELESCOP": "Kepler"}, "a Kepler product by k2varcat is not supported"),
    "K2SC": ({"CREATOR": "k2SC v0.9"}, "K2SC is not supported"),
    "other table": (
        {"EXTNAME": "PDC"},
        "a Kepler product by FluxExporter2PipelineModule is not supported",
    ),
    "validation": (
        {"CREATOR": "9 DvTimeSeriesExporter"},
        "a Kepler product by DvTimeSeriesExporter is not supported",
    ),
    "anonymous": ({"TELESCOP": None, "CREATOR": None}, "without TELESCOP and CREATOR is not supported"),
    "other telescope": (
        {"TELESCOP": "CoRoT"},
        "a CoRoT product by FluxExporter2PipelineModule is not supported",
    ),
}
LACKING_CARDS = ("QUARTER", "TSTART", "TIMEDEL")
# The mark of a product whose columns the file does not have.
MISMARKED = {
    "QLP": ({"ORIGIN": "MIT/QLP"}, "are no days of its mission"),
    "CDIPS": ({"ORIGIN": "CDIPS"}, "no column 'TMID_BJD'"),
}
CASES = [*BAD_FITS, *WRONG_PRODUCTS, *LACKING_CARDS, *MISMARKED]


@pytest.fixture(scope="module")
def bad_survey(tmp_path_factory: pytest.TempPathFactory) -> LightCurveStore:
    """KIC 1 and 999 are good; KIC 10 + k is the k-th bad case."""
    folder = tmp_path_factory.mktemp("bad")
    write_kepler(folder, 1)
    write_kepler(folder, 999)
    for k, case in enumerate(CASES):
        cards = {case: None} if case in LACKING_CARDS else (WRONG_PRODUCTS | MISMARKED).get(case, ({}, ""))[0]
        path = write_kepler(folder, 10 + k, seed=k, **cards)
        if case in BAD_FITS:
            BAD_FITS[case][0](path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return run_ingest(make_recipe(folder), folder.with_name("bad_store"))[1]


def test_bad_files_leave_their_neighbours_alone(bad_survey: LightCurveStore) -> None:
    assert bad_survey.stars["name"][bad_survey.stars["status"] == Status.OK].tolist() == ["KIC 1", "KIC 999"]
    assert bad_survey.stars["star_id"].size == len(CASES) + 2
    for name in ("KIC 1", "KIC 999"):
        row = star_row(bad_survey, name)
        assert (row["reason"], row["flags"], row["n_points"]) == ("", 0, 200)


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_a_row_with_a_reason(bad_survey: LightCurveStore, case: str) -> None:
    if case in BAD_FITS:
        _, status, words = BAD_FITS[case]
    elif case in WRONG_PRODUCTS:
        status, words = Status.UNSUPPORTED, WRONG_PRODUCTS[case][1]
    elif case in MISMARKED:
        status, words = Status.UNREADABLE, MISMARKED[case][1]
    else:
        status, words = Status.UNREADABLE, "its header lacks one of QUARTER, TSTART, TSTOP, TIMEDEL"
    number = 10 + CASES.index(case)
    row = star_row(bad_survey, f"KIC {number}")
    assert (row["star_id"], row["mission"]) == (1_000_000_000_000 + number, "Kepler")
    assert row["status"] == status
    assert words in row["reason"] and f"kplr{number:09d}-2005000000000_llc.fits" in row["reason"]
    assert "/" not in row["reason"]


def test_nan_errors_are_estimated_and_flagged(tmp_path: Path) -> None:
    path = write_kepler(tmp_path, 5)
    _column("PDCSAP_FLUX_ERR", np.nan)(path)
    _, store = run_ingest(make_recipe(path), tmp_path / "store")
    row = star_row(store, "KIC 5")
    assert (row["status"], row["flags"]) == (Status.OK, Flag.ERRORS_ESTIMATED)
    (curve,) = store.read([row["star_id"]])
    assert np.all(curve.flux_err > 0)
    assert curve.flux_err[0] == pytest.approx(5 / 1e4, rel=0.5)


def test_derived_product_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "hlsp_tess-spoc_tess_phot_0000000000000077-s0012_tess_v1_lc.fits"
    write_official(path, "TESS", 77, 12, signal(start=1600))
    _, store = run_ingest(make_recipe(path), tmp_path / "store")
    assert star_row(store, "TIC 77")["author"] == "TESS-SPOC"
    assert store.campaigns == ("tess/s0012-tess-spoc-1765s",)


def test_a_star_keeps_its_good_files(tmp_path: Path) -> None:
    for quarter in (3, 4, 5):
        write_kepler(tmp_path, 5, quarter, seed=quarter)
    (tmp_path / "kplr000000005-2004000000000_llc.fits").write_bytes(b"")
    summary, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    row = star_row(store, "KIC 5")
    assert (row["status"], row["flags"], row["n_segments"]) == (Status.OK, Flag.FILES_REFUSED, 2)
    assert summary.n_left_out == 1
    assert store.left_out["reason"].tolist() == ["the file is empty"]
    (curve,) = store.read([row["star_id"]])
    assert np.unique(curve.segment).tolist() == [0, 1]
    assert np.all(np.diff(curve.segment) >= 0)
    for segment in (0, 1):
        assert np.median(curve.flux[curve.segment == segment]) == pytest.approx(1, abs=1e-12)


def _ecsv(path: Path, columns: dict[str, np.ndarray]) -> None:
    Table(columns).write(path, format="ascii.ecsv")


def _parquet(path: Path, columns: dict[str, np.ndarray]) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pandas.DataFrame(columns).to_parquet(path)


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "parquet"])
def test_tables_in_three_formats(tmp_path: Path, suffix: str) -> None:
    columns = table_columns(step=0.1 + 1e-9) | {"segment": np.repeat([3, 8], 50)}
    path = tmp_path / f"star one.{suffix}"
    {"csv": write_csv, "ecsv": _ecsv, "parquet": _parquet}[suffix](path, columns)
    _, store = run_ingest(make_recipe(path), tmp_path / "store")
    row = star_row(store, "star one")
    assert (row["mission"], row["mission_id"], row["author"]) == ("table", -1, "table")
    assert (row["status"], row["flags"], row["n_segments"]) == (0, 0, 2)
    assert np.isnan([row["ra"], row["dec"], row["mag"], row["crowding"]]).all()
    (curve,) = store.read([row["star_id"]])
    np.testing.assert_array_equal(curve.time, columns["time"])
    np.testing.assert_array_equal(curve.segment, np.repeat([0, 1], 50))
    level = np.repeat([np.median(columns["flux"][:50]), np.median(columns["flux"][50:])], 50)
    np.testing.assert_array_equal(curve.flux, columns["flux"] / level)
    np.testing.assert_array_equal(curve.flux_err, columns["flux_err"] / level)


def test_ecsv_masks_and_units(tmp_path: Path) -> None:
    columns = table_columns()
    table = Table(columns)
    table["flux"] = MaskedColumn(columns["flux"], mask=np.arange(100) == 7)
    table["time"] = columns["time"] * 24
    table["time"].unit = "h"
    table.write(tmp_path / "a.ecsv", format="ascii.ecsv")
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    (curve,) = store.read(store.stars["star_id"])
    np.testing.assert_allclose(curve.time, np.delete(columns["time"], 7), rtol=1e-15)


def test_tables_without_errors(tmp_path: Path) -> None:
    columns = table_columns()
    del columns["flux_err"]
    _, store = run_ingest(make_recipe(write_csv(tmp_path / "a.csv", columns)), tmp_path / "store")
    assert star_row(store, "a")["flags"] == Flag.ERRORS_ESTIMATED


BAD_TABLES = {
    "no flux column": ("time,fluxes\n1,2\n", Status.UNREADABLE, "no column 'flux'"),
    "no column at all": ("1,2\n3,4\n", Status.UNREADABLE, "no column 'time', 'flux'"),
    "words": ("time,flux\n1,a\n2,b\n3,c\n", Status.UNREADABLE, "column 'flux' is not numeric"),
    "ragged": ("time,flux\n1,2\n1,2,3,4\n", Status.UNREADABLE, "line 3 has 4 fields, its header names 2 columns"),
    "empty": ("", Status.UNREADABLE, "the file is empty"),
    "no rows": ("time,flux\n", Status.UNREADABLE, "the table has no rows"),
    "web page": ("<html>", Status.UNREADABLE, "HTML"),
    "binary": ("\0\1\2" * 100, Status.UNREADABLE, ""),
    "segment holes": ("time,flux,segment\n1,2,0\n2,3,\n3,4,1\n", Status.UNREADABLE, "'segment'"),
    "ppm": ("time,flux\n" + "".join(f"{i},{i % 7 - 3}\n" for i in range(99)), Status.NO_FLUX_LEVEL, ""),
    "two points": ("time,flux\n1,2\n2,3\n", Status.FEW_POINTS, "2 valid measurements"),
}


def test_bad_tables(tmp_path: Path) -> None:
    for case, (text, _, _) in BAD_TABLES.items():
        (tmp_path / f"{case}.csv").write_text(text)
    write_csv(tmp_path / "good.csv", table_columns())
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    assert star_row(store, "good")["status"] == Status.OK
    for case, (_, status, words) in BAD_TABLES.items():
        row = star_row(store, case)
        assert row["status"] == status, case
        assert row["reason"].startswith(f"{case}.csv: ") and words in row["reason"]


def test_manifest_gives_numbers_and_names(tmp_path: Path) -> None:
    write_csv(tmp_path / "x1.csv", table_columns(start=0))
    write_csv(tmp_path / "x2.csv", table_columns(start=200, step=0.25))
    manifest = tmp_path / "list.csv"
    manifest.write_text("star_id,name,file\n42,Star Two,x1.csv\n42,Star Two,x2.csv\n")
    _, store = run_ingest(make_recipe(manifest=manifest), tmp_path / "store")
    assert store.stars["star_id"].tolist() == [42]
    row = star_row(store, "Star Two")
    assert (row["n_points"], row["n_segments"], row["status"]) == (200, 2, 0)
    assert len(store.campaigns) == 2
    (curve,) = store.read([42])
    assert curve.name == "Star Two"
    np.testing.assert_array_equal(curve.segment, np.repeat([0, 1], 100))


def test_opening_a_store_needs_no_reader_of_light_curves(tmp_path: Path) -> None:
    import subprocess
    import sys

    write_csv(tmp_path / "a.csv", table_columns())
    run_ingest(make_recipe(tmp_path), tmp_path / "store")
    code = (
        "import sys\nfrom spotcat.ingest.store import LightCurveStore\n"
        f"store = LightCurveStore({str(tmp_path / 'store')!r})\n"
        "assert store.read(store.stars['star_id'])[0].time.size == 100\n"
        "assert not {'lightkurve', 'jax', 'dask', 'matplotlib', 'pandas', 'xarray'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_unknown_star(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", table_columns())
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    assert isinstance(store, LightCurveStore)
    with pytest.raises(InputError, match="no star with star_id 12"):
        store.read([12])
