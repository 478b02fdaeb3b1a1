"""How fast light curves get into the store: the fast reader beside lightkurve, and whole surveys of synthetic files.

    python tests/benchmarks/ingest.py [--files N] [--data FOLDER] [--smallest]

The two readers take turns in one run, and what counts is their ratio.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

import harness
import numpy as np
from astropy.io import fits
from ingest_files import LONG_CADENCE, make_recipe, no_progress, signal, write_official

from spotcat.config import CleanConfig
from spotcat.ingest.clean import CleanCurve
from spotcat.ingest.discover import Source
from spotcat.ingest.pipeline import ingest
from spotcat.ingest.read import read_curve
from spotcat.ingest.scan import scan

_TURNS = harness.size(5, 1)
_QUARTER_POINTS = 4500
_PATTERNS = {"Kepler quarter": "kepler/*_llc.fits", "K2 campaign": "k2/*_llc.fits", "TESS sector": "tess/tess*_lc.fits"}


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument(
        "--files", type=int, default=harness.size(10_000, 4), help="Kepler quarter files, half a megabyte each"
    )
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    options = parser.parse_args()
    harness.heading()
    with tempfile.TemporaryDirectory() as folder:
        compare_readers(options.data, Path(folder))
        fill_stores(Path(folder), options.data, options.files)


def compare_readers(data: Path, folder: Path) -> None:
    """Fast reader against lightkurve's read, and its read and stitch, over the same files."""
    harness.head("files", "fast reader [ms]", "lightkurve read [ms]", "ratio", "read and stitch [ms]", "ratio")
    for name, pattern in _PATTERNS.items():
        paths = sorted(data.glob(pattern))[:4]
        if not paths:
            paths = [write_quarter(folder, k, 1) for k in range(4)] if name == "Kepler quarter" else []
        if paths:
            fast, read, stitched = race([lambda p=paths: by_spotcat(p), lambda p=paths: by_lightkurve(p, False),
                                         lambda p=paths: by_lightkurve(p, True)], len(paths))  # fmt: skip
            ratios = read / fast, stitched / fast
            harness.row(name, *(f"{x:.1f}" for x in (fast, read, ratios[0], stitched, ratios[1])))


def race(runners: list[Callable[[], None]], n_files: int) -> list[float]:
    """Median time [ms] a file of runners that take turns."""
    times: list[list[float]] = [[] for _ in runners]
    for turn in range(_TURNS + 1):
        for runner, seconds in zip(runners, times, strict=True):
            started = time.perf_counter()
            runner()
            # The first turn imports and fills the cache of the disk.
            if turn:
                seconds.append(time.perf_counter() - started)
    return [1e3 * median(seconds) / n_files for seconds in times]


def by_spotcat(paths: list[Path]) -> None:
    """From file to clean light curve, headers and all."""
    for path in paths:
        info = scan(Source(path), "", CleanConfig())
        assert isinstance(read_curve(path, info.product, CleanConfig()), CleanCurve)


def by_lightkurve(paths: list[Path], stitch: bool) -> None:
    """lightkurve's own way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightkurve

        curves = [lightkurve.read(str(path)) for path in paths]
        if stitch:
            lightkurve.LightCurveCollection(curves).stitch()


def write_quarter(folder: Path, star: int, quarter: int) -> Path:
    columns = signal(n=_QUARTER_POINTS, start=120 + 93.0 * quarter, step=LONG_CADENCE, seed=star)
    columns["flux"][np.random.default_rng(star).integers(0, _QUARTER_POINTS, 90)] = np.nan
    path = folder / f"kplr{star:09d}-20{quarter:02d}000000000_llc.fits"
    return write_official(path, "Kepler", star, quarter, columns)


def write_survey(folder: Path, data: Path, n_files: int) -> None:
    """One quarter of many stars: a real file with other numbers in its headers and other noise, or synthetic ones."""
    folder.mkdir()
    real = sorted(data.glob(_PATTERNS["Kepler quarter"]))
    for k in range(n_files):
        if not real:
            write_quarter(folder, 2_000_000 + k, 5)
            continue
        old, new = str(int(real[0].name[4:13])), str(2_000_000 + k)
        contents = bytearray(real[0].read_bytes().replace(old.encode(), new.encode()))
        with fits.open(real[0]) as hdus:
            columns, place = hdus[1].columns, hdus[1].fileinfo()["datLoc"]
            rows = np.frombuffer(contents, columns.dtype.newbyteorder(">"), len(hdus[1].data), place)
        rows["PDCSAP_FLUX"] *= np.random.default_rng(k).normal(1, 1e-3, rows.size).astype(np.float32)
        (folder / real[0].name.replace(f"{int(old):09d}", f"{int(new):09d}")).write_bytes(contents)


def fill_stores(folder: Path, data: Path, n_files: int) -> None:
    """Files a second from folder to finished store, at two sizes: memory must not grow with the number."""
    print()
    harness.head("files", "seconds", "files/s", "seconds of one core", "files/s per core", "peak memory [MiB]")
    for share in (n_files // 4, n_files):
        survey, store = folder / f"survey{share}", folder / f"store{share}"
        write_survey(survey, data, share)
        started, worked = time.perf_counter(), time.process_time()
        summary = ingest(make_recipe(survey), store, no_progress)
        seconds, core = time.perf_counter() - started, time.process_time() - worked
        assert summary.n_usable == share
        rates = f"{share / seconds:.0f}", f"{core:.1f}", f"{share / core:.0f}"
        harness.row(share, f"{seconds:.1f}", *rates, f"{harness.peak_memory():.0f}")
        shutil.rmtree(survey)


if __name__ == "__main__":
    main()
