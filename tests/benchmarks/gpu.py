"""One command for a machine with a GPU: the results of a CPU, stars a second, memory, and the longest programs.

    python tests/benchmarks/gpu.py [--budget SECONDS] [--platform cpu|cuda] [--out FILE] [--store] [--smallest]

Runs from a checkout with ``PYTHONPATH=pipeline`` and needs JAX, NumPy, SciPy and astropy alone; `make gpu-check` does.
It ends within the budget, of which compilation takes most: batches for which there is no time are left out.  It prints
tables as RESULTS.md has them and writes them to FILE.  The exit code is 1 where a result is not the stored one.

The stars are simulated by seed, every fourth of noise alone.  ``--store`` replaces the stored results by those of this
machine's CPU: after a change of the fit that is meant to change them.
"""

from __future__ import annotations

import io
import json
import os
import platform
import sys
import threading
import time
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TextIO

import harness
import jax
import numpy as np
from programs_timed import timed_programs
from speed import DT, Star, simulate

from spotcat import GPSolver, SpotEvolutionModel, TrapezoidSymmetricEnvelope, VisibilityFunction
from spotcat.fit.buckets import choose_bucket
from spotcat.fit.engine import fit_stars
from spotcat.fit.programs import KEPT_AT

SIZES = harness.size((300, 1024, 2048), (128,))
SHARES = (0.5, 0.7, 0.9)
"""Of the budget that may be gone when no more batches of a number of points are begun."""
COMPARED = harness.size(16, 4)
"""Stars whose results are stored; the first batch."""
BATCHES = harness.size((256, 4096, 64, 1024), ())
"""In the order in which they are tried: after two it is known how time grows with the batch."""
DISTINCT = 256
"""Larger batches repeat their stars."""
CONFIG = harness.fit_config()

LIKELIHOODS = 1e-8
"""By how much of itself ln L may differ from a CPU's at the same parameters."""
PERIODS, GAINS = 0.1, 0.1
"""By how many of its standard errors a fitted period, and by how much a gain in ln L may.

Fits cannot agree as likelihoods do: climbs start from what a search in float32 found, and end where a step promises
less than 0.01 in ln posterior, 0.14 standard errors, the coarser ones less than 0.1.
"""
MODEL = SpotEvolutionModel(TrapezoidSymmetricEnvelope(15.0, 5.0), VisibilityFunction(10.0, 0.3, 1.0), 0.01)
VERDICTS = ("status", "rotating", "flags")
STORED, KIND = Path(__file__).with_name("gpu_expected.json"), harness.size("usual", "smallest")

Columns = dict[str, np.ndarray]


class Batch(NamedTuple):
    """A batch that was fitted.

    Attributes:
        columns: what the fit gave.
        first: time of its first fit, compilation included [s].
        again: time of a later one [s]; NaN where there was no time for it.
    """

    columns: Columns
    first: float
    again: float


Batches = dict[int, Batch]


class Twice(io.TextIOBase):
    """Text that is printed and kept for a file, and whether the results that it tells of are the stored ones."""

    def __init__(self, shown: TextIO) -> None:
        self.shown, self.kept, self.same = shown, "", False

    def write(self, text: str) -> int:
        self.kept += text
        return self.shown.write(text)

    def flush(self) -> None:
        self.shown.flush()


def elapsed() -> float:
    """Time since the script began [s]."""
    return time.perf_counter() - harness.BEGUN


def stars_of(n: int, count: int) -> list[Star]:
    """Simulated light curves of n points, every fourth of white noise; beyond `DISTINCT` they repeat."""
    stars = []
    for i in range(min(count, DISTINCT)):
        rng = np.random.default_rng((n, i))
        star = simulate(rng, n, (2.0, 30.0))
        if i % 4 == 3:
            star = star._replace(flux=1 + star.flux_err * rng.normal(size=len(star.flux)))
        stars.append(star)
    return [stars[i % len(stars)] for i in range(count)]


def fit(n: int, count: int) -> tuple[float, Columns]:
    """Time [s] and columns of the fit of one batch of light curves of n points."""
    stars, spec = stars_of(n, count), choose_bucket((n - 1) * DT, DT, 1, CONFIG)
    begun = time.perf_counter()
    columns = fit_stars(stars, spec, CONFIG, count).columns
    return time.perf_counter() - begun, columns


def fit_often(n: int, count: int, until: float) -> Batch:
    """Fit a batch, and up to three times more while there is time."""
    (first, columns), again = fit(n, count), []
    while len(again) < harness.size(3, 1) and elapsed() + min(again, default=first) < until:
        again.append(fit(n, count)[0])
    return Batch(columns, first, float(np.median(again)) if again else np.nan)


def likelihoods(n: int) -> np.ndarray:
    """ln posterior of `MODEL` for the first four light curves of n points."""
    solvers = [GPSolver(star.time, star.flux, star.flux_err, MODEL) for star in stars_of(n, 4)]
    return np.array([solver.log_posterior(solver.theta0) for solver in solvers])


def results(n: int, columns: Columns) -> dict[str, list[Any]]:
    """What is stored of the stars of n points."""
    of_each = {name: columns[name].tolist() for name in ("prot", "lnl_rotation", *VERDICTS)}
    return {"likelihoods": likelihoods(n).tolist()} | of_each


def compare(n: int, columns: Columns) -> bool:
    """Print a row of the table of equality; whether the results are the stored ones."""
    stored = {name: np.array(v) for name, v in json.loads(STORED.read_text(encoding="utf-8"))[KIND][str(n)].items()}
    likelihood = float(np.max(np.abs(likelihoods(n) / stored["likelihoods"] - 1)))
    seen = stored["rotating"] == 1  # of the others the period, and what flags say of it, is one of noise
    error = (columns["prot_upper_raw"] - columns["prot_lower_raw"])[seen] / 2
    off = np.abs(columns["prot"] - stored["prot"])[seen]
    period, relative = float(np.max(off / error)), float(np.max(off / stored["prot"][seen]))
    gain = float(np.max(np.abs(columns["lnl_rotation"] - stored["lnl_rotation"])[seen]))
    differ = {name: columns[name] != stored[name] for name in VERDICTS}
    differ["flags"] &= seen
    verdicts = int(np.any(list(differ.values()), axis=0).sum())
    same = likelihood <= LIKELIHOODS and period <= PERIODS and gain <= GAINS and not verdicts  # NaN is not
    shown = f"{likelihood:.1e}", f"{period:.1e}", f"{relative:.1e}", f"{gain:.1e}"
    harness.row(n, COMPARED, *shown, verdicts, "yes" if same else "**no**")
    return same


def equality(until: float) -> tuple[dict[int, Batches], bool]:
    """The table of equality, by how much results differ, from the first batch of each number of points."""
    done, same = {}, True
    for n in SIZES:
        begun = elapsed()
        done[n] = {COMPARED: fit_often(n, COMPARED, until)}
        if n == SIZES[0]:
            print(f"The first stars came after {begun + done[n][COMPARED].first:.0f} s, compilation included.\n")
            allowed = f"ln L at the same parameters (<= {LIKELIHOODS:g})", f"period, standard errors (<= {PERIODS:g})"
            more = "period, of itself", f"gain in ln L (<= {GAINS:g})", "verdicts that differ", "as stored"
            harness.head("points", "stars", *allowed, *more)
        same &= compare(n, done[n][COMPARED].columns)
    return done, same


def needed(done: Batches, count: int) -> float:
    """What a batch should take, compiled and fitted twice [s], from those that are nearest to it in size."""
    near = sorted(done, key=lambda size: abs(np.log(size / count)))[:2]
    batch, power = done[near[0]], 1.0
    once = np.nanmin((batch.again, batch.first))
    if len(near) == 2:
        power = np.log(once / np.nanmin((done[near[1]].again, done[near[1]].first))) / np.log(near[0] / near[1])
    return float(batch.first + once * (2 * (count / near[0]) ** np.clip(power, 0, 1.2) - 1))


def throughput(done: dict[int, Batches], budget: float) -> None:
    """The table of stars a second over points and batch sizes; adds to `done`."""
    print()
    harness.head("points", "stars a batch", "first time [s]", "then [s]", "stars a second", "memory so far [MiB]")
    for n, share in zip(SIZES, SHARES, strict=False):
        speed_row(n, COMPARED, done[n][COMPARED])
        for count in BATCHES:
            wanted, left = needed(done[n], count), max(share * budget - elapsed(), 0)
            if wanted > left:
                harness.row(n, count, f"left out, {wanted:.0f} s with {left:.0f} s left", "", "", "")
                continue
            try:
                done[n][count] = fit_often(n, count, share * budget)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                harness.row(n, count, "does not fit the memory", "", "", memory())
                continue
            speed_row(n, count, done[n][count])


def speed_row(n: int, count: int, batch: Batch) -> None:
    """A row of the table of stars a second."""
    measured = [f"{batch.again:.3g}", f"{count / batch.again:.3g}"] if np.isfinite(batch.again) else ["", ""]
    harness.row(n, count, f"{batch.first:.3g}", *measured, memory())


def memory() -> str:
    """Memory in use at most until now [MiB]: the device's where it says so, else this process's."""
    used = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return f"{used / 2**20:.0f}" if used else f"{harness.peak_memory():.0f}"


def profile(done: dict[int, Batches], budget: float) -> None:
    """The table of the five longest programs of the largest batch of each number of points."""
    print()
    harness.head("points", "stars a batch", "program, each call waited for", "calls", "seconds", "share")
    for n, batches in done.items():
        count = max(batches)
        if elapsed() + np.nanmin((batches[count].again, batches[count].first)) > budget:
            continue
        with timed_programs() as spent:
            total, _ = fit(n, count)
        for name, one in sorted(spent.items(), key=lambda item: -item[1].seconds)[:5]:
            harness.row(n, count, f"`{name}`", one.calls, f"{one.seconds:.3g}", f"{one.seconds / total:.0%}")
        rest = total - sum(one.seconds for one in spent.values())
        harness.row(n, count, "outside of programs", "", f"{rest:.3g}", f"{rest / total:.0%}")


def store() -> None:
    """Keep this machine's results as those that others are compared with."""
    every = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    made = f"Python {platform.python_version()}, jax {jax.__version__}, numpy {np.__version__}, {jax.default_backend()}"
    every[KIND] = {"made": made}
    for n in SIZES:
        _, columns = fit(n, COMPARED)
        every[KIND][str(n)] = results(n, columns)
    STORED.write_text(json.dumps(every, indent=1) + "\n", encoding="utf-8")


def described(wanted: str) -> str:
    """The device that JAX computes on."""
    if wanted:
        jax.config.update("jax_platforms", wanted)
    try:
        device = jax.devices()[0]
    except (RuntimeError, AssertionError) as error:  # the latter is JAX's, where its plugin is missing
        print(f"JAX {jax.__version__} has no {wanted or 'device'} here; see docs/gpu.md. {error}", file=sys.stderr)
        sys.exit(2)
    room = (device.memory_stats() or {}).get("bytes_limit", 0) / 2**30
    shown = f"{device.platform}, {room:.0f} GiB for JAX" if room else device.platform
    return f"{len(jax.devices())} x {device.device_kind} ({shown}), jax {jax.__version__}"


def arguments() -> Namespace:
    """The command line."""
    parser = harness.parser(__doc__)
    parser.add_argument("--budget", type=float, default=450.0, help="seconds after which nothing new is begun")
    parser.add_argument("--platform", default="", help="what JAX computes on, its own choice without")
    parser.add_argument("--out", type=Path, default=Path("gpu-check.md"), help="where the tables are written too")
    parser.add_argument("--store", action="store_true", help="replace the stored results")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    device = described(chosen.platform)
    if chosen.store:
        store()
        return 0
    sys.stdout = kept = Twice(sys.stdout)
    # As in a run: programs are compiled side by side.
    programs = TemporaryDirectory()
    os.environ.setdefault(KEPT_AT, programs.name)

    def over() -> None:
        print("\nThe time was up before the rest.", flush=True)
        chosen.out.write_text(kept.kept, encoding="utf-8")
        programs.cleanup()
        os._exit(0 if kept.same else 1)

    # A compilation cannot be interrupted otherwise.
    timer = threading.Timer(chosen.budget + 20 - elapsed(), over)
    timer.daemon = True
    timer.start()
    harness.heading()
    print(f"Computed on {device}. Every fourth star is noise alone; more than {DISTINCT} repeat.\n", flush=True)
    done, kept.same = equality(SHARES[0] * chosen.budget)
    throughput(done, chosen.budget)
    profile(done, chosen.budget)
    timer.cancel()
    programs.cleanup()
    chosen.out.write_text(kept.kept, encoding="utf-8")
    return 0 if kept.same else 1


if __name__ == "__main__":
    sys.exit(main())
