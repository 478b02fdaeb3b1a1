"""A whole survey of small light curves on this machine: what is spent outside the fits, and what a second worker adds.

    python tests/benchmarks/survey.py [STARS] [COMPARED] [--smallest]

Simulated stars of 128 points (64 d at half a day), 20,000 unless said otherwise, as plain tables, fitted by two local
workers; then some of them (1,000) by one worker and by two, or all of them by one.  Prints what the run reports say.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np
from fit_samples import simulate

POINTS, STEP = 128, 0.5
RECIPE = """[survey]
name = "small"
output = "{output}"
seed = 1
[input]
files = ["{files}"]
{fit}"""
FIT = harness.fit_toml(**harness.size({}, harness.SMALLEST_FIT))


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("stars", type=int, nargs="?", default=harness.size(20_000, 4))
    parser.add_argument("compared", type=int, nargs="?", default=harness.size(1_000, 4))
    chosen = parser.parse_args()
    harness.heading()
    with tempfile.TemporaryDirectory(prefix="spotcat-survey-") as folder:
        root = Path(folder)
        write_stars(root / "stars", chosen.stars)
        report = run(root, "whole", "stars/*.csv", 2)
        memory = harness.peak_memory(resource.RUSAGE_CHILDREN)
        rates = compare(root, chosen.compared, report)
        harness.head("what", "measured")
        for what, figure in described(report).items():
            harness.row(what, figure)
        harness.row("workers by tenths of the run [MiB]", ", ".join(map(str, memory_by_tenths(root / "whole"))))
        harness.row("largest process, workers and driver with the scheduler [MiB]", f"{memory:.0f}")
        harness.row(f"one worker, {min(chosen.compared, chosen.stars):,} stars [stars/s]", f"{rates[1]:.1f}")
        harness.row("two workers, the same stars [stars/s]", f"{rates[2]:.1f}")
        harness.row("two over one", f"{rates[2] / rates[1]:.2f}")


def described(report: dict[str, Any]) -> dict[str, str]:
    """What the report of the whole survey says."""
    spent, work = report["seconds"], report["worker_seconds"]
    return {
        "stars, chunks, files": f"{report['stars']}, {report['chunks']}, {report['files']}",
        "disk [MiB]": str(report["disk"] >> 20),
        "ingest, fit, finalise [s]": ", ".join(f"{spent[stage]:.0f}" for stage in ("ingest", "fit", "finalise")),
        "of the two workers' time in the fit stage outside the fits": f"{1 - report['utilisation']:.1%}",
        "forecast of the work [s]": f"{report['forecast']['worker_seconds']:.0f}",
        "the work, compilation included [s]": f"{work:.0f}",
    }


def compare(root: Path, n_stars: int, whole: dict[str, Any]) -> dict[int, float]:
    """Stars a second of the fit stage by the number of workers, on the first stars or on all of them."""
    some = root / "some"
    some.mkdir()
    for file in sorted((root / "stars").iterdir())[:n_stars]:
        (some / file.name).symlink_to(file)
    reports = {1: run(root, "by1", "some/*.csv", 1)}
    reports[2] = whole if n_stars >= whole["stars"] else run(root, "by2", "some/*.csv", 2)
    return {workers: report["stars"] / report["seconds"]["fit"] for workers, report in reports.items()}


def write_stars(folder: Path, n_stars: int) -> None:
    """Simulated stars as plain tables."""
    folder.mkdir()
    rng = np.random.default_rng(64)
    for i in range(n_stars):
        star = simulate(rng, m=POINTS, dt=STEP, periods=(2.0, 15.0))
        rows = np.stack([star.time, star.flux, star.flux_err], axis=1)
        np.savetxt(folder / f"star-{i:06d}.csv", rows, "%.10g", ",", header="time,flux,flux_err", comments="")


def run(root: Path, name: str, files: str, workers: int) -> dict[str, Any]:
    """Run a survey to its end and return its report."""
    recipe, site = root / f"{name}.toml", root / f"{name}-site.toml"
    recipe.write_text(RECIPE.format(output=root / name, files=root / files, fit=FIT))
    site.write_text(f'executor = "local"\nworkers = {workers}\n')
    command = [sys.executable, "-m", "spotcat", "run", str(recipe), "--site", str(site)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((root / name / "report.json").read_text())


def memory_by_tenths(run_folder: Path) -> list[int]:
    """Largest memory of any worker in each tenth of the chunks, in the order they were done."""
    lines = [line for path in sorted((run_folder / "events").glob("*.jsonl")) for line in path.read_text().splitlines()]
    done = [event["memory"] for event in map(json.loads, lines) if event["event"] == "chunk done"]
    return [max(part) for part in np.array_split(done, min(10, len(done)))]


if __name__ == "__main__":
    main()
