"""Speed beside the peers, on the same curves in the same run: ``make bench``.

Prints a Markdown table with the targets.  Needs the ``bench`` extra (spotgp, celerite2).  Times are medians, on one
BLAS thread; the fits of many stars use two worker processes, the peers one process and a few stars, since they take
seconds each.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import lapack

from spotcat import AnalyticKernel, SpotEvolutionModel, TrapezoidSymmetricEnvelope, VisibilityFunction
from spotcat.config import FitConfig
from spotcat.fit import engine
from spotcat.fit.buckets import BucketSpec, choose_bucket, grid_stars
from spotcat.fit.classical import autocorrelation_periods, lomb_scargle_periods
from spotcat.fit.compiled import compilations
from spotcat.fit.search import make_bank, search
from spotcat.gp.likelihood import score


class Star(NamedTuple):
    """A simulated light curve and its period [d]."""

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    segment: np.ndarray
    peq: float
    photometric: float


class Row(NamedTuple):
    """One line of the table."""

    work: str
    ours: str
    peer: str
    ratio: str
    target: str


def simulate(rng: np.random.Generator, n: int, dt: float, periods: tuple[float, float], gaps: float = 0.05) -> Star:
    """A star of the population that the recovery figures are quoted for."""
    peq = float(np.exp(rng.uniform(*np.log(periods))))
    kappa, inc, plateau, ramp = rng.uniform(0, 0.3), np.arccos(rng.uniform()), rng.uniform(5, 40), rng.uniform(2, 20)
    t, reach = np.arange(n) * dt, plateau / 2 + ramp
    n_spots = int(rng.integers(10, 40) * max(1.0, n * dt / 150))
    phi, longitude = rng.uniform(-np.pi / 2, np.pi / 2, n_spots), rng.uniform(0, 2 * np.pi, n_spots)
    area = np.clip((reach - np.abs(t[:, None] - rng.uniform(-reach, n * dt + reach, n_spots))) / ramp, 0, 1) ** 2
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


def recovered(periods: list[float], stars: list[Star]) -> float:
    """Fraction within 10 % of the equatorial or the photometric period."""
    right = [min(abs(p / s.peq - 1), abs(p / s.photometric - 1)) < 0.1 for p, s in zip(periods, stars, strict=True)]
    return float(np.mean(right))


def median_ms(work: Callable[[], Any], repeats: int) -> float:
    """Median wall time of a call that was made once before [ms]."""
    jax.block_until_ready(work())
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(work())
        taken.append(time.perf_counter() - start)
    return 1e3 * float(np.median(taken))


def kernel_row() -> Row:
    """300 lags, warm."""
    import spotgp

    lag = np.linspace(0, 25, 300)
    ours = AnalyticKernel(
        SpotEvolutionModel(TrapezoidSymmetricEnvelope(15.0, 5.0), VisibilityFunction(10.0, 0.3, 1.0), 0.01)
    )
    theirs = spotgp.AnalyticKernel(
        spotgp.SpotEvolutionModel(
            spotgp.TrapezoidSymmetricEnvelope(lspot=15.0, tau_spot=5.0),
            spotgp.VisibilityFunction(peq=10.0, kappa=0.3, inc=1.0),
            sigma_k=0.01,
        )
    )
    start = time.perf_counter()
    ours.kernel(lag)
    build = time.perf_counter() - start
    a, b = median_ms(lambda: ours.kernel(lag), 50), median_ms(lambda: theirs.kernel(lag), 20)
    return Row("kernel, 300 lags [ms]", f"{a:.2f} (build {build:.2f} s)", f"spotgp {b:.1f}", f"{b / a:.0f}", ">= 15")


def likelihood_row() -> Row:
    """Value and gradient, 1,000 points, band of 100 steps, against LAPACK's banded factorisation and solve."""
    n, band = 1000, 100
    rng = np.random.default_rng(0)
    k = np.maximum(1 - np.arange(n) / band, 0) * np.cos(np.arange(n) / 8)
    y, ones = rng.normal(size=(64, n)), np.ones(n)
    with jax.enable_x64(True):
        # A covariance of its own for each star: a shared one would be factored once for all.
        data = jnp.asarray(y), jnp.asarray(rng.uniform(0.5, 2, len(y)))[:, None] * k

        def one(star: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
            return score(star[1], 0.3 * ones, star[0], ones, ones[:, None], band)[:3]

        batch = jax.jit(lambda stars: jax.lax.map(one, stars))
        ours = median_ms(lambda: batch(data), 5) / len(y)

    def banded() -> None:
        for v, scale in zip(y, np.asarray(data[1])[:, :1], strict=True):
            lower = np.repeat(scale * k[: band + 1, None], n, axis=1)
            lower[0] += 0.3
            factor, _ = lapack.dpbtrf(lower, lower=1, overwrite_ab=1)
            lapack.dpbtrs(factor, v, lower=1)

    peer = median_ms(banded, 5) / len(y)
    return Row(
        "exact value + gradient, N = 1000, band 100, batch 64 [ms a star]",
        f"{ours:.2f}",
        f"LAPACK value only {peer:.2f}",
        f"{peer / ours:.2f}",
        "<= 5 ms, <= 6x LAPACK",
    )


def search_row() -> Row:
    """1,600 templates of 7 components (9 with each harmonic its own) on 512 points."""
    config = FitConfig(n_period=160, lifetimes=(1.5, 3.0, 6.0, 12.0, 30.0))
    rng = np.random.default_rng(1)
    stars = [simulate(rng, 500, 0.5, (2, 30)) for _ in range(16)]
    spec = BucketSpec(512, 0.5, 1)
    (level,) = spec.levels(config)
    batch, bank = grid_stars(stars, spec.whole), make_bank(level, tuple(spec.periods(config).tolist()), config)
    y, mask = (a[:, None].astype(np.float32) for a in (batch.y, batch.mask))
    with jax.enable_x64(True):
        ours = median_ms(lambda: search(y, mask, batch.reach, bank, 16), 5) / 16
    return Row("search, 1,600 templates x 7 components, M = 512 [ms a star]", f"{ours:.1f}", "", "", "<= 15 a core")


class Share(NamedTuple):
    """What fitting some stars in a process of its own gave.

    Attributes:
        periods: fitted, Lomb-Scargle and autocorrelation periods [d].
        first: time of the first batch, compilation included [s].
        seconds: time of all batches after it [s].
        programs: compiled programs.
        peak: resident memory at most, after the first batch and at the end [GB].
    """

    periods: dict[str, list[float]]
    first: float
    seconds: float
    programs: int
    peak: tuple[float, float]


def _peak_memory() -> float:
    """Of this process [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _fit_share(stars: list[Star], spec: BucketSpec) -> Share:
    config = FitConfig()
    compilations()
    start = time.perf_counter()
    engine.fit_stars(stars[: config.batch], spec, config, config.batch)
    first, peak = time.perf_counter() - start, _peak_memory()
    start = time.perf_counter()
    periods: dict[str, list[float]] = {"prot": [], "p_ls": [], "p_acf": []}
    for i in range(0, len(stars), config.batch):
        table = engine.fit_stars(stars[i : i + config.batch], spec, config, config.batch)
        for name, values in periods.items():
            values += table.columns[name].tolist()
    taken = time.perf_counter() - start
    return Share(periods, first, taken, compilations().compiled, (peak, _peak_memory()))


def fit_many(stars: list[Star], spec: BucketSpec, workers: int = 2) -> Share:
    """The same divided over worker processes: the slowest counts, memory and programs are of one."""
    parts = [stars[i::workers] for i in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        shares = list(pool.map(_fit_share, parts, [spec] * workers))
    merged: dict[str, list[float]] = {}
    for name in shares[0].periods:
        merged[name] = [float("nan")] * len(stars)
        for i, share in enumerate(shares):
            merged[name][i::workers] = share.periods[name]
    return Share(
        merged, max(s.first for s in shares), max(s.seconds for s in shares), shares[0].programs, shares[0].peak
    )


def spotgp_periods(stars: list[Star], starts: int = 3) -> list[float]:
    """Best of several random starts of ``fit_map``, the package's own build included."""
    import spotgp

    bounds = {"peq": (1.5, 40.0), "kappa": (0.001, 0.6), "inc": (0.05, 1.55), "lspot": (0.5, 60.0)}
    bounds |= {"tau_spot": (0.5, 30.0), "sigma_k": (0.01, 3.0)}
    periods = []
    for i, star in enumerate(stars):
        model = spotgp.SpotEvolutionModel(
            spotgp.TrapezoidSymmetricEnvelope(lspot=15.0, tau_spot=5.0),
            spotgp.VisibilityFunction(peq=8.0, kappa=0.1, inc=1.0),
            sigma_k=0.3,
        )
        scale = star.flux.std()
        y, error = (star.flux - star.flux.mean()) / scale, star.flux_err / scale
        # The band of these bounds fills the baseline, where the package itself advises its dense solver.
        solver = spotgp.GPSolver(star.time, y, error, model, bounds=bounds, matrix_solver="cholesky_full")
        solver.build_jax()
        found = solver.fit_map(nopt=starts, method="L-BFGS-B", maxiter=200, rng=np.random.default_rng(i))
        periods.append(float(_period_of(found, solver)))
    return periods


def _period_of(found: Any, solver: Any) -> float:
    """The period in whatever form the package returns its result."""
    found = found[0] if isinstance(found, tuple) else found
    if isinstance(found, dict) and "peq" in found:
        return found["peq"]
    theta = found.get("theta", found.get("x")) if isinstance(found, dict) else getattr(found, "theta", found)
    return theta["peq"] if isinstance(theta, dict) else np.asarray(theta)[list(solver.param_keys).index("peq")]


def celerite_periods(stars: list[Star], starts: int = 5) -> list[float]:
    """Best of five starts of a rotation term (two damped oscillators) with jitter."""
    import celerite2
    from celerite2 import terms
    from scipy.optimize import minimize

    limits = [(-4, 4), tuple(np.log([1.5, 40.0])), (-4, 6), (-4, 6), (-3, 0), (-6, 1)]
    periods = []
    for star in stars:
        scale = star.flux.std()
        y, error = (star.flux - star.flux.mean()) / scale, star.flux_err / scale

        def objective(x: np.ndarray, t: np.ndarray = star.time, y: np.ndarray = y, e: np.ndarray = error) -> float:
            sigma, period, q0, dq, f, jitter = np.exp(x)
            gp = celerite2.GaussianProcess(terms.RotationTerm(sigma=sigma, period=period, Q0=q0, dQ=dq, f=f))
            gp.compute(t, diag=e**2 + jitter**2, quiet=True)
            value = gp.log_likelihood(y)
            # The log-normal priors on both quality factors are those of the package's own tutorial.
            return 0.5 * np.sum((x[2:4] / 2) ** 2) - value if np.isfinite(value) else 1e25

        best = None
        for period in np.geomspace(2, 30, starts):
            found = minimize(objective, np.log([1, period, 2.0, 0.5, 0.5, 0.1]), method="L-BFGS-B", bounds=limits)
            best = found if best is None or found.fun < best.fun else best
        periods.append(float(np.exp(best.x[1])))
    return periods


def fit_rows(n_stars: int, n_peer: int) -> list[Row]:
    """Full fits of 300 points: time a star and recovered periods, spotcat and the peers."""
    rng = np.random.default_rng(2)
    stars = [simulate(rng, 300, 0.5, (2, 30)) for _ in range(n_stars)]
    spec = choose_bucket(149.5, 0.5, 1, FitConfig())
    share = fit_many(stars, spec)
    ours = 1e3 * share.seconds / n_stars
    described = (
        f"{ours:.0f}, {recovered(share.periods['prot'], stars):.0%} ({share.programs} programs, {share.first:.0f} s)"
    )
    work = f"full fit, N = 300, {n_stars} stars, 2 workers [ms a star]"
    table = []
    for name, method, target in (
        ("spotgp, 3 starts", spotgp_periods, "<= 50 ms, >= 150x, >= 78 %"),
        ("celerite2, 5 starts", celerite_periods, "faster"),
    ):
        start, memory = time.perf_counter(), _peak_memory()
        some = stars[: n_peer if method is spotgp_periods else 10 * n_peer]
        theirs = method(some)
        peer = 1e3 * (time.perf_counter() - start) / len(some)
        grown = 1e3 * (_peak_memory() - memory) / len(some)
        described_peer = f"{name}: {peer:.0f}, {recovered(theirs, some):.0%} of {len(some)}, {grown:.0f} MB more a star"
        table.append(Row(work, described, described_peer, f"{peer / ours:.0f}", target))
    batch, periods = grid_stars(stars, spec.whole), spec.periods(FitConfig())
    for name, column, cheap in (
        ("Lomb-Scargle", "p_ls", partial(lomb_scargle_periods, batch.y, batch.mask, batch.elapsed)),
        ("autocorrelation", "p_acf", partial(autocorrelation_periods, batch.y, batch.mask, batch.reach, spec.dt)),
    ):
        start = time.perf_counter()
        cheap(periods[0], periods[-1])
        peer = 1e3 * (time.perf_counter() - start) / n_stars
        described_peer = f"{name}: {peer:.1f}, {recovered(share.periods[column], stars):.0%}"
        table.append(Row(work, described, described_peer, f"{peer / ours:.2g}", "more periods"))
    return table


def long_row(n_stars: int) -> Row:
    """Four years at half a day, periods that need it."""
    rng = np.random.default_rng(3)
    stars = [simulate(rng, 2920, 0.5, (2.5, 5.0), gaps=0.1) for _ in range(n_stars)]
    spec = choose_bucket(1459.5, 0.5, 1, FitConfig())
    share = fit_many(stars, spec)
    found = f"{recovered(share.periods['prot'], stars):.0%} ({share.programs} programs, {share.first:.0f} s)"
    work = f"full fit, four years, grid of {spec.n_time}, {n_stars} stars, 2 workers [s a star]"
    return Row(work, f"{share.seconds / n_stars:.2f}, {found}", "", "", "<= 0.8 s")


def scaling_rows(n_stars: int) -> list[Row]:
    """How time and memory of the full fit grow with points, stars and workers."""
    rng = np.random.default_rng(4)
    rows = []
    for n, count, workers in ((150, 1, 2), (300, 1, 1), (300, 1, 2), (300, 4, 2), (600, 1, 2)):
        stars = [simulate(rng, n, 0.5, (2, 30)) for _ in range(count * n_stars)]
        share = fit_many(stars, choose_bucket((n - 1) * 0.5, 0.5, 1, FitConfig()), workers)
        ours = f"{1e3 * share.seconds / len(stars):.0f} ms, {share.peak[1]:.2f} GB a worker"
        work = f"scaling: {n} points, {len(stars)} stars, {workers} workers [a star]"
        more = f"+{1e3 * (share.peak[1] - share.peak[0]):.0f} MB after the first batch"
        rows.append(Row(work, f"{ours}, {more}", "", "", "memory flat in stars"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stars", type=int, default=512)
    parser.add_argument("--peer-stars", type=int, default=8)
    parser.add_argument("--long-stars", type=int, default=32)
    parser.add_argument("--scaling-stars", type=int, default=64)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    rows = [kernel_row(), likelihood_row(), search_row(), *fit_rows(chosen.stars, chosen.peer_stars)]
    rows += [long_row(chosen.long_stars), *scaling_rows(chosen.scaling_stars)]
    lines = ["| work | spotcat | peer | peer / spotcat | target |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    print("\n".join(lines))
    if chosen.out:
        chosen.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
