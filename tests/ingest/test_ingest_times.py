"""Days counted from other dates: of lightkurve's files, of a star's second table, of an ephemeris."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ingest_files import make_recipe, run_ingest, signal, star_row, table_columns, write_csv

from spotcat.ingest.clean import RawCurve, Refusal
from spotcat.ingest.daycount import BKJD, BTJD, JD, MJD, epoch_in_count, stated_zero, to_count
from spotcat.ingest.reference import quiet_lightkurve
from spotcat.ingest.transits import Transit, drop_transits
from spotcat.status import Flag, Status

CARDS = {"TARGETID": 77, "MISSION": "TESS", "TELESCOP": "TESS", "SECTOR": 12, "RA": 1.0, "DEC": 2.0}


def lightkurve_file(path: Path, time_format: str) -> Path:
    values = signal(n=300, start=1600, step=1 / 48)
    with quiet_lightkurve() as lightkurve:
        curve = lightkurve.TessLightCurve(
            time=values["time"], flux=values["flux"], flux_err=values["flux_err"], time_format="btjd"
        )
        curve["quality"] = values["quality"]
        curve.meta.update(CARDS)
        curve.time.format = time_format
        curve.to_fits(path)
    return path


@pytest.mark.parametrize("time_format", ["btjd", "bkjd", "jd", "mjd"])
def test_a_file_of_lightkurve_is_the_same_curve_in_any_format(tmp_path: Path, time_format: str) -> None:
    lightkurve_file(tmp_path / "x.fits", time_format)
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    row = star_row(store, "TIC 77")
    assert (row["status"], row["n_points"]) == (Status.OK, 300)
    assert row["flags"] == (0 if time_format == "btjd" else Flag.TIMES_CONVERTED)
    (curve,) = store.read([row["star_id"]])
    np.testing.assert_allclose(curve.time, signal(n=300, start=1600, step=1 / 48)["time"], rtol=0, atol=1e-8)


def test_a_copy_in_another_format_is_no_second_curve(tmp_path: Path) -> None:
    for time_format in ("btjd", "jd", "mjd"):
        lightkurve_file(tmp_path / f"{time_format}.fits", time_format)
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    assert star_row(store, "TIC 77")["n_points"] == 300
    assert all("covers the same time as" in reason for reason in store.left_out["reason"])


def test_times_that_are_no_days_of_the_mission_are_refused(tmp_path: Path) -> None:
    lightkurve_file(tmp_path / "unix.fits", "unix")
    values = signal(n=300, start=1600, step=1 / 48)
    with quiet_lightkurve() as lightkurve:
        curve = lightkurve.TessLightCurve(time=values["time"], flux=values["flux"], time_format="btjd")
        curve.meta.update(CARDS)
        curve.fold(1.7).to_fits(tmp_path / "folded.fits")
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    reasons = dict(zip(store.left_out["file"].tolist(), store.left_out["reason"].tolist(), strict=True))
    assert "are no days of its mission in any count" in reasons["unix.fits"]
    assert "folded" in reasons["folded.fits"]


def two_tables(folder: Path, *columns: dict[str, Any]) -> Any:
    """One star of several tables."""
    for k, values in enumerate(columns):
        write_csv(folder / f"x{k}.csv", values)
    lines = "".join(f"42,Star,x{k}.csv\n" for k in range(len(columns)))
    (folder / "list.csv").write_text("star_id,name,file\n" + lines)
    return run_ingest(make_recipe(manifest=folder / "list.csv"), folder / "store")[1]


@pytest.mark.parametrize("shift", [BTJD, BTJD - BKJD, BTJD - MJD, BTJD - MJD + 0.5])
def test_a_table_in_another_count_is_the_same_curve(tmp_path: Path, shift: float) -> None:
    values = table_columns(start=1325)
    store = two_tables(tmp_path, values, values | {"time": values["time"] + shift})
    row = star_row(store, "Star")
    assert (row["n_points"], row["status"], row["flags"]) == (100, Status.OK, 0)
    assert row["time_max"] - row["time_min"] < 60
    assert "holds the measurements of" in store.left_out["reason"][0]


@pytest.mark.parametrize("shift", [BTJD, BTJD - MJD])
def test_tables_of_other_times_in_another_count_are_not_joined(tmp_path: Path, shift: float) -> None:
    later = table_columns(start=1400 + shift, seed=1)
    store = two_tables(tmp_path, table_columns(start=1325), later)
    row = star_row(store, "Star")
    assert (row["n_points"], row["status"], row["flags"]) == (100, Status.OK, Flag.FILES_REFUSED)
    assert "its days count from another date than those of" in store.left_out["reason"][0]


def test_tables_of_one_count_are_joined(tmp_path: Path) -> None:
    store = two_tables(tmp_path, table_columns(start=1325), table_columns(start=1400, seed=1))
    assert star_row(store, "Star")["n_points"] == 200


def curve_at(zero: float) -> RawCurve:
    time = 1325 + zero + 0.05 * np.arange(500)
    return RawCurve(time, np.ones(500), None, np.zeros(500, dtype=np.int32), None)


# Mid-transit at BTJD 1330, period 7 d: days of the light curve, those of the epoch, and the date of the former.
EPOCHS = {
    "table in BTJD, epoch in BTJD": (0.0, 1330.0, None),
    "table in BTJD, epoch in JD": (0.0, 2458330.0, None),
    "table in JD, epoch in BTJD": (BTJD, 1330.0, None),
    "table in JD, epoch in BKJD": (BTJD, 1330.0 + BTJD - BKJD, None),
    "table in BKJD, epoch in JD": (BTJD - BKJD, 2458330.0, None),
    "file in BTJD, epoch in JD": (0.0, 2458330.0 - 700, BTJD),
    "file in BKJD, epoch in JD": (BTJD - BKJD, 2458330.0 - 1400, BKJD),
    "file in MJD, epoch in JD": (BTJD - MJD, 2458330.0 - 1400, MJD),
    "file in MJD, epoch in BTJD": (BTJD - MJD, 1330.0, MJD),
    "earlier epoch of the same count": (0.0, 1330.0 - 700, BTJD),
}


@pytest.mark.parametrize("case", EPOCHS)
def test_an_ephemeris_in_another_count_cuts_the_transits(case: str) -> None:
    zero, epoch, reference = EPOCHS[case]
    raw = curve_at(zero)
    result = drop_transits(raw, [Transit(7.0, epoch, 0.43)], reference)
    assert not isinstance(result, Refusal)
    kept, count = result
    phase = (raw.time - zero - 1330 + 3.5) % 7 - 3.5
    np.testing.assert_array_equal(kept.time, raw.time[np.abs(phase) > 0.215])
    assert count == raw.time.size - kept.time.size > 20


UNCLEAR = {
    "days of no mission": (0.0, 2460000.0 + 9000, None),
    "MJD or JD - 2400000": (0.0, 58329.5, BTJD),
    "a table from its first measurement": (-1325.0, 2458330.0, None),
    "a table in MJD or JD - 2400000": (BTJD - MJD, 2458330.0, None),
    "no count at all": (0.0, 30000.0, BTJD),
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_an_ephemeris_of_an_unclear_count_is_refused(case: str) -> None:
    zero, epoch, reference = UNCLEAR[case]
    refusal = drop_transits(curve_at(zero), [Transit(7.0, epoch, 0.43)], reference)
    assert isinstance(refusal, Refusal)
    assert f"the epoch {epoch:.10g} of its ephemeris counts days from another date" in refusal.reason


def test_a_wrong_epoch_is_the_reason_of_its_star_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_csv(tmp_path / f"{name}.csv", table_columns(start=1325))
    (tmp_path / "planets.txt").write_text("star,period,epoch,duration\na,7,2458330,9\nb,7,58330,9\n")
    recipe = make_recipe(tmp_path)
    recipe = replace(recipe, clean=replace(recipe.clean, ephemerides=str(tmp_path / "planets.txt")))
    _, store = run_ingest(recipe, tmp_path / "store")
    assert (star_row(store, "a")["status"], star_row(store, "a")["n_in_transit"] > 0) == (Status.OK, True)
    row = star_row(store, "b")
    assert row["status"] == Status.UNREADABLE and "the epoch 58330 of its ephemeris" in row["reason"]


def test_counts_by_their_size_and_their_header() -> None:
    days = np.array([1400.5, np.nan, 1401.0])
    for time, stated in ((days + BTJD, None), (days + BTJD, JD), (days + BTJD - MJD, MJD), (days + BTJD - BKJD, BKJD)):
        found, converted = to_count(time, BTJD, stated)
        np.testing.assert_allclose(found, days, atol=1e-8)
        assert converted
    assert to_count(days, BTJD) == (days, False) and to_count(days, BTJD, BTJD) == (days, False)
    header = {"TFIELDS": 3, "TTYPE1": "X", "TTYPE2": "TIME", "TUNIT2": "BJD - 2457000, days", "TTYPE3": "T"}
    assert stated_zero(header, "time") == BTJD and stated_zero(header, "T") is None
    assert stated_zero(header | {"TUNIT2": "jd"}, "TIME") == JD
    assert epoch_in_count(1330.0, (1325.0, 1350.0), None) == 1330.0
