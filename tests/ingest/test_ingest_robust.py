"""What is not rotation is left out by kind; rotation of any amplitude and period, eclipses and deep dips stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ingest_files import LONG_CADENCE, TWO_MINUTES, make_recipe, run_ingest, star_row, table_columns, write_csv

from spotcat.config import CleanConfig
from spotcat.ingest.dips import repeating
from spotcat.ingest.robust import left_out
from spotcat.status import LeftOut

CONFIG = CleanConfig()
RULES = {
    LeftOut.EXCESS: "excess_sigma",
    LeftOut.SCATTER: "scatter_ratio",
    LeftOut.FLARE: "flare_sigma",
    LeftOut.OUTLIER: "outlier_sigma",
    LeftOut.RAMP: "ramp_ratio",
    LeftOut.DIP: "dip_sigma",
}
NOISE = 1e-3


def sector(period: float = 5.0, amplitude: float = 20 * NOISE, step: float = 10 * TWO_MINUTES) -> np.ndarray:
    """Time and flux of a rotating star in a TESS sector with a pause in the middle, shape (2, n)."""
    time = np.arange(1325.3, 1352.9, step)
    time = time[np.abs(time - 1339.1) > 0.6]
    wave = np.sin(2 * np.pi * time / period) + 0.3 * np.sin(4 * np.pi * time / period + 1)
    return np.stack([time, 1 + amplitude * wave + np.random.default_rng(4).normal(0, NOISE, time.size)])


def causes(time: np.ndarray, flux: np.ndarray, config: CleanConfig = CONFIG) -> np.ndarray:
    return left_out(time, 1000 * flux, np.zeros(time.size, dtype=np.int16), config)


@pytest.mark.parametrize("amplitude", [0.5, 5.0, 50.0, 500.0])
@pytest.mark.parametrize("period", [0.21, 0.5, 1.1, 2.7, 8.0, 27.0])
@pytest.mark.parametrize("step", [10 * TWO_MINUTES, LONG_CADENCE])
def test_rotation_stays(period: float, amplitude: float, step: float) -> None:
    time, flux = sector(period, amplitude * NOISE / 2, step)
    assert np.count_nonzero(causes(time, flux)) <= 0.008 * time.size


@pytest.mark.parametrize("period", [1.1, 3.2, 12.0])
@pytest.mark.parametrize("depth", [0.004, 0.02, 0.3])
def test_transits_and_eclipses_are_left_out_whole(period: float, depth: float) -> None:
    time, flux = sector(6.0, 5 * NOISE, 2 * TWO_MINUTES)
    away = np.abs((time - 1330 + period / 2) % period - period / 2)
    flux[away < 0.06] *= 1 - depth
    why = causes(time, flux)
    assert np.mean(why[away < 0.055] == LeftOut.DIP) > 0.9
    assert np.mean(why[away > 0.08] > 0) < 0.02
    assert repeating(flux, why) == (period < 12)


def test_long_dips_stay() -> None:
    time, flux = sector(6.0)
    inside = np.abs(time - 1345) < 1
    flux[inside] -= 0.2 * np.cos((time[inside] - 1345) * np.pi / 2) ** 2
    assert np.count_nonzero(causes(time, flux)) < 0.02 * time.size


def flare(time: np.ndarray, flux: np.ndarray) -> np.ndarray:
    struck = (time > 1333) & (time < 1333.15)
    flux[struck] += 0.05 * np.exp(-(time[struck] - 1333) / 0.05)
    return struck & (time < 1333.1)


def faint_flare(time: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """One that only the mean of an hour shows."""
    struck = (time > 1333) & (time < 1333 + 1 / 12)
    flux[struck] += 4.5 * NOISE
    return struck & (time < 1333 + 1 / 16) & (time > 1333 + 1 / 48)


def outliers(time: np.ndarray, flux: np.ndarray) -> np.ndarray:
    places = [300, 700, 701]
    flux[places] -= 0.03
    return np.isin(np.arange(time.size), places)


def ramp(time: np.ndarray, flux: np.ndarray) -> np.ndarray:
    late = time > 1339.5
    flux[late] += 0.04 * np.exp(-(time[late] - 1339.7) / 0.3)
    return late & (time < 1339.9)


def jitter(time: np.ndarray, flux: np.ndarray) -> np.ndarray:
    shaken = (time > 1347) & (time < 1349)
    flux[shaken] -= np.random.default_rng(1).exponential(0.02, shaken.sum())
    return (time > 1347.2) & (time < 1348.8)


def burst(time: np.ndarray, flux: np.ndarray) -> np.ndarray:
    struck = (time > 1343) & (time < 1344)
    flux[struck] += 3 * np.sin(np.pi * (time[struck] - 1343))
    return struck & (time > 1343.1) & (time < 1343.9)


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        (LeftOut.FLARE, flare),
        (LeftOut.FLARE, faint_flare),
        (LeftOut.OUTLIER, outliers),
        (LeftOut.RAMP, ramp),
        (LeftOut.SCATTER, jitter),
        (LeftOut.EXCESS, burst),
    ],
)
@pytest.mark.parametrize("period", [0.9, 5.0])
def test_each_kind_is_found_and_can_be_kept(
    kind: LeftOut, damage: Callable[[np.ndarray, np.ndarray], np.ndarray], period: float
) -> None:
    time, flux = sector(period, 5 * NOISE, 2 * TWO_MINUTES)
    expected = damage(time, flux)
    why = causes(time, flux)
    # The peak of a flare may count as an excess.
    assert np.mean(why[expected] > 0) > 0.9 and np.mean(why[expected] == kind) > 0.5
    assert np.count_nonzero(why) < 2 * expected.sum() + 0.02 * time.size
    kept = causes(time, flux, replace(CONFIG, **dict.fromkeys(RULES.values(), 0.0)))
    assert not kept.any()
    without = causes(time, flux, replace(CONFIG, **{RULES[kind]: 0.0}))
    assert not np.any(without == kind)


def test_nothing_but_flares_is_a_light_curve_all_the_same() -> None:
    time, flux = sector(amplitude=0)
    flux += 0.1 * (np.random.default_rng(2).random(time.size) < 0.4) * np.random.default_rng(3).random(time.size)
    assert np.mean(causes(time, flux) == LeftOut.USED) > 0.5


def test_a_light_curve_that_is_one_ramp_stays() -> None:
    time, flux = sector(amplitude=0)
    flux += np.linspace(0, 1, time.size)
    assert np.mean(causes(time, flux) == LeftOut.USED) > 0.95


@pytest.mark.parametrize("cadence", [0.2, 0.5])
def test_a_coarse_cadence_shows_no_flares(cadence: float) -> None:
    time = np.arange(0, 150, cadence)
    flux = 1 + 0.01 * np.maximum(0, np.sin(2 * np.pi * time / 2.1)) ** 3
    assert not causes(time, flux).any()


def test_segments_are_judged_each_by_itself() -> None:
    time, flux = sector(amplitude=0)
    segment = (time > 1339).astype(np.int16)
    garbage = segment == 1
    flux[garbage] = 1 + 50 * np.random.default_rng(1).random(garbage.sum())
    why = left_out(time, flux, segment, CONFIG)
    assert not why[~garbage].any() and (why[garbage] == LeftOut.USED).any()


def test_what_is_left_out_stays_in_the_store(tmp_path: Path) -> None:
    columns = table_columns(n=400, step=LONG_CADENCE)
    columns["flux"][[50, 120, 121]] *= 1.5
    write_csv(tmp_path / "a.csv", columns)
    _, store = run_ingest(make_recipe(tmp_path), tmp_path / "store")
    row = star_row(store, "a")
    assert row["n_points"] == 397 and row["n_excess"] + row["n_flares"] + row["n_outliers"] == 3
    (curve,) = store.read([row["star_id"]])
    assert curve.time.size == curve.flux.size == curve.segment.size == 397
    np.testing.assert_allclose(curve.removed.time, np.asarray(columns["time"])[[50, 120, 121]])
    assert np.all(curve.removed.flux > 1.3) and np.all(curve.removed.why > 0)
    assert np.median(curve.flux) == pytest.approx(1.0)


@pytest.mark.real
def test_the_dips_of_kic_8462852_stay_in_the_store(real_data: Path, tmp_path: Path) -> None:
    recipe = make_recipe(real_data / "kepler" / "kplr008462852-*.fits")
    _, store = run_ingest(recipe, tmp_path / "store")
    (curve,) = store.read(store.stars["star_id"])
    assert curve.removed.flux.min() < 0.85
    assert curve.removed.time.size < 0.02 * curve.time.size
