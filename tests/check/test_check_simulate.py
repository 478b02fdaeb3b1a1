"""Simulated surveys: the population asked for, honest truth, nothing that depends on the number of stars."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from astropy.timeseries import LombScargle
from scipy.stats import kstest

from spotcat.check.recovery import read_truth
from spotcat.check.simulate import TRUTH_COLUMNS, simulate_star, simulate_survey, truth_path
from spotcat.check.sources import mean_period
from spotcat.config import InputConfig, Recipe, SimulateConfig, SurveyConfig
from spotcat.ingest.pipeline import ingest
from spotcat.ingest.store import LightCurveStore
from spotcat.star.envelope import TrapezoidSymmetricEnvelope
from spotcat.star.evolution import SpotEvolutionModel
from spotcat.star.lightcurve import LightcurveModel, Spots
from spotcat.star.visibility import VisibilityFunction
from spotcat.status import InputError, Status

POPULATION = SimulateConfig(n_stars=3, n_spots=(20, 20))
"""One number of spots, so that every star uses one compiled program."""


def _recipe(folder: Path, seed: int = 3, **changes: object) -> Recipe:
    config = replace(POPULATION, folder=str(folder), **changes)  # type: ignore[arg-type]
    return Recipe(SurveyConfig("test", str(folder) + "-run", seed), InputConfig((str(folder),)), simulate=config)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_recipe_gives_the_same_bytes_anywhere(tmp_path: Path) -> None:
    first, second = (simulate_survey(_recipe(tmp_path / name)) for name in ("a", "b"))
    assert _contents(first) == _contents(second)
    assert truth_path(first).read_bytes() == truth_path(second).read_bytes()
    other = simulate_survey(_recipe(tmp_path / "c", seed=4))
    assert _contents(first)["sim-00000.ecsv"] != _contents(other)["sim-00000.ecsv"]


def test_a_larger_survey_begins_with_the_stars_of_a_smaller_one(tmp_path: Path) -> None:
    small, large = (simulate_survey(_recipe(tmp_path / str(n), n_stars=n)) for n in (2, 4))
    for name in ("sim-00000.ecsv", "sim-00001.ecsv"):
        assert (small / name).read_bytes() == (large / name).read_bytes()
    lines = [truth_path(folder).read_text().splitlines() for folder in (small, large)]
    assert (len(lines[0]), len(lines[1])) == (3, 5)
    assert lines[0] == lines[1][:3]


def test_the_population_is_the_one_asked_for() -> None:
    config = replace(POPULATION, baseline=20.0, noise=(0.1, 0.5))
    stars = [simulate_star(number, 1, config).truth for number in range(200)]
    drawn = {key: np.array([star[key] for star in stars]) for key in TRUTH_COLUMNS if key not in ("name", "family")}
    for key, bounds in {"kappa": config.kappa, "lspot": config.lspot, "tau_spot": config.tau_spot}.items():
        assert kstest(drawn[key], "uniform", (bounds[0], bounds[1] - bounds[0])).pvalue > 0.01
    assert kstest(drawn["noise"], "uniform", (0.1, 0.4)).pvalue > 0.01
    assert kstest(np.cos(drawn["inc"]), "uniform", (0, 1)).pvalue > 0.01
    low, high = np.log(config.period)
    assert kstest(np.log(drawn["peq"]), "uniform", (low, high - low)).pvalue > 0.01
    seen = np.isfinite(drawn["prot"])
    assert seen.mean() > 0.9
    slowest = drawn["peq"] / (1 - drawn["kappa"])
    # Twenty days hold few rotations: what they show lies about the mean of the spots' periods, within a fifth.
    assert np.all((drawn["prot"] >= drawn["peq"] / 1.2)[seen] & (drawn["prot"] <= 1.2 * slowest)[seen])
    width = drawn["lspot"] + (2 - np.sqrt(2)) * drawn["tau_spot"]
    np.testing.assert_allclose(drawn["spot_lifetime"], width, rtol=1e-6)


def test_noise_and_gaps_are_those_asked_for() -> None:
    config = replace(POPULATION, baseline=1000.0, gaps=0.2, noise=(0.3, 0.3))
    noisy, silent = (simulate_star(7, 1, replace(config, noise=noise)) for noise in (config.noise, (0.0, 0.0)))
    n = 2000
    assert noisy.time.size == n - 400
    assert (noisy.time[0], noisy.time[-1]) == (0.0, (n - 1) * config.cadence)
    steps = np.diff(noisy.time) / config.cadence
    assert steps.max() >= 201
    assert np.count_nonzero(steps > 1) > 100
    np.testing.assert_array_equal(noisy.time, silent.time)
    noise = noisy.flux - silent.flux
    assert noise.std() == pytest.approx(0.3 * silent.flux.std(), rel=0.05)
    assert noise.std() == pytest.approx(noisy.flux_err[0], rel=0.05)
    assert np.all(noisy.flux_err == noisy.flux_err[0]) and not silent.flux_err.any()


def test_the_scatter_is_of_the_order_of_one_per_cent() -> None:
    scatter = [simulate_star(number, 2, replace(POPULATION, noise=(0.0, 0.0))).flux.std() for number in range(40)]
    assert 0.003 < np.median(scatter) < 0.02


@pytest.mark.parametrize("gaps", [0.0, 0.999])
def test_extreme_gaps_leave_both_ends(gaps: float) -> None:
    star = simulate_star(0, 1, replace(POPULATION, gaps=gaps))
    assert star.time.size == (300 if gaps == 0 else 2)
    assert (star.time[0], star.time[-1]) == (0.0, 149.5)


def _model(spots: Spots, kappa: float = 0.3) -> LightcurveModel:
    model = SpotEvolutionModel(TrapezoidSymmetricEnvelope(10.0, 5.0), VisibilityFunction(8.0, kappa, 1.2), sigma_k=0.01)
    return LightcurveModel(model, spots, np.arange(0, 100, 0.5), 0.01)


def test_the_mean_period_is_that_of_the_spots_that_were_there() -> None:
    period = lambda phi: 8.0 / (1 - 0.3 * np.sin(phi) ** 2)  # noqa: E731
    spots = Spots(np.array([0.3, 1.0]), np.zeros(2), np.array([30.0, 80.0]))
    star = _model(spots)
    assert mean_period(star, star.t[star.t < 60]) == pytest.approx(period(0.3), rel=1e-6)
    assert mean_period(star, star.t[star.t > 60]) == pytest.approx(period(1.0), rel=1e-6)
    turn = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    seen = [np.maximum(0, np.cos(1.2) * np.sin(phi) + np.sin(1.2) * np.cos(phi) * np.cos(turn)) for phi in (0.3, 1.0)]
    weights = np.array([np.mean(v * np.cos(turn)) for v in seen]) ** 2
    mean_rate = weights @ (1 / period(np.array([0.3, 1.0]))) / weights.sum()
    assert mean_period(star, star.t) == pytest.approx(1 / mean_rate, rel=1e-4)
    assert np.isnan(mean_period(star, np.array([500.0])))
    hidden = _model(Spots(np.array([0.3, -1.5]), np.zeros(2), np.array([30.0, 80.0])))
    assert mean_period(hidden, hidden.t) == pytest.approx(period(0.3), rel=1e-6)
    rigid = _model(spots, kappa=0.0)
    assert mean_period(rigid, rigid.t) == pytest.approx(8.0, rel=1e-6)


def test_light_curves_show_their_true_period() -> None:
    config = SimulateConfig(
        baseline=100.0, period=(3.0, 8.0), kappa=(0.3, 0.3), lspot=(200.0, 200.0), n_spots=(1, 1), noise=(0.0, 0.0)
    )
    errors = []
    for number in range(30):
        star = simulate_star(number, 5, config)
        if star.truth["inc"] > 0.8 and star.flux.std() > 1e-4:
            frequency = np.linspace(0.05, 0.6, 2000)
            power = LombScargle(star.time, star.flux).power(frequency)
            errors.append(frequency[np.argmax(power)] * star.truth["prot"] - 1)
    assert len(errors) > 8
    assert np.median(np.abs(errors)) < 0.01


def test_ingest_reads_what_was_written(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "stars")
    folder = simulate_survey(recipe)
    ingest(recipe, tmp_path / "store.zarr", print)
    store = LightCurveStore(tmp_path / "store.zarr")
    assert sorted(store.stars["name"]) == read_truth(truth_path(folder))["name"].tolist()
    assert np.all(store.stars["status"] == Status.OK)
    for light_curve in store.read(store.stars["star_id"]):
        table = Table.read(folder / f"{light_curve.name}.ecsv")
        assert table["time"].unit == "d"
        level = np.median(table["flux"])
        np.testing.assert_array_equal(light_curve.time, table["time"])
        np.testing.assert_allclose(light_curve.flux, table["flux"] / level, rtol=1e-15)
        np.testing.assert_allclose(light_curve.flux_err, table["flux_err"] / level, rtol=1e-15)


def test_a_finished_survey_is_kept(tmp_path: Path) -> None:
    folder = simulate_survey(_recipe(tmp_path / "stars"))
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    assert simulate_survey(_recipe(tmp_path / "stars")) == folder
    assert {path.stat().st_mtime for path in folder.iterdir()} == {1.0}


def test_a_survey_that_was_interrupted_is_made_again(tmp_path: Path) -> None:
    whole = simulate_survey(_recipe(tmp_path / "whole"))
    partial = tmp_path / "stars.partial"
    partial.mkdir()
    (partial / "sim-99999.ecsv").write_text("half a star")
    truth_path(tmp_path / "stars").write_text("half a truth")
    assert _contents(simulate_survey(_recipe(tmp_path / "stars"))) == _contents(whole)
    assert truth_path(tmp_path / "stars").read_bytes() == truth_path(whole).read_bytes()
    assert not partial.exists()


@pytest.mark.parametrize("change", [{"seed": 4}, {"n_stars": 4}, {"gaps": 0.1}, {"noise": (0.2, 0.3)}])
def test_another_survey_in_the_folder_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    folder = simulate_survey(_recipe(tmp_path / "stars"))
    before = _contents(folder)
    with pytest.raises(InputError, match=r"stars: holds something else.*simulate\.folder"):
        simulate_survey(_recipe(tmp_path / "stars", **change))  # type: ignore[arg-type]
    assert _contents(folder) == before


def test_a_folder_without_its_truth_is_refused(tmp_path: Path) -> None:
    folder = simulate_survey(_recipe(tmp_path / "stars"))
    truth_path(folder).unlink()
    with pytest.raises(InputError, match="holds something else"):
        simulate_survey(_recipe(tmp_path / "stars"))


@pytest.mark.parametrize("change", [{"folder": ""}, {"n_stars": 0}])
def test_a_recipe_that_asks_for_nothing_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    recipe = _recipe(tmp_path / "stars")
    recipe = replace(recipe, simulate=replace(recipe.simulate, **change))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="asks for nothing"):
        simulate_survey(recipe)
