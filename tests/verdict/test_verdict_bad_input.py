"""Bad light curves through the whole pipeline: a clear row each, and a neighbour that they do not harm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.table import Table

from spotcat.catalog.query import open_catalog
from spotcat.cli import main
from spotcat.config import FitConfig, InputConfig, Recipe, Site, SurveyConfig
from spotcat.run.stages import run_survey
from spotcat.status import Flag, LeftOut, LifetimeFlag, ParameterFlag, Status
from spotcat.verdict.calibration import shipped

PERIOD = 6.3
TIME = np.arange(0, 54, 1 / 12)
SEGMENT = (TIME > 27).astype(int)
FIT = FitConfig(
    p_min=2.0, n_period=64, shears=(0.0,), lifetimes=(3.0, 12.0),
    refine_steps=20, confirm_modes=2, confirm_steps=8, polish_steps=8,
)  # fmt: skip


def healthy(rng: np.random.Generator) -> np.ndarray:
    phase = 2 * np.pi * TIME / PERIOD
    return 1 + 0.01 * np.sin(phase) + 0.004 * np.sin(2 * phase + 1) + 0.001 * rng.normal(size=TIME.size)


def flares(rng: np.random.Generator) -> np.ndarray:
    """Nothing but flares, one decaying into the next."""
    flux = 1 + 0.001 * rng.normal(size=TIME.size)
    for begin in np.sort(rng.uniform(0, 54, 120)):
        flux += rng.exponential(0.05) * np.where(begin <= TIME, np.exp(-(TIME - begin) / 0.4), 0)
    return flux


def ramp(rng: np.random.Generator) -> np.ndarray:
    return 1 + 0.3 * TIME / TIME[-1] + 0.0005 * rng.normal(size=TIME.size)


def half_garbage(rng: np.random.Generator) -> np.ndarray:
    """A healthy segment, and one that scatters thirty times more than it varies."""
    return np.where(SEGMENT == 1, 1 + 0.3 * rng.standard_cauchy(TIME.size).clip(-3, 3), healthy(rng))


def surveyed(folder: Path, stars: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """The rows of a survey of some stars, by name."""
    (folder / "stars").mkdir(parents=True)
    for name, flux in stars.items():
        columns = {"time": TIME * units.day, "flux": flux, "flux_err": np.full(TIME.size, 0.001), "segment": SEGMENT}
        Table(columns).write(folder / "stars" / f"{name}.ecsv")
    recipe = Recipe(
        SurveyConfig("bad", str(folder / "run"), 1), InputConfig(files=(str(folder / "stars" / "*.ecsv"),)), fit=FIT
    )
    catalog = open_catalog(run_survey(recipe, Site("serial")).path)
    names = [str(name) for name in catalog["name"].values]
    return {name: {key: catalog[key].values[i] for key in catalog.columns} for i, name in enumerate(names)}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    rng = np.random.default_rng(11)
    stars = {make.__name__: make(rng) for make in (healthy, flares, ramp, half_garbage)}
    folder = tmp_path_factory.mktemp("bad")
    # As many stars as in the other survey: programs for another number of them round otherwise.
    sound = {"healthy": stars["healthy"]} | {f"sound {i}": healthy(rng) for i in range(3)}
    return surveyed(folder / "together", stars) | {"among its like": surveyed(folder / "sound", sound)["healthy"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flares", "ramp", "half_garbage"])
def test_a_bad_light_curve_is_a_row_that_says_that_nothing_rotates(rows: dict[str, dict[str, Any]], name: str) -> None:
    row = rows[name]
    assert (row["status"], row["reason"], row["rotating"]) == (Status.OK, "", 0)
    assert row["flags"] & Flag.NOT_DETECTED
    assert row["lifetime_flag"] == LifetimeFlag.NOT_DETECTED
    assert row["kappa_flag"] == row["inc_flag"] == ParameterFlag.NOT_DETECTED
    assert row["baseline"] == pytest.approx(TIME[-1] - TIME[0], abs=1)
    for key in ("prot", "prot_lower", "prot_upper", "reliability", "false_alarm", "amplitude_limit"):
        assert np.isfinite(row[key]), key


@pytest.mark.slow
def test_flares_are_counted_and_the_ramp_is_kept_but_no_variability(rows: dict[str, dict[str, Any]]) -> None:
    flares, ramp = rows["flares"], rows["ramp"]
    left_out = {kind.column: int(flares[kind.column]) for kind in LeftOut if kind}
    assert left_out["n_flares"] > 0.05 * TIME.size
    assert flares["n_points"] == TIME.size - sum(left_out.values())
    assert ramp["n_points"] == TIME.size
    # A light curve that is one line has no variability but its noise.
    assert ramp["rvar"] < 0.01  # of a rise of 0.3


@pytest.mark.slow
def test_a_healthy_neighbour_has_the_bits_that_it_has_among_its_like(rows: dict[str, dict[str, Any]]) -> None:
    healthy, usual = rows["healthy"], rows["among its like"]
    assert healthy["rotating"] == 1
    assert healthy["prot"] == pytest.approx(PERIOD, rel=0.02)
    # The calibration was learnt with other settings than those of this quick fit; nothing else is to be said.
    assert healthy["flags"] == Flag.UNCALIBRATED
    assert healthy.keys() == usual.keys()
    for key, value in healthy.items():
        np.testing.assert_array_equal(value, usual[key], err_msg=key)


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"spotcat": "0.0.9"}, "learnt with spotcat 0.0.9, this is "),
        ({"fit": {**shipped().fit, "p_max": 45.0}}, "learnt with p_max = 45.0 instead of 100.0; learn it again"),
    ],
)
def test_a_run_with_another_calibration_ends_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoilt: dict[str, Any], said: str
) -> None:
    table, recipe = tmp_path / "table.json", tmp_path / "recipe.toml"
    table.write_text(replace(shipped(), **spoilt).to_json())
    recipe.write_text(
        f'[survey]\nname = "a"\noutput = "{tmp_path}/run"\nseed = 1\n[input]\nfiles = ["*.ecsv"]\n'
        f'[fit]\ncalibration = "{table}"\n'
    )
    assert main(["run", str(recipe)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"fit.calibration: {table}: {said}" in line
    assert not (tmp_path / "run").exists()
