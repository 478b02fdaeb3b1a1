"""The search at two resolutions and from other envelopes, each against a slow twin; and what float32 is enough for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fit_samples import THETA, Star, simulate, within

from spotcat.config import FitConfig
from spotcat.fit.buckets import choose_bucket, grid_stars
from spotcat.fit.confirm import GridStar, exact_derivatives
from spotcat.fit.engine import fit_stars
from spotcat.fit.envelopes import UPDATES, best_envelopes, envelope_values
from spotcat.fit.lanes import Room, this_device
from spotcat.fit.levels import pick_periods, search_stars
from spotcat.fit.refine import whittle_derivatives
from spotcat.fit.search import Tiles, make_bank, search
from spotcat.model.composite import covariance, red_rows
from spotcat.model.grid import BINS_PER_PERIOD, fullest
from spotcat.model.layout import LN_WHITE_MIN
from spotcat.model.whittle import expected_power, negative_log_likelihood, periodogram, profiled_powers

CONFIG = FitConfig()


@pytest.mark.parametrize("span, cadence", [(1459.5, 0.0204), (1459.5, 0.5), (355.0, 0.00139), (27.0, 0.00023)])
@pytest.mark.parametrize("p_min", [0.05, 0.2, 2.0])
def test_every_period_has_a_resolution_that_shows_it(span: float, cadence: float, p_min: float) -> None:
    config = FitConfig(p_min=p_min)
    spec = choose_bucket(span, cadence, 1, config)
    periods, levels = spec.periods(config), spec.levels(config)
    assert periods[0] == pytest.approx(max(p_min, BINS_PER_PERIOD * (spec.finest or spec.dt)))
    assert [level.first for level in levels] == [0, *(level.last for level in levels[:-1])]
    assert levels[-1].last == config.n_period
    for level in levels:
        own = periods[level.first : level.last]
        assert own[0] >= 0.999 * BINS_PER_PERIOD * level.layout.dt
        assert own[-1] <= level.layout.n_time * level.layout.dt / 2
        assert level.pieces * level.layout.n_time * level.layout.dt >= span
    for period in periods:
        grid = spec.fitted(period, config)
        assert BINS_PER_PERIOD * grid.dt <= period * 1.001
        assert grid.n_time <= max(config.max_points, spec.n_time)


def test_the_mean_periodogram_of_pieces_has_the_expectation_of_the_model() -> None:
    rng = np.random.default_rng(0)
    m, pieces = 64, 5
    mask = (rng.random((pieces, m)) > 0.3).astype(float)
    mask[3] = 0
    k = 0.8 ** np.arange(m)
    draws = rng.normal(size=(20000, pieces, m)) @ np.linalg.cholesky(k[abs(np.subtract.outer(range(m), range(m)))]).T
    with jax.enable_x64(True):
        got = periodogram(jnp.asarray(draws), jnp.asarray(mask))
        want = expected_power(jnp.asarray(k), got.window)
        np.testing.assert_allclose(np.mean(got.power, axis=0), want, rtol=0.03)
        # Four pieces are the mean of as many periodograms, less what their unequal filling costs.
        assert 3.8 < float(got.looks) <= 4
        scatter = np.std(got.power, axis=0) / want
        assert np.median(scatter) == pytest.approx(float(got.looks) ** -0.5, rel=0.1)


def test_the_fullest_part_is_the_one_with_most_measurements() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        time = np.sort(rng.uniform(0, 10, 40))
        length = rng.uniform(0.1, 12)
        part = fullest(time, length)
        assert np.ptp(time[part]) <= length
        assert part.stop - part.start == max(int(np.sum((time >= t) & (time <= t + length))) for t in time)


@pytest.mark.slow
def test_short_and_long_periods_of_one_bucket_are_both_found() -> None:
    """Half a year at 0.1 d on at most 320 points: periods under 2.6 d are out of reach of the whole light curve."""
    config = FitConfig(max_points=320, p_min=0.5, n_period=64, shears=(0.1,), lifetimes=(4.0, 12.0))
    rng = np.random.default_rng(5)
    stars = [simulate(rng, 1800, 0.1, periods) for periods in 4 * [(0.7, 2.0)] + 4 * [(6.0, 12.0)]]
    spec = choose_bucket(179.9, 0.1, 1, config)
    assert spec.finest < 0.2 < 0.5 < spec.dt
    table = fit_stars(stars, spec, config, 16)
    print([f"{s.peq:.2f} {p:.2f}" for s, p in zip(stars, table.columns["prot"], strict=True)])
    assert within(table.columns["prot"][:4], stars[:4]) >= 0.75
    assert within(table.columns["prot"][4:], stars[4:]) >= 0.75
    assert np.all(table.columns["dt"][:4] < spec.dt)


def test_half_and_double_of_the_best_period_are_always_tried() -> None:
    ln_period = np.linspace(0, 5, 400)
    gain = np.exp(-0.5 * ((ln_period - np.array([[2.0], [4.9]])) / 0.02) ** 2) + 0.3 * (abs(ln_period - 3.5) < 0.01)
    found = ln_period[pick_periods(gain, ln_period, 4)]
    np.testing.assert_allclose(found[0], [2.0, 2.0 - np.log(2), 2.0 + np.log(2), 3.5], atol=0.13)
    assert found[1, 2] > 4.87  # a double beyond the grid is its end
    assert abs(found[0, 3] - 3.5) < 0.02


@pytest.fixture(scope="module")
def star() -> Star:
    return simulate(np.random.default_rng(2))


def test_a_map_of_envelopes_equals_the_posterior_point_by_point(star: Star) -> None:
    spec = choose_bucket(149.5, 0.5, 1, CONFIG)
    layout, batch = spec.layout(CONFIG), grid_stars([star], spec.whole)
    with jax.enable_x64(True):
        seen = periodogram(jnp.asarray(batch.y[:, None]), jnp.asarray(batch.mask[:, None]))
        one = jax.tree.map(lambda a: a[0], seen)
        found = envelope_values(jnp.asarray(THETA)[None], np.zeros(1, int), seen, jnp.zeros(1), 1, layout, 1)
        envelopes, values = (np.asarray(a)[0] for a in found)
        noise = expected_power(red_rows(layout), one.window)
        slow = jax.jit(lambda t: whittle_derivatives(t, one, jnp.asarray(0.0), layout)[0])
        for i, j in [(0, 0), (3, 2), (6, 5)]:
            theta = THETA.copy()
            theta[3:5], theta[layout.reds] = envelopes[i, j], -np.inf
            spots = expected_power(covariance(jnp.asarray(theta), 0.0, layout), one.window)
            parts = jnp.concatenate([spots[None], noise, jnp.ones((1, noise.shape[1]))])
            start = jnp.asarray(np.exp([0, *THETA[layout.reds.start :]]))
            p = np.array(profiled_powers(jnp.maximum(parts, 1e-10), start, one.power, UPDATES))
            p[-1] = max(p[-1], np.exp(LN_WHITE_MIN))
            theta[5] += np.log(p[0])
            theta[layout.reds.start :] = np.log(p[1:])
            assert values[i, j] == pytest.approx(float(slow(jnp.asarray(theta))), abs=1e-6)


def test_the_best_envelopes_are_separate_minima() -> None:
    x, y = np.meshgrid(range(7), range(6), indexing="ij")
    values = np.minimum((x - 1) ** 2 + (y - 1) ** 2, (x - 5) ** 2 + (y - 4) ** 2 + 0.5)[None].astype(float)
    points = np.stack([x, y], axis=-1)[None].astype(float)
    first, second, third = best_envelopes(points, values, 3)
    assert first.tolist() == [[1, 1]]
    assert second.tolist() == [[5, 4]]
    assert abs(third[0] - [1, 1]).max() == 1


@pytest.mark.slow
def test_the_search_needs_no_more_than_float32() -> None:
    """The same search in float64: the gains differ by far less than the margins they are compared with."""
    rng = np.random.default_rng(3)
    stars = [simulate(rng) for _ in range(8)]
    spec = choose_bucket(149.5, 0.5, 1, CONFIG)
    (level,) = spec.levels(CONFIG)
    bank = make_bank(level, tuple(spec.periods(CONFIG).tolist()), CONFIG)
    batch = grid_stars(stars, spec.whole)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: np.asarray(a, float), bank)
        exact = search(batch.y[:, None], batch.mask[:, None], batch.reach, wide, len(stars), Tiles(8, 1, 8))
    found = search_stars(stars, spec, CONFIG, Room(len(stars), this_device()))
    gain, slow = found.gain, np.asarray(exact.gain)
    print(f"largest difference in gain {np.abs(gain - slow).max():.2g}")
    assert gain.dtype == np.float32
    assert slow.dtype == np.float64
    near = slow > slow.max(axis=1, keepdims=True) - 30
    assert np.abs(gain - slow)[near].max() < 0.1
    np.testing.assert_array_equal(np.argmax(gain, axis=1), np.argmax(slow, axis=1))


def test_the_exact_likelihood_needs_float64() -> None:
    """A precise star with slow spots: in float32 the factorisation fails or the value is off by more than a nat."""
    rng = np.random.default_rng(4)
    grid = choose_bucket(149.5, 0.5, 1, CONFIG).whole
    layout = grid.layout(CONFIG)
    theta = THETA.copy()
    theta[0], theta[3:5], theta[5:11] = np.log(30.0), np.log([60.0, 20.0]), [2, 2, 0, 0, 0, 0]
    theta[layout.reds.start :] = -14.0
    ones = np.ones(layout.n_time)

    def value(dtype: type) -> float:
        grids = jnp.zeros(layout.n_time, int), jnp.zeros((layout.n_time, 0)), layout.n_time, 0.0
        data = GridStar(*(jnp.asarray(a, dtype) for a in (y, ones, ones)), *grids)
        slow = jax.jit(lambda t: exact_derivatives(t, data, layout, 1, layout.n_time)[0])
        return float(slow(jnp.asarray(theta, dtype)))

    with jax.enable_x64(True):
        k = np.asarray(covariance(jnp.asarray(theta), 0.0, layout))
        lag = abs(np.subtract.outer(range(layout.n_time), range(layout.n_time)))
        y = np.linalg.cholesky(k[lag] + np.exp(-14.0) * np.eye(layout.n_time)) @ rng.normal(size=layout.n_time)
        wide = value(np.float64)
    narrow = value(np.float32)
    print(f"float64 {wide:.3f}, float32 {narrow:.3f}")
    assert np.isfinite(wide)
    assert not abs(narrow - wide) < 1


def test_the_whittle_value_counts_looks() -> None:
    with jax.enable_x64(True):
        star = periodogram(jnp.ones((3, 8)) * jnp.arange(8.0), jnp.ones((3, 8)))
        single = star._replace(looks=jnp.asarray(1.0))
        assert float(star.looks) == 3
        both = [float(negative_log_likelihood(jnp.ones_like(star.power), s)) for s in (star, single)]
    assert both[0] == pytest.approx(3 * both[1])
