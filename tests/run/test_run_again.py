"""Chosen stars fitted again with another sampler, beside their survey."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from run_surveys import content, spotcat, write_recipe

from spotcat.catalog.query import open_catalog
from spotcat.config import Site, load_recipe
from spotcat.run.again import fit_again
from spotcat.run.stages import ingest_stage, run_survey
from spotcat.status import InputError


@pytest.mark.slow
def test_chosen_stars_are_sampled_beside_their_survey(undisturbed: Path, tmp_path: Path) -> None:
    run, recipe = tmp_path / "run", tmp_path / "recipe.toml"
    shutil.copytree(undisturbed, run)
    text = (run / "recipe.toml").read_text()
    recipe.write_text(text.replace(f'output = "{undisturbed}"', f'output = "{run}"'))
    survey = content(run / "catalog.zarr")
    done = spotcat("fit", recipe, "--stars", "star03, star01")
    assert done.returncode == 0, done.stderr
    assert f"{run / 'importance' / 'catalog.zarr'}: 2 stars" in done.stdout
    again, fast = open_catalog(run / "importance" / "catalog.zarr"), open_catalog(run / "catalog.zarr")
    assert sorted(again.column("name").tolist()) == ["star01", "star03"]
    assert np.isfinite(again.column("n_eff")).all()
    for name in ("star01", "star03"):
        np.testing.assert_allclose(again.star(name).column("prot"), fast.star(name).column("prot"), rtol=1e-6)
    assert spotcat("validate", run / "importance" / "catalog.zarr").returncode == 0
    assert content(run / "catalog.zarr") == survey

    other = spotcat("fit", recipe, "--stars", "star02")
    assert other.returncode == 2
    assert "fit.stars" in other.stderr
    shutil.rmtree(run / "importance")
    assert (run / "lightcurves.zarr").is_dir()
    unknown = spotcat("fit", recipe, "--stars", "star1")
    assert unknown.returncode == 2
    assert "fit.stars: no star 'star1' in the survey; did you mean 'star0" in unknown.stderr
    assert not (run / "importance").exists()
    alone = spotcat("fit", recipe, "--sampler", "nuts")
    assert alone.returncode == 2
    assert "--sampler needs --stars" in alone.stderr


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("[clean]\nflare_sigma = 7.0\n", "clean.flare_sigma 5.0 -> 7.0"),
        ("[clean]\nquality = 'hard'\ngap = 5.0\n", "clean.quality 'default' -> 'hard', clean.gap 30.0 -> 5.0"),
        ("[fit]\nmin_points = 99\n", "fit.min_points 50 -> 99"),
        ("author = 'QLP'\n", "input.author '' -> 'QLP'"),
    ],
)
def test_settings_that_the_store_was_not_made_with_are_refused(
    tmp_path: Path, stars: Path, section: str, words: str
) -> None:
    recipe = write_recipe(tmp_path / "a.toml", stars, tmp_path / "run", "")
    ingest_stage(load_recipe(recipe))
    recipe.write_text(recipe.read_text() + section)
    with pytest.raises(InputError, match=rf"ingested with other settings \({re.escape(words)}\); fit with those, or"):
        fit_again(load_recipe(recipe), Site("serial"), "importance", ("star01",))
    assert not (tmp_path / "run" / "importance").exists()
    with pytest.raises(InputError, match=re.escape(f"another recipe ({words})")):
        run_survey(load_recipe(recipe), Site("serial"))
