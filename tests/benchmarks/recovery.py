"""Periods recovered on 200 simulated stars, beside Lomb-Scargle and autocorrelation: ``make bench``.

The population is that of the default recipe: 150 d at 0.5 d, P 2-30 d log-uniform, shear 0-0.3, isotropic inclination,
plateau 5-40 d, rise and decay 2-20 d, noise 30 % of the scatter, 5 % gaps.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from spotcat import open_catalog
from spotcat.check.recovery import compare, read_truth, recovery_table
from spotcat.check.simulate import simulate_survey, truth_path
from spotcat.config import InputConfig, Recipe, SimulateConfig, Site, SurveyConfig
from spotcat.run.stages import run_survey

N_STARS = 200


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        recipe = Recipe(
            SurveyConfig("recovery", str(where / "run"), seed=1),
            InputConfig(files=(str(where / "stars" / "*.ecsv"),)),
            simulate=SimulateConfig(folder=str(where / "stars"), n_stars=N_STARS),
        )
        simulate_survey(recipe)
        start = time.perf_counter()
        run_survey(recipe, Site())
        seconds = time.perf_counter() - start
        truth = read_truth(truth_path(where / "stars"))
        print(recovery_table(compare(open_catalog(where / "run" / "catalog.zarr"), truth)))
        print(f"{seconds:.0f} s, {seconds / N_STARS:.2f} s a star, compilation included")


if __name__ == "__main__":
    sys.exit(main())
