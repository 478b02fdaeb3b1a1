"""Stars seen in stretches with years between: the closed grid against the star as it is."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fit_samples import THETA as SHORT_LIVED
from fit_samples import Star, simulate, within

from spotcat.config import FitConfig
from spotcat.fit.buckets import choose_bucket, grid_stars
from spotcat.fit.confirm import GridStar, exact_derivatives, exact_values
from spotcat.fit.engine import fit_stars
from spotcat.gaps import stretches_of
from spotcat.model.composite import covariance
from spotcat.model.grid import grid_star
from spotcat.model.priors import negative_log_prior
from spotcat.model.whittle import expected_power, periodogram

CONFIG = FitConfig()
THETA = np.array([*SHORT_LIVED[:3], np.log(90.0), np.log(40.0), *SHORT_LIVED[5:]])


def seen_in(star: Star, *windows: tuple[float, float]) -> Star:
    """Only what was measured within some windows [d], each a segment of its own."""
    which = np.stack([(star.time >= low) & (star.time < high) for low, high in windows])
    seen = which.any(axis=0)
    arrays = {k: getattr(star, k)[seen] for k in ("time", "flux", "flux_err")}
    return star._replace(**arrays, segment=np.argmax(which[:, seen], axis=0).astype(int))


@pytest.fixture(scope="module")
def sectors() -> Star:
    """Two stretches of 27 d, the second of two sectors with their joint, and 700 d between."""
    star = simulate(np.random.default_rng(5), 4000, 0.25, (4.0, 8.0))
    return seen_in(star, (0, 27), (730, 756), (757, 784))


def test_a_grid_holds_the_stretches_and_little_else(sectors: Star) -> None:
    span = stretches_of(sectors.time).span
    spec = choose_bucket(span, 0.25, 3, CONFIG)
    assert spec.n_time * spec.dt < 0.3 * np.ptp(sectors.time)
    grid = grid_star(sectors, spec.whole)
    seen = np.flatnonzero(grid.mask)
    np.testing.assert_allclose(grid.start + grid.elapsed[seen], sectors.time, atol=spec.dt)
    lags = np.abs(np.subtract.outer(seen, seen))
    apart = np.subtract.outer(grid.elapsed[seen], grid.elapsed[seen])
    across = np.abs(apart) > 400
    assert lags[across].min() >= grid.reach > lags[~across].max()
    np.testing.assert_allclose(lags[~across] * spec.dt, np.abs(apart[~across]), atol=1e-9)


def test_the_likelihood_is_that_of_independent_stretches(sectors: Star) -> None:
    """Against a dense matrix whose entries across the gap are zero, as they are at the true lags."""
    spec = choose_bucket(stretches_of(sectors.time).span, 0.25, 3, CONFIG)
    layout, batch = spec.layout(CONFIG), grid_stars([sectors], spec.whole)
    seen = np.flatnonzero(batch.mask[0])
    apart = np.abs(np.subtract.outer(batch.elapsed[0, seen], batch.elapsed[0, seen]))
    with jax.enable_x64(True):
        star = GridStar(*(jnp.asarray(getattr(batch, k)) for k in GridStar._fields))
        k = np.asarray(covariance(jnp.asarray(THETA), 0.0, layout))
        full = np.where(apart > 400, 0.0, k[np.abs(np.subtract.outer(seen, seen))])
        full += np.diag(np.exp(THETA[-1]) * batch.relative_variance[0, seen])
        y, columns = batch.y[0, seen], (batch.segment[0, seen][:, None] == np.arange(3)).astype(float)
        inverse = np.linalg.inv(full)
        normal = columns.T @ inverse @ columns
        rest = y - columns @ np.linalg.solve(normal, columns.T @ inverse @ y)
        logs = np.linalg.slogdet(full)[1] + np.linalg.slogdet(normal)[1] + (seen.size - 3) * np.log(2 * np.pi)
        slow = 0.5 * (rest @ inverse @ rest + logs)

        def value(reach: int) -> float:
            some = star._replace(reach=jnp.asarray([reach]))
            at = exact_values(THETA[None], np.zeros(1, int), some, 1, layout, spec.n_segments, layout.n_time, 1)
            return float(at[0])

        cut, whole = value(int(batch.reach[0])), value(layout.n_time)
        one = jax.tree.map(lambda a: a[0], star)
        at = jax.jit(lambda t: exact_derivatives(t, one, layout, spec.n_segments, layout.n_time)[:2])
        got, slope = at(THETA)
        direction = np.random.default_rng(1).normal(size=THETA.size)
        high, low = (float(at(THETA + s * 1e-5 * direction)[0]) for s in (1, -1))
        prior = float(negative_log_prior(jnp.asarray(THETA), layout))
    assert float(got) - prior == pytest.approx(slow, abs=1e-7)
    assert cut == pytest.approx(float(got), abs=1e-8)
    assert abs(whole - cut) > 0.01  # such spots would have reached across the closed gap
    assert np.asarray(slope) @ direction == pytest.approx((high - low) / 2e-5, rel=1e-5)


def test_the_expected_periodogram_is_that_of_independent_stretches() -> None:
    rng = np.random.default_rng(8)
    m, reach = 160, 50
    mask = np.zeros(m)
    mask[:45], mask[100:150] = 1, 1
    k = np.exp(-np.arange(m) / 20.0)
    lag = np.abs(np.subtract.outer(np.arange(m), np.arange(m)))
    full = np.where(lag < reach, k[lag], 0.0) * mask[:, None] * mask
    root = np.linalg.cholesky(full + 1e-12 * np.eye(m))
    draws = rng.normal(size=(5_000, m)) @ root.T
    with jax.enable_x64(True):
        seen = periodogram(draws[:, None], np.broadcast_to(mask, draws[:, None].shape), np.full(len(draws), reach))
        expected = np.asarray(expected_power(jnp.asarray(k), seen.window[0]))
    power = np.asarray(seen.power)
    mean, error = power.mean(axis=0), power.std(axis=0) / np.sqrt(len(draws))
    assert (np.abs(mean - expected) / error).max() < 4.5


@pytest.mark.slow
def test_stars_seen_in_years_apart_get_their_periods() -> None:
    rng = np.random.default_rng(11)
    windows = np.array([(0, 27), (40, 67), (67, 94), (110, 137)])
    stars = [seen_in(simulate(rng, 300, 0.5, (2.5, 8.0)), *windows) for _ in range(4)]
    years = np.array([0.0, 325.0, 325.0, 990.0])  # later than they were simulated
    stars = [star._replace(time=star.time + years[star.segment]) for star in stars]
    spec = choose_bucket(max(stretches_of(s.time).span for s in stars), 0.5, 4, CONFIG)
    together = fit_stars(stars, spec, CONFIG, 4).columns
    assert within(together["prot"], stars) == 1.0
    assert (together["baseline"] > 1100).all()
    alone = fit_stars(stars[3:4], spec, CONFIG, 4).columns
    for name, values in together.items():
        np.testing.assert_array_equal(alone[name], values[3:4], err_msg=name)
