"""Periods recovered on simulated stars, beside Lomb-Scargle and autocorrelation.

    python tests/benchmarks/recovery.py [STARS] [--smallest]

The population, of which 200 are drawn unless said otherwise, is that of the default recipe: 150 d at 0.5 d, P 2-30 d
log-uniform, shear 0-0.3, isotropic inclination, plateau 5-40 d, rise and decay 2-20 d, noise 30 % of the scatter,
5 % gaps.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import harness

from spotcat import open_catalog
from spotcat.check.recovery import compare, read_truth
from spotcat.check.simulate import simulate_survey, truth_path
from spotcat.config import InputConfig, Recipe, SimulateConfig, Site, SurveyConfig
from spotcat.run.stages import run_survey


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("stars", type=int, nargs="?", default=harness.size(200, 2))
    n_stars = parser.parse_args().stars
    harness.heading()
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder)
        recipe = Recipe(
            SurveyConfig("recovery", str(where / "run"), seed=1),
            InputConfig(files=(str(where / "stars" / "*.ecsv"),)),
            fit=harness.fit_config(),
            simulate=SimulateConfig(folder=str(where / "stars"), n_stars=n_stars, baseline=harness.size(150.0, 64.0)),
        )
        simulate_survey(recipe)
        start = time.perf_counter()
        run_survey(recipe, Site(workers=harness.size(0, 1)))
        seconds = time.perf_counter() - start
        truth = read_truth(truth_path(where / "stars"))
        found = compare(open_catalog(where / "run" / "catalog.zarr"), truth)
    harness.head("method", "stars", "within 10 % of the equatorial or photometric period", "half", "double")
    for method, row in found.items():
        harness.row(method, row.n_stars, f"{row.within:.0%}", f"{row.half:.0%}", f"{row.double:.0%}")
    print(f"\n{seconds:.0f} s, {seconds / n_stars:.2f} s a star, compilation included.")


if __name__ == "__main__":
    main()
