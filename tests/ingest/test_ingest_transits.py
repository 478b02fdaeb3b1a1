"""Transits left out where a recipe gives their ephemeris, and the counts of all that is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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

from spotcat.catalog.query import open_catalog
from spotcat.config import CleanConfig, FitConfig, InputConfig, Recipe, Site, SurveyConfig
from spotcat.ingest.clean import RawCurve
from spotcat.ingest.transits import Transit, drop_transits, read_ephemerides
from spotcat.run.stages import run_survey
from spotcat.status import InputError


def with_clean(recipe: Recipe, **values: Any) -> Recipe:
    return replace(recipe, clean=replace(recipe.clean, **values))


def test_transits_are_left_out_and_counted(tmp_path: Path) -> None:
    write_kepler(tmp_path, 5, quarter=5)
    write_kepler(tmp_path, 6, quarter=5)
    table = tmp_path / "planets.txt"
    # Mid-transit at BKJD 500.5, once as days of Kepler and once as a full Julian date.
    table.write_text("star, period, epoch, duration\nKIC 5, 1.0, 500.5, 6\nkic 6, 1.5, 2455333.5, 3\n")
    _, store = run_ingest(with_clean(make_recipe(tmp_path), ephemerides=str(table)), tmp_path / "store")
    for name, period, hours in (("KIC 5", 1.0, 6.0), ("KIC 6", 1.5, 3.0)):
        row = star_row(store, name)
        (curve,) = store.read([row["star_id"]])
        assert row["n_points"] == 200 - row["n_in_transit"] < 200
        phase = (curve.time - 500.5 + period / 2) % period - period / 2
        assert np.all(np.abs(phase) > hours / 48)
        assert row["n_in_transit"] == pytest.approx(200 * hours / 24 / period, abs=10)


def test_transits_of_a_curve_without_errors() -> None:
    raw = RawCurve(np.arange(100.0), np.ones(100), None, np.zeros(100, dtype=np.int32), None)
    kept, count = drop_transits(raw, [Transit(10.0, 3.0, 0.5)], 0.0)
    assert count == 10 and kept.flux_err is None and not np.any(kept.time % 10 == 3)
    assert drop_transits(raw, [], 0.0) == (raw, 0)


@pytest.mark.parametrize(
    "text",
    [
        "star,period\nKIC 5,1\n",
        "star,period,epoch,duration\nKIC 5,-1,0,3\n",
        "star,period,epoch,duration\nKIC 5,a,0,3\n",
    ],
)
def test_a_wrong_ephemeris_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "e.csv").write_text(text)
    with pytest.raises(InputError, match=r"e\.csv, line 2: an ephemeris has star,period,epoch,duration"):
        read_ephemerides(str(tmp_path / "e.csv"))
    with pytest.raises(InputError, match="cannot be read"):
        read_ephemerides(str(tmp_path / "none.csv"))


def test_another_ephemeris_is_other_input(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", table_columns())
    table = tmp_path / "planets.txt"
    table.write_text("star,period,epoch,duration\na,7,3,48\n")
    recipe = with_clean(make_recipe(tmp_path), ephemerides=str(table))
    _, store = run_ingest(recipe, tmp_path / "store")
    assert star_row(store, "a")["n_in_transit"] > 0
    assert run_ingest(recipe, tmp_path / "store")[0].kept
    table.write_text("star,period,epoch,duration\na,7,4,48\n")
    with pytest.raises(InputError, match="cleaned otherwise"):
        run_ingest(recipe, tmp_path / "store")


def test_the_orbits_of_a_sector_are_segments_if_asked_for(tmp_path: Path) -> None:
    columns = signal(n=400, start=1600, step=TWO_MINUTES)
    columns["time"][200:] += 1.0
    columns["quality"][7] = 1
    write_official(tmp_path / "x.fits", "TESS", 77, 12, columns)
    write_kepler(tmp_path, 5)
    for orbits in (False, True):
        _, store = run_ingest(with_clean(make_recipe(tmp_path), orbits=orbits), tmp_path / f"store{orbits}")
        row = star_row(store, "TIC 77")
        assert (row["n_segments"], row["n_masked"]) == (1 + orbits, 1)
        assert star_row(store, "KIC 5")["n_segments"] == 1
        (curve,) = store.read([row["star_id"]])
        np.testing.assert_array_equal(np.unique(curve.segment), range(1 + orbits))


def test_the_counts_reach_the_catalog(tmp_path: Path) -> None:
    columns = signal(n=300)
    columns["quality"][:7] = 8
    columns["flux"][[50, 120, 121]] *= 1.5
    write_official(tmp_path / "kplr000000005-2010174085026_llc.fits", "Kepler", 5, 5, columns)
    (tmp_path / "planets.csv").write_text("star,period,epoch,duration\nKIC 5,100,504.0,2.0\n")
    recipe = Recipe(
        SurveyConfig("few", str(tmp_path / "run"), 1),
        InputConfig((f"{tmp_path}/*.fits",)),
        CleanConfig(excess_sigma=0.0, flare_sigma=40.0, ephemerides=str(tmp_path / "planets.csv")),
        FitConfig(min_points=1000),
    )
    catalog = open_catalog(run_survey(recipe, Site(executor="serial")).path)
    counts = {name: int(catalog.column(name)[0]) for name in ("n_points", "n_masked", "n_flares", "n_in_transit")}
    assert counts == {"n_points": 286, "n_masked": 7, "n_flares": 3, "n_in_transit": 4}
