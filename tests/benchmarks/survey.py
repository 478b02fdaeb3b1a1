"""A whole survey of small light curves on this machine: what is spent outside the fits, and what a second worker adds.

    python tests/benchmarks/survey.py [STARS] [COMPARED]

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
from time import monotonic

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "fit"))
from fit_samples import simulate

POINTS, STEP = 128, 0.5
RECIPE = """[survey]
name = "small"
output = "{output}"
seed = 1
[input]
files = ["{files}"]
[fit]
batch = 64
"""


def main() -> None:
    given = [int(argument) for argument in sys.argv[1:3]]
    n_stars, n_compared = (*given, *(20_000, 1_000)[len(given) :])
    with tempfile.TemporaryDirectory(prefix="spotcat-survey-") as folder:
        root = Path(folder)
        started = monotonic()
        write_stars(root / "stars", n_stars)
        print(f"{n_stars} tables written in {monotonic() - started:.0f} s", flush=True)
        report = run(root, "whole", "stars/*.csv", 2)
        spent = report["seconds"]
        size = f"{report['files']} files, {report['disk'] >> 20} MiB"
        print(f"{report['stars']} stars, {report['chunks']} chunks, {size}")
        print(f"ingest {spent['ingest']:.0f} s, fit {spent['fit']:.0f} s, finalise {spent['finalise']:.0f} s")
        print(f"outside the fits: {100 * (1 - report['utilisation']):.1f} % of the workers' time in the fit stage")
        forecast, work = report["forecast"]["worker_seconds"], report["worker_seconds"]
        print(f"forecast {forecast:.0f} s of work, measured {work:.0f} s, compilation included")
        print(f"largest process, workers and driver with the scheduler: {largest_child()} MiB")
        print("memory of workers by tenths of the run [MiB]:", *memory_by_tenths(root / "whole"), flush=True)
        some = root / "some"
        some.mkdir()
        for file in sorted((root / "stars").iterdir())[:n_compared]:
            (some / file.name).symlink_to(file)
        walls = {1: run(root, "by1", "some/*.csv", 1)}
        walls[2] = report if n_compared >= n_stars else run(root, "by2", "some/*.csv", 2)
        rates = {n: w["stars"] / w["seconds"]["fit"] for n, w in walls.items()}
        print(f"{n_compared} stars: one worker {rates[1]:.1f}/s, two {rates[2]:.1f}/s, {rates[2] / rates[1]:.2f}x")


def write_stars(folder: Path, n_stars: int) -> None:
    """Simulated stars as plain tables."""
    folder.mkdir()
    rng = np.random.default_rng(64)
    for i in range(n_stars):
        star = simulate(rng, m=POINTS, dt=STEP, periods=(2.0, 15.0))
        rows = np.stack([star.time, star.flux, star.flux_err], axis=1)
        np.savetxt(folder / f"star-{i:06d}.csv", rows, "%.10g", ",", header="time,flux,flux_err", comments="")


def run(root: Path, name: str, files: str, workers: int) -> dict:
    """Run a survey to its end and return its report."""
    recipe, site = root / f"{name}.toml", root / f"{name}-site.toml"
    recipe.write_text(RECIPE.format(output=root / name, files=root / files))
    site.write_text(f'executor = "local"\nworkers = {workers}\n')
    command = [sys.executable, "-m", "spotcat", "run", str(recipe), "--site", str(site)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads((root / name / "report.json").read_text())


def memory_by_tenths(run_folder: Path) -> list[int]:
    """Largest memory of any worker in each tenth of the chunks, in the order they were done."""
    lines = [line for path in sorted((run_folder / "events").glob("*.jsonl")) for line in path.read_text().splitlines()]
    done = [event["memory"] for event in map(json.loads, lines) if event["event"] == "chunk done"]
    return [max(part) for part in np.array_split(done, min(10, len(done)))]


def largest_child() -> int:
    """Peak memory of the largest process that this one has waited for [MiB]."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


if __name__ == "__main__":
    main()
