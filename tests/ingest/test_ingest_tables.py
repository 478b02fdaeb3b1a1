"""Plain tables as others write them: columns, units, several stars, and what their libraries save."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.table import QTable, Table
from astropy.time import Time
from astropy.timeseries import TimeSeries
from astropy.utils.masked import Masked
from ingest_files import table_columns

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve, Refusal
from spotcat.ingest.formats import TABLE
from spotcat.ingest.read import read_curve
from spotcat.ingest.reference import quiet_lightkurve
from spotcat.ingest.units import flux_unit
from spotcat.status import Status

TIME = 1325.25 + 0.125 * np.arange(200)
FLUX = 1 + 0.02 * np.sin(2 * np.pi * TIME / 3.7)
ERRORS = np.full(TIME.size, 1e-3)
ROWS = [(f"{t}", f"{f:.7f}", f"{e}") for t, f, e in zip(TIME, FLUX, ERRORS, strict=True)]


def read(path: Path) -> CleanCurve | Refusal:
    return read_curve(path, TABLE, CleanConfig())


def curve_of(path: Path) -> CleanCurve:
    curve = read(path)
    assert isinstance(curve, CleanCurve), curve
    return curve


def refused(path: Path) -> str:
    refusal = read(path)
    assert isinstance(refusal, Refusal), "it was read"
    assert refusal.status in (Status.UNREADABLE, Status.UNSUPPORTED)
    return refusal.reason


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    contents = text.encode(encoding)
    path.write_bytes(gzip.compress(contents) if path.suffix == ".gz" else contents)
    return path


def lines(header: str = "time,flux,flux_err", mark: str = ",", end: str = "", comma: bool = False) -> str:
    rows = [mark.join(row) + end for row in ROWS]
    return "\n".join([header, *(row.replace(".", ",") if comma else row for row in rows), ""])


TEXTS: dict[str, str] = {
    "plain": lines(),
    "rows end in a comma": lines(end=","),
    "rows and header end in a comma": lines("time,flux,flux_err,", end=","),
    "some rows end in a comma": lines().replace("\n1326", ",\n1326"),
    "the header ends in a comma": lines("time,flux,flux_err,"),
    "semicolons": lines("time;flux;flux_err", ";"),
    "tabs": lines("time\tflux\tflux_err", "\t"),
    "white space": lines("  time   flux flux_err", "   "),
    "bars": lines("time|flux|flux_err", "|"),
    "decimal commas": lines("time;flux;flux_err", ";", comma=True),
    "decimal commas between tabs": lines("time\tflux\tflux_err", "\t", comma=True),
    "header in a comment": lines("# a star\n# time flux flux_err", "  "),
    "remarks and empty lines": "# star\n\n" + lines() + "# the end\n",
    "carriage returns": lines().replace("\n", "\r\n"),
    "capitals": lines("TIME, Flux ,FLUX_ERR"),
    "quoted": lines('"time","flux","flux_err"').replace("1325.25", '"1325.25"'),
    "an index without a name": "\n".join([",time,flux,flux_err", *(f"{k},{','.join(r)}" for k, r in enumerate(ROWS))]),
    "other columns": "\n".join(["sector,flux_err,time,tic,flux", *(f"1,{e},{t},77,{f}" for t, f, e in ROWS)]),
    "a row number called id": "\n".join(["id,time,flux,flux_err", *(f"{k},{','.join(r)}" for k, r in enumerate(ROWS))]),
    "Fortran": lines().replace(",0.001", ",1.0D-03"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_every_field_is_read_under_its_own_name(tmp_path: Path, case: str) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        curve = curve_of(written(tmp_path / "a.csv", TEXTS[case], encoding))
        np.testing.assert_array_equal(curve.time, TIME)
        np.testing.assert_allclose(curve.flux, FLUX, atol=1e-7)
        np.testing.assert_array_equal(curve.flux_err, ERRORS)


def test_zipped_tables_and_other_encodings(tmp_path: Path) -> None:
    curve = curve_of(written(tmp_path / "a.csv.gz", lines()))
    np.testing.assert_array_equal(curve.time, TIME)
    curve = curve_of(written(tmp_path / "a.csv", "# étoile\n" + lines(), "latin-1"))
    np.testing.assert_array_equal(curve.time, TIME)


BAD_TEXTS = {
    "a field more": (lines("time,flux"), "line 2 has 3 fields, its header names 2 columns"),
    "a field less": (lines("time,flux,flux_err,segment"), "line 2 has 3 fields, its header names 4 columns"),
    "a row cut short": (lines()[:-14], "line 201 has"),
    "decimal commas between commas": (lines(comma=True), "line 2 has 6 fields, its header names 3 columns"),
    "another separator below": (lines(mark=";"), "line 2 has 1 fields, its header names 3 columns"),
    "thousands": (lines("time;flux;flux_err", ";", comma=True).replace("1325,25", "1.325,25"), "'1.325,25' in line 2"),
    "no header": (lines("1,2,3"), "its first line has numbers, not names"),
    "a row of units": (lines("time,flux,flux_err\nd,e-/s,e-/s"), "column 'time' is not numeric: 'd' in line 2"),
    "dates": (lines().replace("1325.25", "2018-07-25 18:00"), "'2018-07-25 18:00' in line 2"),
    "a name twice": (lines("time,flux,flux"), "more than one column could be 'flux'"),
    "a name in two spellings": (lines("Time,flux,TIME"), "more than one column could be 'time' ('Time', 'TIME')"),
    "other names": (lines("bjd,flux,flux_err"), "no column 'time'; there are 'bjd', 'flux', 'flux_err'"),
    "many names": (f"{','.join(f'c{k}' * 99 for k in range(50))}\n{','.join('1' * 50)}\n", "and 42 more"),
    "folded": (lines("time,flux,time_original"), "folded"),
}


@pytest.mark.parametrize("case", BAD_TEXTS)
def test_a_table_whose_columns_are_unclear_is_refused(tmp_path: Path, case: str) -> None:
    text, words = BAD_TEXTS[case]
    reason = refused(written(tmp_path / "a.csv", text))
    assert words in reason and len(reason) < 400


def _table(**of_units: str) -> Table:
    table = Table({"time": TIME, "flux": FLUX, "flux_err": ERRORS})
    for name, unit in of_units.items():
        table[name].unit = unit
    return table


def _mag(scale: float = 1.0) -> Table:
    table = _table(flux="mag", flux_err="mag")
    table["flux"], table["flux_err"] = scale * (12 - 2.5 * np.log10(FLUX)), scale * 1.0857362 * ERRORS / FLUX
    table["flux"].unit = table["flux_err"].unit = "mag" if scale == 1 else "mmag"
    return table


def _relative(unit: str, scale: float, level: float = 0.0) -> Table:
    table = _table()
    table["flux"], table["flux_err"] = scale * (FLUX - 1 + level), scale * ERRORS
    table["flux"].unit = table["flux_err"].unit = unit
    return table


def _without(table: Table, name: str) -> Table:
    table[name].unit = None
    return table


def _mixed(flux: str, err: str, factor: np.ndarray | float) -> Table:
    table = _table(flux=flux, flux_err=err)
    table["flux"] = 100 * FLUX
    table["flux_err"] = factor * ERRORS
    table["flux"].unit, table["flux_err"].unit = flux, err
    return table


UNITS: dict[str, Callable[[], Table]] = {
    "none": _table,
    "mag": _mag,
    "mmag": lambda: _mag(1000.0),
    "mag, errors without a unit": lambda: _without(_mag(), "flux_err"),
    "ppm": lambda: _relative("ppm", 1e6),
    "ppt": lambda: _relative("ppt", 1e3),
    "percent around 0": lambda: _relative("%", 100),
    "percent around 100": lambda: _relative("%", 100, 1.0),
    "ppm around a million": lambda: _relative("ppm", 1e6, 1.0),
    "electrons": lambda: _mixed("electron / s", "electron / s", 100),
    "adu, errors without a unit": lambda: _without(_mixed("adu", "adu", 100), "flux_err"),
    "Jy, errors in mJy": lambda: _mixed("Jy", "mJy", 1e5),
    "electrons, errors in ppm": lambda: _mixed("electron / s", "ppm", 1e6 / FLUX),
    "electrons, errors in mag": lambda: _mixed("electron / s", "mag", 1.0857362 / FLUX),
    "dimensionless": lambda: _table(flux="", flux_err=""),
}


@pytest.mark.parametrize("case", UNITS)
@pytest.mark.parametrize("form", ["ecsv", "ecsv.gz", "parquet"])
def test_flux_and_errors_are_converted_by_their_units(tmp_path: Path, case: str, form: str) -> None:
    path = tmp_path / f"a.{form}"
    if form == "parquet":
        pytest.importorskip("pyarrow")
        UNITS[case]().write(path, format="parquet")
    else:
        UNITS[case]().write(tmp_path / "a.ecsv", format="ascii.ecsv")
        written(path, (tmp_path / "a.ecsv").read_text())
    curve = curve_of(path)
    level = np.median(curve.flux)
    np.testing.assert_allclose(curve.flux / level, FLUX / np.median(FLUX), rtol=1e-6)
    np.testing.assert_allclose(curve.flux_err / level, ERRORS / np.median(FLUX), rtol=1e-4)


BAD_UNITS: dict[str, tuple[Callable[[], Table], str]] = {
    "temperature": (lambda: _table(flux="K"), "column 'flux' is in 'K', which is no unit of flux"),
    "time": (lambda: _table(flux="d"), "column 'flux' is in 'd', which is no unit of flux"),
    "dex": (lambda: _table(flux="dex"), "column 'flux' is in 'dex'"),
    "of errors": (lambda: _table(flux_err="pix"), "column 'flux_err' is in 'pix'"),
    "magnitudes with errors in electrons": (lambda: _mixed("mag", "electron / s", 1), "which cannot be converted"),
    "ppm that do not scatter around 0": (lambda: _table(flux="ppm"), "near neither 0 nor 1"),
    "of time": (lambda: _table(time="m"), "column 'time' is in 'm', which is no unit of time"),
}


@pytest.mark.parametrize("case", BAD_UNITS)
def test_any_other_unit_is_refused_by_name(tmp_path: Path, case: str) -> None:
    table, words = BAD_UNITS[case]
    table().write(tmp_path / "a.ecsv", format="ascii.ecsv")
    assert words in refused(tmp_path / "a.ecsv")


def test_a_unit_that_nobody_knows_is_refused() -> None:
    refusal = flux_unit("flux", "furlong")
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "column 'flux' is in 'furlong', which is no unit of flux"


def _star(level: float, period: float) -> np.ndarray:
    return level * (1 + 0.02 * np.sin(2 * np.pi * TIME / period))


def _long(columns: dict[str, Any], path: Path) -> Path:
    Table(columns).write(path, format="ascii.csv")
    return path


@pytest.mark.parametrize("name", ["tic", "KIC", "star_id", "Target Name", "gaia_dr3_source_id", "object", "id"])
@pytest.mark.parametrize("arranged", ["one by one", "by turns"])
def test_a_column_that_names_stars_is_noticed(tmp_path: Path, name: str, arranged: str) -> None:
    stars = np.repeat([61000101, 61000102], TIME.size)
    columns = {name: stars, "time": np.r_[TIME, TIME], "flux": np.r_[_star(1, 3.7), _star(1000, 7.3)]}
    order = np.argsort(columns["time"], kind="stable") if arranged == "by turns" else np.arange(stars.size)
    reason = refused(_long({key: values[order] for key, values in columns.items()}, tmp_path / "a.csv"))
    assert reason == f"column {name!r} names 2 stars (61000101, 61000102); write a table for each star"


@pytest.mark.parametrize("name", ["tic", "sector", "quarter", "camera", "cadenceno", "quality", "crowding", "id"])
def test_columns_that_vary_within_a_star_do_no_harm(tmp_path: Path, name: str) -> None:
    varied: Any = np.arange(TIME.size) // 50
    values = {"tic": np.full(TIME.size, 77), "id": np.arange(TIME.size)}.get(name, varied)
    assert curve_of(_long({name: values, "time": TIME, "flux": FLUX}, tmp_path / "a.csv")).time.size == TIME.size


@pytest.mark.parametrize("level", [1.0, 1.5, 1000.0])
@pytest.mark.parametrize("shift", [0.0, 0.013])
@pytest.mark.parametrize("arranged", ["one by one", "by turns"])
def test_stars_that_no_column_names_are_noticed(tmp_path: Path, level: float, shift: float, arranged: str) -> None:
    time = np.r_[TIME, TIME + shift, TIME + 2 * shift]
    flux = np.r_[_star(1, 3.7), _star(level, 7.3), _star(1, 2.2)]
    order = np.argsort(time, kind="stable") if arranged == "by turns" else np.arange(time.size)
    reason = refused(_long({"time": time[order], "flux": flux[order]}, tmp_path / "a.csv"))
    assert "several stars in one table?" in reason


def test_rows_of_one_star_in_any_order_are_one_star(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    blocks = np.r_[np.arange(100, 200), np.arange(0, 100)]
    noise = FLUX + random.normal(0, 0.01, TIME.size)
    for order in (random.permutation(TIME.size), blocks, np.r_[np.arange(200), np.arange(200)], np.arange(200)[::-1]):
        curve = curve_of(_long({"time": TIME[order], "flux": noise[order]}, tmp_path / "a.csv"))
        np.testing.assert_array_equal(curve.time, TIME)
        (tmp_path / "a.csv").unlink()


def _lightkurve(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with quiet_lightkurve() as lightkurve:
            curve = lightkurve.TessLightCurve(time=TIME, flux=FLUX, flux_err=ERRORS, time_format="btjd")
            curve["quality"] = np.zeros(TIME.size, dtype=int)
            change(curve)(path)

    return write


def _ecsv(table: Any) -> Callable[[Path], None]:
    return lambda path: table.write(path, format="ascii.ecsv")


def _in_jd(curve: Any) -> Callable[[Path], None]:
    curve.time.format = "jd"
    return _ecsv(curve)


def _series() -> TimeSeries:
    series = TimeSeries(time=Time(TIME + 2457000, format="jd", scale="tdb"), data={"flux": FLUX * 1000})
    series["flux"].unit = "electron / s"
    series["flux_err"] = ERRORS * 1000
    return series


def _masked(path: Path) -> None:
    table = QTable()
    table["time"] = Time(TIME + 2457000, format="jd")
    table["flux"] = Masked(FLUX * units.Jy, mask=np.arange(TIME.size) == 7)
    table["flux_err"] = ERRORS * units.Jy
    table.write(path, format="ascii.ecsv")


def _two_parts(path: Path) -> None:
    series = _series()
    series["time"].info.serialize_method["ecsv"] = "jd1_jd2"
    series.write(path, format="ascii.ecsv")


def _dates(path: Path) -> None:
    series = _series()
    series["time"].format = "isot"
    series["time"].precision = 9
    series.write(path, format="ascii.ecsv")


SAVED: dict[str, tuple[str, Callable[[Path], None], float, bool]] = {
    "lightkurve": ("ecsv", _lightkurve(_ecsv), 0, False),
    "lightkurve in ppm": ("ecsv", _lightkurve(lambda curve: _ecsv(curve.normalize(unit="ppm"))), 0, False),
    "lightkurve's table": ("ecsv", _lightkurve(lambda curve: _ecsv(curve.to_table())), 0, False),
    "lightkurve in JD": ("ecsv", _lightkurve(_in_jd), 2457000, False),
    "lightkurve as text": ("csv", _lightkurve(lambda curve: curve.to_csv), 0, False),
    "lightkurve by pandas": ("parquet", _lightkurve(lambda curve: curve.to_pandas().to_parquet), 0, False),
    "lightkurve by astropy": (
        "parquet",
        _lightkurve(lambda curve: lambda path: curve.to_table().write(path, format="parquet")),
        0,
        False,
    ),
    "time series": ("ecsv", lambda path: _series().write(path, format="ascii.ecsv"), 2457000, False),
    "time series in two parts": ("ecsv", _two_parts, 2457000, False),
    "time series with dates": ("ecsv", _dates, 2457000, True),
    "time series by pandas": ("parquet", lambda path: _series().to_pandas().to_parquet(path), 2457000, True),
    "masked": ("ecsv", _masked, 2457000, False),
}


@pytest.mark.parametrize("case", SAVED)
def test_what_other_libraries_save_is_read(tmp_path: Path, case: str) -> None:
    suffix, write, zero, converted = SAVED[case]
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    write(tmp_path / f"a.{suffix}")
    curve = curve_of(tmp_path / f"a.{suffix}")
    kept = np.arange(TIME.size) != (7 if case == "masked" else -1)
    np.testing.assert_allclose(curve.time, (TIME + zero)[kept], rtol=0, atol=1e-8)
    np.testing.assert_allclose(curve.flux / np.median(curve.flux), (FLUX / np.median(FLUX))[kept], rtol=1e-3)
    np.testing.assert_allclose(curve.flux_err / np.median(curve.flux), 1e-3, rtol=1e-2)
    assert (curve.converted, curve.errors_estimated) == (converted, False)


@pytest.mark.parametrize("unit", ["s", "min", "h", "ms"])
def test_times_in_a_unit_are_days(tmp_path: Path, unit: str) -> None:
    table = _table()
    table["time"] = (TIME * units.d).to_value(unit)
    table["time"].unit = unit
    table.write(tmp_path / "a.ecsv", format="ascii.ecsv")
    np.testing.assert_allclose(curve_of(tmp_path / "a.ecsv").time, TIME, rtol=1e-14)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (86400.0, "its measurements are 10800 d apart, too wide for any period searched; are the times in days?"),
        (86400e3, "d apart, too wide for any period searched"),
        (1440.0, "d apart, too wide for any period searched"),
        (24.0, "are no days of Kepler, K2 or TESS in any count"),
    ],
)
def test_times_that_can_be_no_days_are_refused(tmp_path: Path, factor: float, words: str) -> None:
    columns = table_columns() | {"time": factor * TIME[:100]}
    assert words in refused(_long(columns, tmp_path / "a.csv"))


@pytest.mark.parametrize("zero", [0, 2167, 56999.5, 57000, 7000, 2457000, -1325.25])
def test_days_of_any_known_count_are_kept(tmp_path: Path, zero: float) -> None:
    curve = curve_of(_long({"time": TIME + zero, "flux": FLUX}, tmp_path / "a.csv"))
    np.testing.assert_array_equal(curve.time, TIME + zero)
    assert not curve.odd


def test_days_of_two_counts_in_one_table_are_refused(tmp_path: Path) -> None:
    for zero in (56999.5, 2457000):
        time = np.r_[TIME[:100], TIME[100:] + zero]
        assert "count days from several dates" in refused(_long({"time": time, "flux": FLUX}, tmp_path / f"{zero}.csv"))
