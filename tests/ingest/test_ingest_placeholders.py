"""Numbers that stand for a missing measurement: left out and counted; real constant, clipped or coarse flux is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ingest_files import make_recipe, run_ingest, signal, star_row, table_columns, write_csv, write_official, write_qlp
from test_ingest_products import CASES, columns

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve, RawCurve
from spotcat.ingest.formats import TABLE
from spotcat.ingest.placeholders import stray_times, stray_values, without_placeholders
from spotcat.ingest.read import read_curve
from spotcat.status import Flag, Status

N = 1000
TIME = 1325.0 + 0.05 * np.arange(N)
NUMBERS = (0.0, -1.0, -999.0, -99.99, 99999.0, 1e30, 9.96921e36, -32768.0)


def star(level: float = 1.0, amplitude: float = 0.01, noise: float = 1e-3) -> np.ndarray:
    random = np.random.default_rng(3)
    return level * (1 + amplitude * np.sin(2 * np.pi * TIME / 3) + random.normal(0, noise, N))


def filled(flux: np.ndarray, value: float, rows: Any) -> np.ndarray:
    flux = flux.copy()
    flux[rows] = value
    return flux


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize("rows", [slice(0, 36), slice(7, None, 30), slice(0, 600), slice(500, 502)])
@pytest.mark.parametrize("kind", ["float", "single", "coarse", "electrons", "large amplitude"])
def test_a_number_far_from_all_others_is_no_measurement(value: float, rows: slice, kind: str) -> None:
    flux = {
        "float": star(),
        "single": star(5000).astype(np.float32),
        "coarse": np.round(star(), 4),
        "electrons": np.round(star(12345)),
        "large amplitude": star(1, 0.25),
    }[kind]
    found = stray_values(filled(flux, value, rows))
    np.testing.assert_array_equal(np.flatnonzero(found), np.arange(N)[rows])


def test_a_number_that_nobody_knows_must_come_often_and_far_off() -> None:
    assert np.count_nonzero(stray_values(filled(star(), -3.25, slice(0, 40)))) == 40
    assert not stray_values(filled(star(), -3.25, [5, 80])).any()


def test_two_numbers_in_one_light_curve() -> None:
    flux = filled(filled(star(), 0.0, slice(0, 50)), -999.0, slice(400, 450))
    assert np.flatnonzero(stray_values(flux)).tolist() == [*range(50), *range(400, 450)]


def _eclipses(flux: np.ndarray, depth: float) -> np.ndarray:
    return np.where(np.arange(N) % 100 < 8, flux - depth, flux)


RANDOM = np.random.default_rng(9)
SOUND = {
    "around zero": RANDOM.normal(0, 1, N),
    "around zero with zeros": filled(RANDOM.normal(0, 1, N), 0.0, slice(0, 200)),
    "around zero, whole": np.round(RANDOM.normal(0, 2, N)),
    "around zero with -1": filled(RANDOM.normal(0, 1, N), -1.0, slice(0, 50)),
    "coarse": np.round(star(1, 0.02), 2),
    "two values": np.where(np.arange(N) % 7 == 0, 51.0, 50.0),
    "few values": RANDOM.integers(48, 53, N).astype(float),
    "counts of a faint star": RANDOM.poisson(4, N).astype(float),
    "clipped above": np.minimum(star(1, 0.02), 1.01),
    "clipped below": np.maximum(star(1, 0.02), 0.99),
    "saturated flares": np.minimum(star() + np.where(np.arange(N) % 50 < 10, 2 * 0.6 ** (np.arange(N) % 50), 0), 1.8),
    "deep eclipses": _eclipses(star(), 0.7),
    "deep eclipses, coarse": np.round(_eclipses(star(), 0.7), 2),
    "flat eclipses, coarse": np.round(_eclipses(np.ones(N), 0.2), 2),
    "near 99": 99 + RANDOM.integers(-2, 3, N),
    "near 99999": np.round(star(99999, 0.001)),
    "near 999.9 in single precision": star(999.9).astype(np.float32),
    "constant": np.full(N, 3.5),
    "zero": np.zeros(N),
    "stuck": filled(star(), 1.0, slice(100, 300)),
}


@pytest.mark.parametrize("case", SOUND)
def test_repeated_values_of_real_flux_are_kept(case: str) -> None:
    assert not stray_values(SOUND[case]).any()


@pytest.mark.parametrize("value", [0.0, -1.0, -999.0, 99999.0, 1e30])
def test_times_that_stand_for_missing_ones(value: float) -> None:
    for zero in (0.0, 56999.5, 2457000.0):
        time = filled(TIME + zero, value, [3, 50, 700])
        assert np.flatnonzero(stray_times(time)).tolist() == [3, 50, 700]
    assert np.flatnonzero(stray_times(filled(TIME, value, [3]))).tolist() == [3]


def test_times_that_are_only_repeated_or_begin_at_zero_are_kept() -> None:
    for time in (np.repeat(TIME, 2), TIME - TIME[0], np.r_[TIME, TIME + 700], np.r_[0.0, 40 + TIME - TIME[0]]):
        assert not stray_times(time).any()
    assert not stray_times(np.full(9, np.nan)).any()


@pytest.mark.parametrize("value", [0.0, -1.0, -99.0, 99.99, 999.0, 1e30, np.nan, np.inf, 1e-12])
@pytest.mark.parametrize("share", [0.05, 1.0])
def test_errors_that_are_none_weigh_as_the_scatter_does(value: float, share: float) -> None:
    rows = slice(0, int(share * N))
    # A tiny error is one among others only.
    if value == 1e-12 and share == 1:
        return
    raw = RawCurve(TIME, star(), filled(np.full(N, 1e-3), value, rows), np.zeros(N, dtype=np.int32), None)
    from spotcat.ingest.clean import clean

    curve = clean(without_placeholders(raw), 30.0)
    assert isinstance(curve, CleanCurve)
    assert curve.errors_estimated and curve.n_placeholder == 0 and curve.time.size == N
    np.testing.assert_allclose(curve.flux_err, 1e-3, rtol=0.2)


@pytest.mark.parametrize("value", [0.5, 0.02, 1e-3, 9.9e-4])
def test_sound_errors_are_kept(value: float) -> None:
    raw = RawCurve(TIME, star(), np.full(N, value), np.zeros(N, dtype=np.int32), None)
    assert without_placeholders(raw) is raw


def test_segments_of_other_levels_are_looked_at_one_by_one() -> None:
    flux = np.r_[star(1)[:500], star(1000)[500:]]
    raw = RawCurve(TIME, filled(flux, 0.0, [7, 9, 700, 800]), None, np.zeros(N), np.repeat([1.0, 2.0], 500))
    found = without_placeholders(raw)
    assert found.n_placeholder == 4 and np.flatnonzero(np.isnan(found.flux)).tolist() == [7, 9, 700, 800]


@pytest.mark.parametrize("reader", ["fast", "lightkurve"])
@pytest.mark.parametrize("product", ["Kepler", "TESS", "QLP"])
def test_zeros_of_good_quality_in_the_missions_files(tmp_path: Path, product: str, reader: str) -> None:
    values = signal(n=600, start=1600, step=1 / 48)
    values["flux"][[*range(20), 300, 400]] = 0
    path = tmp_path / "x.fits"
    if product == "QLP":
        write_qlp(path, 77, 12, values)
    else:
        write_official(path, product, 77, 5, values)
    name = {"TESS": "SPOC"}.get(product, product)
    curve = read_curve(path, name, CleanConfig(), reader)
    assert isinstance(curve, CleanCurve)
    assert (curve.n_placeholder, curve.time.size, curve.flux.dtype) == (22, 578, np.dtype("f4"))
    assert not np.isin(values["time"][[0, 300, 400]], curve.time).any()


@pytest.mark.parametrize("name", CASES)
def test_zeros_of_good_quality_in_the_products_of_others(tmp_path: Path, name: str) -> None:
    values = columns()
    # A magnitude of 99.99 is what CDIPS has for none; ppm scatter around 0, where 0 is a value.
    relative = name in ("tasoc", "kepseismic", "kepseismic table")
    values["flux"][:30] = 10 ** (-0.4 * 89.99) if name == "cdips" else 0 if not relative else values["flux"][:30]
    path = tmp_path / CASES[name].file
    with np.errstate(divide="ignore"):
        CASES[name].write(path, values)
    _, store = run_ingest(make_recipe(path), tmp_path / "store")
    row = star_row(store, CASES[name].star)
    assert row["status"] == Status.OK
    assert (row["n_placeholder"], bool(row["flags"] & Flag.PLACEHOLDERS_LEFT_OUT)) == (
        (0, False) if relative else (30, True)
    )


def test_the_count_and_the_flag_reach_the_star(tmp_path: Path) -> None:
    values = table_columns()
    values["flux"][[3, 30, 60]] = -999
    values["time"][[70, 71]] = 0
    values["time"] += np.where(values["time"] == 0, 0, 1400)
    write_csv(tmp_path / "a.csv", values)
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    row = star_row(store, "a")
    assert (row["n_placeholder"], row["n_points"]) == (6, 94)
    assert row["flags"] == Flag.PLACEHOLDERS_LEFT_OUT
    assert "stand for missing measurements" in Flag(int(row["flags"])).words[0]
    curve = read_curve(tmp_path / "a.csv", TABLE, CleanConfig())
    assert isinstance(curve, CleanCurve) and not curve.odd
