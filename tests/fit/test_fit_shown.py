"""What a fit makes of its light curve: the period that it shows, and the bins that do not belong to it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fit_samples import THETA, simulate

from spotcat.config import FitConfig
from spotcat.fit.buckets import choose_bucket, grid_stars
from spotcat.fit.confirm import GridStar
from spotcat.fit.engine import fit_stars
from spotcat.fit.shown import mean_frequency, show
from spotcat.model.composite import covariance, noise_variance, spot_levels, spot_rows
from spotcat.model.grid import Grid
from spotcat.model.layout import N_SHAPE
from spotcat.model.outliers import MOST_OUTLIERS, further, joined, outlier_times, without

CONFIG = FitConfig()


@pytest.mark.parametrize("cycles", [3.0, 11.3, 200.0])
def test_mean_frequency_of_a_sinusoid_is_its_own(cycles):
    t = np.arange(1024) * 0.1
    frequency = cycles / t[-1]
    curve = np.cos(2 * np.pi * frequency * t + 0.4)
    with jax.enable_x64(True):
        found = float(mean_frequency(jnp.asarray(curve), 1.05 * frequency, 0.1))
    # Over three cycles the line is as wide as the range, whose middle is 5 % higher, and is cut off on one side.
    assert found == pytest.approx(frequency, rel=0.04 if cycles < 5 else 0.005)


def test_mean_frequency_weighs_two_lines_by_their_power():
    t = np.arange(4096) * 0.1
    curve = 2 * np.cos(2 * np.pi * 0.20 * t) + np.cos(2 * np.pi * 0.22 * t)
    with jax.enable_x64(True):
        found = float(mean_frequency(jnp.asarray(curve), 0.205, 0.1))
    assert found == pytest.approx((4 * 0.20 + 0.22) / 5, rel=2e-3)


def test_deviations_and_period_agree_with_leaving_out_one_by_one():
    star = simulate(np.random.default_rng(3), m=120, periods=(7.0, 9.0))
    grid = Grid(128, 0.5)
    batch, layout = grid_stars([star], grid), grid.layout(CONFIG)
    with jax.enable_x64(True):
        stars = GridStar(*(jnp.asarray(getattr(batch, name)) for name in GridStar._fields))
        shown = show(THETA[None], np.array([8.5]), np.zeros(1, int), stars, 1, layout, 1, 128, 1)
        k = np.asarray(covariance(THETA, batch.width[0], layout))
        noise = np.asarray(noise_variance(THETA, batch.relative_variance[0]))
        first = np.asarray(spot_levels(THETA, layout)[1] * spot_rows(THETA[:N_SHAPE], batch.width[0], layout)[1])
    lags, seen = np.abs(np.subtract.outer(np.arange(128), np.arange(128))), batch.mask[0] > 0
    full = k[lags] + np.diag(noise) + 1e6  # a flat prior on the offset
    y = batch.y[0]
    for i in np.flatnonzero(seen)[::17]:
        others = seen.copy()
        others[i] = False
        weights = np.linalg.solve(full[np.ix_(others, others)], full[others, i])
        away = y[i] - weights @ y[others]
        sd = np.sqrt(full[i, i] - weights @ full[others, i])
        assert shown.deviation[0, i] == pytest.approx(away / sd, rel=1e-3)
    assert np.all(np.asarray(shown.deviation[0])[~seen] == 0)
    curve = first[lags][:, seen] @ np.linalg.solve(full[np.ix_(seen, seen)], y[seen])
    with jax.enable_x64(True):
        assert float(shown.prot[0]) == pytest.approx(
            1 / float(mean_frequency(jnp.asarray(curve), 1 / 8.5, 0.5)), rel=1e-4
        )


def test_outlier_times_are_the_furthest_ones():
    deviation = np.zeros((2, 100))
    deviation[0, [4, 50]] = -7.0, 9.0
    deviation[1] = np.nan
    time = np.broadcast_to(np.arange(100.0), (2, 100))
    found = outlier_times(deviation, time, 5.0)
    assert found.shape == (2, MOST_OUTLIERS)
    assert found[0, :2].tolist() == [50.0, 4.0]
    assert np.isnan(found[0, 2:]).all()
    assert np.isnan(found[1]).all()
    assert np.isnan(outlier_times(deviation, time, 0.0)).all()


def test_bins_of_later_rounds_are_added_while_there_is_room() -> None:
    known, found = np.full((2, 2, MOST_OUTLIERS), np.nan)
    known[0, :3], found[0, :2] = [5.0, 1.0, 9.0], [2.0, 7.0]
    known[1, :-1], found[1, :3] = np.arange(MOST_OUTLIERS - 1), [100.0, 101.0, 102.0]
    new = further(known, found)
    assert new[0, :2].tolist() == [2.0, 7.0] and np.isnan(new[0, 2:]).all()
    assert new[1, 0] == 100.0 and np.isnan(new[1, 1:]).all()
    both = joined(known, new)
    assert both[0, :5].tolist() == [5.0, 1.0, 9.0, 2.0, 7.0] and np.isnan(both[0, 5:]).all()
    assert both[1].tolist() == [*range(MOST_OUTLIERS - 1), 100.0]


def test_without_takes_the_measurements_of_the_bins_and_no_others():
    star = simulate(np.random.default_rng(1), m=200)
    rest = without(star, np.array([10.0, np.nan, 60.1]), 0.5)
    lost = np.setdiff1d(star.time, rest.time)
    assert lost.tolist() == star.time[(np.abs(star.time - 10.0) <= 0.25) | (np.abs(star.time - 60.1) <= 0.25)].tolist()
    assert 1 <= lost.size <= 2
    assert without(star, np.full(3, np.nan), 0.5) is star


def test_flares_are_left_out_and_change_nothing():
    plain = simulate(np.random.default_rng(6), m=300, periods=(5.0, 8.0))
    flux = plain.flux.copy()
    flux[[40, 41, 150, 222]] += 30 * plain.flux.std() * np.array([1.0, 0.5, 0.8, 0.6])
    flaring = plain._replace(flux=flux)
    spec = choose_bucket(150.0, 0.5, 1, CONFIG)
    table = fit_stars([plain, flaring], spec, CONFIG, lanes=2)
    assert table.columns["prot"][0] == pytest.approx(plain.photometric, rel=0.1)
    assert table.columns["prot"][1] == pytest.approx(table.columns["prot"][0], rel=0.02)
    assert table.columns["lnl_rotation"][1] == pytest.approx(table.columns["lnl_rotation"][0], rel=0.2)
    lost = table.arrays["outlier_time"][1]
    # Times of a grid begin with its first measurement, in the middle of its first bin.
    assert all(np.nanmin(np.abs(lost - plain.time[i])) < 0.26 for i in (40, 41, 150, 222))
    kept = fit_stars([plain, flaring], spec, FitConfig(outlier_sigma=0.0), lanes=2)
    assert kept.columns["lnl_rotation"][1] < 0.5 * table.columns["lnl_rotation"][1]
