"""Speed beside the peers, on the same curves in the same run.

    python tests/benchmarks/speed.py [--smallest] [--stars N] [--peer-stars N] [--long-stars N] [--scaling-stars N]

Prints a Markdown table with the targets.  The peers, spotgp and celerite2, come with the ``bench`` extra.  Times are
medians, on one BLAS thread; the fits of many stars use two worker processes, the peers one process and a few stars,
since they take seconds each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import harness
import jax
import jax.numpy as jnp
import numpy as np
from fit_samples import Star, within
from peers import celerite_periods, spotgp_kernel, spotgp_periods
from scipy.linalg import lapack

from spotcat import AnalyticKernel, SpotEvolutionModel, TrapezoidSymmetricEnvelope, VisibilityFunction
from spotcat.config import FitConfig
from spotcat.fit import engine
from spotcat.fit.buckets import BucketSpec, choose_bucket, grid_stars
from spotcat.fit.compiled import ON_A_CPU, compilations
from spotcat.fit.lanes import Room, this_device
from spotcat.fit.search import make_bank, search, tiles_for
from spotcat.model.likelihood import score
from spotcat.verdict.classical import autocorrelation_periods, lomb_scargle_periods

DT, WORKERS = 0.5, harness.size(2, 1)
SCALING = ((150, 1, 2), (300, 1, 1), (300, 1, 2), (300, 4, 2), (600, 1, 2))


class Row(NamedTuple):
    """One line of the table."""

    work: str
    ours: str
    peer: str
    ratio: str
    target: str


def simulate(rng: np.random.Generator, n: int, periods: tuple[float, float], gaps: float = 0.05) -> Star:
    """A star of the population that the recovery figures are quoted for."""
    peq = float(np.exp(rng.uniform(*np.log(periods))))
    kappa, inc, plateau, ramp = rng.uniform(0, 0.3), np.arccos(rng.uniform()), rng.uniform(5, 40), rng.uniform(2, 20)
    t, reach = np.arange(n) * DT, plateau / 2 + ramp
    n_spots = int(rng.integers(10, 40) * max(1.0, n * DT / 150))
    phi, longitude = rng.uniform(-np.pi / 2, np.pi / 2, n_spots), rng.uniform(0, 2 * np.pi, n_spots)
    area = np.clip((reach - np.abs(t[:, None] - rng.uniform(-reach, n * DT + reach, n_spots))) / ramp, 0, 1) ** 2
    omega = 2 * np.pi * (1 - kappa * np.sin(phi) ** 2) / peq
    height = np.sin(phi) * np.cos(inc) + np.cos(phi) * np.sin(inc) * np.cos(omega * t[:, None] + longitude)
    signal = -(area * np.maximum(height, 0)).sum(1)
    noise = 0.3 * signal.std()
    seen = rng.random(n) > gaps
    weight = area.sum(0) * np.cos(phi) ** 2
    photometric = 2 * np.pi * weight.sum() / (omega * weight).sum()
    flux = 1 + 0.01 * (signal + noise * rng.normal(size=n))
    return Star(
        t[seen], flux[seen], np.full(seen.sum(), 0.01 * noise), np.zeros(seen.sum(), int), peq, float(photometric)
    )


def recovered(periods: Sequence[float], stars: list[Star]) -> str:
    """Fraction within 10 % of the equatorial or the photometric period."""
    return f"{within(np.array(periods), stars):.0%}"


def median_ms(work: Callable[[], Any], repeats: int) -> float:
    """Median wall time of a call that was made once before [ms]."""
    return 1e3 * harness.median_seconds(lambda: jax.block_until_ready(work()), repeats)


def kernel_row() -> Row:
    """300 lags, warm."""
    lag = np.linspace(0, 25, 300)
    ours = AnalyticKernel(
        SpotEvolutionModel(TrapezoidSymmetricEnvelope(15.0, 5.0), VisibilityFunction(10.0, 0.3, 1.0), 0.01)
    )
    start = time.perf_counter()
    ours.kernel(lag)
    build = time.perf_counter() - start
    a, peer, ratio = median_ms(lambda: ours.kernel(lag), 50), "", ""
    if harness.has("spotgp"):
        theirs = spotgp_kernel()
        b = median_ms(lambda: theirs.kernel(lag), 20)
        peer, ratio = f"spotgp {b:.1f}", f"{b / a:.0f}"
    return Row("kernel, 300 lags [ms]", f"{a:.2f} (build {build:.2f} s)", peer, ratio, ">= 15")


def likelihood_row() -> Row:
    """Value and gradient, 1,000 points, band of 100 steps, against LAPACK's banded factorisation and solve."""
    n, band, batch = 1000, 100, harness.size(64, 2)
    rng = np.random.default_rng(0)
    k = np.maximum(1 - np.arange(n) / band, 0) * np.cos(np.arange(n) / 8)
    y, ones = rng.normal(size=(batch, n)), np.ones(n)
    with jax.enable_x64(True):
        # A covariance of its own for each star: a shared one would be factored once for all.
        data = jnp.asarray(y), jnp.asarray(rng.uniform(0.5, 2, len(y)))[:, None] * k

        def one(star: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
            return score(star[1], 0.3 * ones, star[0], ones, ones[:, None], band)[:3]

        every = jax.jit(lambda stars: jax.lax.map(one, stars))
        ours = median_ms(lambda: every(data), 5) / len(y)

    def banded() -> None:
        for v, scale in zip(y, np.asarray(data[1])[:, :1], strict=True):
            lower = np.repeat(scale * k[: band + 1, None], n, axis=1)
            lower[0] += 0.3
            factor, _ = lapack.dpbtrf(lower, lower=1, overwrite_ab=1)
            lapack.dpbtrs(factor, v, lower=1)

    peer = median_ms(banded, 5) / len(y)
    return Row(
        f"exact value + gradient, N = {n}, band {band}, batch {batch} [ms a star]",
        f"{ours:.2f}",
        f"LAPACK value only {peer:.2f}",
        f"{peer / ours:.2f}",
        "<= 5 ms, <= 6x LAPACK",
    )


def search_row() -> Row:
    """1,600 templates of 7 components (9 with each harmonic its own) on 512 points."""
    config = harness.fit_config(FitConfig(n_period=160, lifetimes=(1.5, 3.0, 6.0, 12.0, 30.0)))
    rng = np.random.default_rng(1)
    stars = [simulate(rng, 500, (2, 30)) for _ in range(ON_A_CPU)]
    spec = BucketSpec(512, DT, 1)
    (level,) = spec.levels(config)
    batch, bank = grid_stars(stars, spec.whole), make_bank(level, tuple(spec.periods(config).tolist()), config)
    tiles = tiles_for(Room(len(stars), this_device()), bank)
    y, mask = (a[:, None].astype(np.float32) for a in (batch.y, batch.mask))
    with jax.enable_x64(True):
        ours = median_ms(lambda: search(y, mask, batch.reach, bank, len(stars), tiles), 5) / len(stars)
    templates = config.n_period * len(config.shears) * len(config.lifetimes)
    work = f"search, {templates:,} templates x 7 components, M = 512 [ms a star]"
    return Row(work, f"{ours:.1f}", "", "", "<= 15 a core")


class Share(NamedTuple):
    """What fitting some stars in a process of its own gave.

    Attributes:
        periods: fitted, Lomb-Scargle and autocorrelation periods [d].
        first: time of the first batch, compilation included [s].
        seconds: time of all batches after it [s].
        programs: compiled programs.
        peak: resident memory at most, after the first batch and at the end [MiB].
    """

    periods: dict[str, list[float]]
    first: float
    seconds: float
    programs: int
    peak: tuple[float, float]


def _fit_share(stars: list[Star], spec: BucketSpec, config: FitConfig) -> Share:
    compilations()
    start = time.perf_counter()
    engine.fit_stars(stars[:ON_A_CPU], spec, config, ON_A_CPU)
    first, peak = time.perf_counter() - start, harness.peak_memory()
    start = time.perf_counter()
    periods: dict[str, list[float]] = {"prot": [], "p_ls": [], "p_acf": []}
    for i in range(0, len(stars), ON_A_CPU):
        table = engine.fit_stars(stars[i : i + ON_A_CPU], spec, config, ON_A_CPU)
        for name, values in periods.items():
            values += table.columns[name].tolist()
    taken = time.perf_counter() - start
    return Share(periods, first, taken, compilations().compiled, (peak, harness.peak_memory()))


def fit_many(stars: list[Star], spec: BucketSpec, config: FitConfig, workers: int) -> Share:
    """The same divided over worker processes: the slowest counts, memory and programs are of one."""
    parts = [stars[i::workers] for i in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        shares = list(pool.map(_fit_share, parts, [spec] * workers, [config] * workers))
    merged: dict[str, list[float]] = {}
    for name in shares[0].periods:
        merged[name] = [float("nan")] * len(stars)
        for i, share in enumerate(shares):
            merged[name][i::workers] = share.periods[name]
    return Share(
        merged, max(s.first for s in shares), max(s.seconds for s in shares), shares[0].programs, shares[0].peak
    )


def fit_rows(n_stars: int, n_peer: int) -> list[Row]:
    """Full fits of 300 points: time a star and recovered periods, spotcat and the peers."""
    rng, config, n = np.random.default_rng(2), harness.fit_config(), harness.size(300, 128)
    stars = [simulate(rng, n, (2, 30)) for _ in range(n_stars)]
    spec = choose_bucket((n - 1) * DT, DT, 1, config)
    share = fit_many(stars, spec, config, WORKERS)
    ours = 1e3 * share.seconds / n_stars
    described = f"{ours:.0f}, {recovered(share.periods['prot'], stars)} ({_compiled(share)})"
    work = f"full fit, N = {n}, {n_stars} stars, {WORKERS} workers [ms a star]"
    table = []
    for package, method, starts, n_some, target in (
        ("spotgp", spotgp_periods, 3, n_peer, "<= 50 ms, >= 150x, >= 78 %"),
        ("celerite2", celerite_periods, 5, 10 * n_peer, "faster"),
    ):
        if not harness.has(package):
            continue
        start, memory, some = time.perf_counter(), harness.peak_memory(), stars[:n_some]
        theirs = method(some, starts)
        peer = 1e3 * (time.perf_counter() - start) / len(some)
        grown = (harness.peak_memory() - memory) / len(some)
        found = f"{recovered(theirs, some)} of {len(some)}, {grown:.0f} MiB more a star"
        table.append(
            Row(work, described, f"{package}, {starts} starts: {peer:.0f}, {found}", f"{peer / ours:.0f}", target)
        )
    batch, periods = grid_stars(stars, spec.whole), spec.periods(config)
    for name, column, cheap in (
        ("Lomb-Scargle", "p_ls", partial(lomb_scargle_periods, batch.y, batch.mask, batch.elapsed, spec.dt)),
        ("autocorrelation", "p_acf", partial(autocorrelation_periods, batch.y, batch.mask, batch.reach, spec.dt)),
    ):
        start = time.perf_counter()
        cheap(periods[0], periods[-1])
        peer = 1e3 * (time.perf_counter() - start) / n_stars
        described_peer = f"{name}: {peer:.1f}, {recovered(share.periods[column], stars)}"
        table.append(Row(work, described, described_peer, f"{peer / ours:.2g}", "more periods"))
    return table


def _compiled(share: Share) -> str:
    return f"{share.programs} programs, {share.first:.0f} s"


def long_row(n_stars: int) -> Row:
    """Four years at half a day, periods that need it."""
    rng, config, n = np.random.default_rng(3), harness.fit_config(), harness.size(2920, 128)
    stars = [simulate(rng, n, (2.5, 5.0), gaps=0.1) for _ in range(n_stars)]
    spec = choose_bucket((n - 1) * DT, DT, 1, config)
    share = fit_many(stars, spec, config, WORKERS)
    found = f"{recovered(share.periods['prot'], stars)} ({_compiled(share)})"
    work = f"full fit, four years, grid of {spec.n_time}, {n_stars} stars, {WORKERS} workers [s a star]"
    return Row(work, f"{share.seconds / n_stars:.2f}, {found}", "", "", "<= 0.8 s")


def scaling_rows(n_stars: int) -> list[Row]:
    """How time and memory of the full fit grow with points, stars and workers."""
    rng, config = np.random.default_rng(4), harness.fit_config()
    rows = []
    for n, count, workers in harness.size(SCALING, ((128, 1, 1),)):
        stars = [simulate(rng, n, (2, 30)) for _ in range(count * n_stars)]
        share = fit_many(stars, choose_bucket((n - 1) * DT, DT, 1, config), config, workers)
        ours = f"{1e3 * share.seconds / len(stars):.0f} ms, {share.peak[1] / 1024:.2f} GiB a worker"
        work = f"scaling: {n} points, {len(stars)} stars, {workers} workers [a star]"
        more = f"+{share.peak[1] - share.peak[0]:.0f} MiB after the first batch"
        rows.append(Row(work, f"{ours}, {more}", "", "", "memory flat in stars"))
    return rows


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--stars", type=int, default=harness.size(512, 2))
    parser.add_argument("--peer-stars", type=int, default=harness.size(8, 1))
    parser.add_argument("--long-stars", type=int, default=harness.size(32, 2))
    parser.add_argument("--scaling-stars", type=int, default=harness.size(64, 2))
    parser.add_argument("--out", type=Path, help="where the table is written too")
    chosen = parser.parse_args()
    harness.heading()
    rows = [kernel_row(), likelihood_row(), search_row(), *fit_rows(chosen.stars, chosen.peer_stars)]
    rows += [long_row(chosen.long_stars), *scaling_rows(chosen.scaling_stars)]
    lines = ["| work | spotcat | peer | peer / spotcat | target |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    print("\n".join(lines))
    if chosen.out:
        chosen.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
