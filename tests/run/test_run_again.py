"""Chosen stars fitted again with another sampler, beside their survey."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from run_surveys import content, spotcat

from spotcat.catalog.query import open_catalog


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
