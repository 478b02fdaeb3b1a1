"""How fast a large catalog answers: medians of a few repeats in one process, and of fresh processes.

    python tests/benchmarks/catalog.py [STARS] [--smallest]

Prints a Markdown table.  Beside a question stands the same one put to Parquet with pandas, beside a command a process
that only imports what the command needs, in the same run: trust the ratio.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import harness
import numpy as np
import pandas as pd

from spotcat.catalog.finalise import finalise
from spotcat.catalog.query import open_catalog
from spotcat.catalog.schema import COLUMNS
from spotcat.catalog.validate import check
from spotcat.catalog.writer import write_part
from spotcat.report.survey_page import report

CHUNK = 50_000
REPEATS, FRESH_REPEATS = 7, 5
FILTER = "prot.between(5, 10) and flags == 0"
PANDAS_FILTER = "prot >= 5 and prot <= 10 and flags == 0"
WANTED = ["star_id", "prot", "spot_lifetime", "kappa"]
CONE = (291.0, 44.0, 0.5)


class Question(NamedTuple):
    """What is asked, of spotcat and of another, and the time that it may take [ms]."""

    words: str
    ours: Callable[[], object]
    other: Callable[[], object] | None = None
    goal: str = ""
    repeats: int = REPEATS


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


def parquet_cone(file: Path) -> pd.DataFrame:
    """The cone by its box, then by the angle."""
    ra, dec, radius = CONE
    wide = radius / np.cos(np.radians(dec + radius))
    box = [("ra", ">", ra - wide), ("ra", "<", ra + wide), ("dec", ">", dec - radius), ("dec", "<", dec + radius)]
    found = pd.read_parquet(file, columns=[*WANTED, "ra", "dec"], filters=box)
    phi, theta = np.radians(found.dec), np.radians(dec)
    half = np.sin((phi - theta) / 2) ** 2 + np.cos(phi) * np.cos(theta) * np.sin(np.radians(found.ra - ra) / 2) ** 2
    return found[2 * np.arcsin(np.sqrt(half)) <= np.radians(radius)]


def questions(path: Path, file: Path) -> list[Question]:
    """Questions to a catalog in this process, and to a Parquet file of the same stars and columns."""
    catalog = open_catalog(path)
    number = int(catalog.column("star_id")[len(catalog) // 2])
    name = str(catalog.column("name")[len(catalog) // 3])

    def filtered(*more: str) -> pd.DataFrame:
        return pd.read_parquet(file, columns=[*WANTED, "flags", *more]).query(PANDAS_FILTER)

    def star(column: str, value: object, wanted: list[str] | None = None) -> pd.DataFrame:
        return pd.read_parquet(file, columns=wanted, filters=[(column, "==", value)])

    return [
        Question("filter on two columns, four out", lambda: catalog.query(FILTER, WANTED), filtered, "150"),
        Question("the same, with names", lambda: catalog.query(FILTER, ["name", *WANTED]), lambda: filtered("name")),
        Question("star by id, all columns", lambda: catalog.star(number), lambda: star("star_id", number), "60"),
        Question("star by name, all columns", lambda: catalog.star(name), lambda: star("name", name), "60"),
        Question("star by name, four columns", lambda: catalog.star(name, WANTED), lambda: star("name", name, WANTED)),
        Question(
            "cone of 0.5 deg, four columns", lambda: catalog.cone(*CONE, WANTED), lambda: parquet_cone(file), "100"
        ),
        Question("the same, all columns", lambda: catalog.cone(*CONE)),
        Question("opening", lambda: open_catalog(path)),
    ]


def commands(path: Path) -> list[Question]:
    """Questions by the command, each in a process of its own, beside one that only imports."""

    def fresh(*words: object) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *map(str, words)], check=True, capture_output=True)

    name = str(open_catalog(path).column("name")[0])
    query, imports, python = ("-m", "spotcat", "query"), fresh("-c", "import numpy, zarr"), fresh("-c", "")
    return [
        Question("command, filter, counted", fresh(*query, path, FILTER, "--count"), imports, "1000", FRESH_REPEATS),
        Question("command, a star", fresh(*query, path, "--star", name), imports, "1000", FRESH_REPEATS),
        Question("command, help alone", fresh(*query, "--help"), python, "700", FRESH_REPEATS),
    ]


def ask(question: Question) -> None:
    """Print the times of a question, and how many times as long the other takes."""
    ours = harness.median_seconds(question.ours, question.repeats)
    other, ratio = "", ""
    if question.other:
        seconds = harness.median_seconds(question.other, question.repeats)
        other, ratio = f"{1e3 * seconds:.0f}", f"{seconds / ours:.2g}"
    harness.row(question.words, f"{1e3 * ours:.0f}", other, ratio, question.goal)


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("stars", type=int, nargs="?", default=harness.size(1_000_000, 2_000))
    n_stars = parser.parse_args().stars
    harness.heading()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begin = time.perf_counter()
        path, file = make(folder, n_stars), folder / "stars.parquet"
        print(f"{n_stars:,} stars, {len(COLUMNS)} columns, written in {time.perf_counter() - begin:.0f} s, ", end="")
        begin = time.perf_counter()
        check(path)
        print(f"validated in {time.perf_counter() - begin:.0f} s.\n")
        open_catalog(path).query("").write(file)
        harness.head("question", "spotcat [ms]", "pandas on Parquet, or imports alone [ms]", "ratio", "wanted [ms]")
        for question in questions(path, file) + commands(path):
            ask(question)
        n_page = min(n_stars, 50_000)
        page = make(folder / "page", n_page)
        begin = time.perf_counter()
        report(page, folder / "report")
        harness.row(f"report of {n_page:,} stars", f"{1e3 * (time.perf_counter() - begin):.0f}", "", "", "60000")


if __name__ == "__main__":
    main()
