"""A tiny simulated survey and its run, shared by the tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotcat.check.simulate import simulate_survey
from spotcat.config import CleanConfig, FitConfig, InputConfig, Recipe, SimulateConfig, Site, SurveyConfig
from spotcat.run.stages import run_survey

# One mode and equal numbers of steps: most of the time goes into compiling, and so confirm and polish share a program.
_FIT = FitConfig(n_period=48, shears=(0.1,), lifetimes=(3.0, 12.0), confirm_modes=1, confirm_steps=6, polish_steps=6)
_STARS = SimulateConfig(
    n_stars=3, baseline=62.0, period=(3.0, 8.0), kappa=(0.0, 0.1), lspot=(20.0, 40.0), n_spots=(20, 20)
)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of three stars and a table that cannot be fitted."""
    folder = tmp_path_factory.mktemp("report")
    stars = folder / "stars"
    (folder / "short.csv").write_text("time,flux\n0,1\n1,1.1\n2,1.2\n3,1\n")
    recipe = Recipe(
        SurveyConfig("tiny", str(folder / "run"), 8),
        InputConfig((str(stars), str(folder / "short.csv"))),
        CleanConfig(),
        _FIT,
        SimulateConfig(**{**_STARS.__dict__, "folder": str(stars)}),
    )
    simulate_survey(recipe)
    run_survey(recipe, Site(executor="serial"))
    return folder / "run"
