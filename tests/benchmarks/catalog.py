"""How fast a large catalog answers: medians of a few repeats in one process, and of fresh processes.

    python tests/benchmarks/catalog.py [STARS]

Beside each figure stands the same question put to Parquet with pandas, in the same run: trust the ratio.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from spotcat.catalog.finalise import finalise
from spotcat.catalog.query import open_catalog
from spotcat.catalog.schema import COLUMNS
from spotcat.catalog.validate import check
from spotcat.catalog.writer import write_part
from spotcat.report.survey_page import report

CHUNK = 50_000
REPEATS = 7
FILTER = "prot.between(5, 10) and flags == 0"
WANTED = ["star_id", "prot", "spot_lifetime", "kappa"]


def make(folder: Path, n_stars: int) -> Path:
    """A catalog of random stars in 116 square degrees, every column filled."""
    rng = np.random.default_rng(1)
    parts = []
    for start in range(0, n_stars, CHUNK):
        number = np.arange(start, min(start + CHUNK, n_stars))
        n = len(number)
        columns: dict[str, np.ndarray] = {}
        for column in COLUMNS:
            if column.dtype in ("f4", "f8"):
                columns[column.name] = rng.lognormal(2, 0.7, n)
        ra, dec = rng.uniform(280, 302, n), rng.uniform(36, 52, n)
        columns |= {"star_id": 3_000_000_000_000 + 7 * number, "ra": ra, "dec": dec}
        columns |= {"name": np.array([f"TIC {7 * one}" for one in number]), "status": np.zeros(n, int)}
        columns |= {"flags": rng.integers(0, 4, n), "rotating": rng.integers(0, 2, n)}
        columns |= {"mission": np.full(n, "TESS"), "input_hash": np.array([f"{one:016x}" for one in number])}
        parts.append(folder / "parts" / f"{start:09d}")
        write_part(parts[-1], columns, {})
    finalise(parts, folder / "catalog.zarr", {"survey": "large"})
    return folder / "catalog.zarr"


def median(action: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median time of an action [s], after one that is not counted."""
    action()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def fresh(*arguments: object) -> float:
    """Median time of a command in a new process [s]."""
    command = [sys.executable, "-m", "spotcat", *map(str, arguments)]
    return median(lambda: subprocess.run(command, check=True, capture_output=True), 5)


def answers(path: Path) -> dict[str, tuple[float, str]]:
    """Times by question, with the time the issue wants."""
    catalog = open_catalog(path)
    number = catalog.column("star_id")[len(catalog) // 2]
    name = str(catalog.column("name")[len(catalog) // 3])
    cone = (291.0, 44.0, 0.5)
    return {
        "filter on two columns, four out": (median(lambda: catalog.query(FILTER, WANTED)), "0.15"),
        "the same, with names": (median(lambda: catalog.query(FILTER, ["name", *WANTED])), ""),
        "star by id, all columns": (median(lambda: catalog.star(int(number))), "0.06"),
        "star by name, all columns": (median(lambda: catalog.star(name)), "0.06"),
        "star by name, four columns": (median(lambda: catalog.star(name, WANTED)), ""),
        "cone, four columns": (median(lambda: catalog.cone(*cone, WANTED)), "0.1"),
        "cone, all columns": (median(lambda: catalog.cone(*cone)), ""),
        "opening": (median(lambda: open_catalog(path)), ""),
        "command, filter and four columns, counted": (fresh("query", path, FILTER, "--count"), "1"),
        "command, a star": (fresh("query", path, "--star", name), "1"),
        "command, help alone": (fresh("query", "--help"), "0.7"),
        "Python, numpy and zarr imported": (
            median(lambda: subprocess.run([sys.executable, "-c", "import numpy, zarr"], check=True), 5),
            "",
        ),
    }


def parquet(path: Path, folder: Path) -> float:
    """The filter by pandas on a Parquet file of the same columns [s]."""
    file = folder / "stars.parquet"
    open_catalog(path).query("", [*WANTED, "flags"]).write(file)

    def ask() -> pd.DataFrame:
        return pd.read_parquet(file, columns=[*WANTED, "flags"]).query("prot >= 5 and prot <= 10 and flags == 0")

    return median(ask)


def main() -> None:
    n_stars = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begin = time.perf_counter()
        path = make(folder, n_stars)
        print(f"{n_stars:,} stars, {len(COLUMNS)} columns, written in {time.perf_counter() - begin:.0f} s")
        begin = time.perf_counter()
        check(path)
        print(f"validated in {time.perf_counter() - begin:.0f} s")
        for words, (seconds, goal) in answers(path).items():
            print(f"{words:45} {1000 * seconds:7.0f} ms{f'   (wanted: {1000 * float(goal):.0f})' if goal else ''}")
        print(f"{'the filter, pandas on Parquet':45} {1000 * parquet(path, folder):7.0f} ms")
        begin = time.perf_counter()
        report(make(folder / "fifty", min(n_stars, 50_000)), folder / "page")
        print(f"{'report of 50,000 stars, catalog made too':45} {time.perf_counter() - begin:7.1f} s   (wanted: 60)")


if __name__ == "__main__":
    main()
