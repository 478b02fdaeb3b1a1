"""Narrow dips are told from spots, also where single measurements hide in the noise."""

from __future__ import annotations

import numpy as np
import pytest
from fit_samples import Star, simulate

from spotcat.model.grid import Grid, grid_star
from spotcat.verdict.dips import dipping, roughness, skewness, winning_box

RNG = np.random.default_rng(5)
TIME = np.arange(0, 27, 1 / 144)


def transits(period: float, depth: float) -> np.ndarray:
    return RNG.normal(size=TIME.size) - depth * ((TIME + 0.3) % period < 0.15)


@pytest.mark.parametrize("factor", [1.0, 0.5, 1 / 3, 2.0])
def test_shallow_transits_win_whatever_multiple_of_their_period_was_fitted(factor: float) -> None:
    flux = transits(1.7, 1.0)
    for shortest in (0.0, 0.1):
        box = winning_box(TIME, flux, 1.7 * factor, shortest)
        assert box is not None
        assert box.period == pytest.approx(1.7, rel=0.003)
        assert box.duration == pytest.approx(0.15, abs=0.06)
        assert box.depth == pytest.approx(1.0, rel=0.3)
        assert (box.epoch + 0.3 - 0.075 + 0.85) % 1.7 - 0.85 == pytest.approx(0, abs=0.04)
        assert winning_box(TIME, -flux, 1.7 * factor, shortest) is None  # brightenings are no dips


def test_a_rotation_wins_over_boxes_of_its_own_period() -> None:
    for phase in RNG.uniform(0, 2 * np.pi, 5):
        spots = np.maximum(np.cos(2 * np.pi * TIME / 1.7 + phase), 0) + 0.5 * np.cos(2 * np.pi * TIME / 1.69)
        assert not winning_box(TIME, -spots + RNG.normal(size=TIME.size), 1.7, 0.0)


def test_a_light_curve_too_short_for_two_periods_has_no_boxes() -> None:
    assert not winning_box(TIME[:100], RNG.normal(size=100), 10.0, 0.0)


def test_stars_of_a_survey_are_rarely_taken_for_dips_and_transits_always() -> None:
    stars = [simulate(RNG) for _ in range(60)]
    # Of a star that is observed twice a day only dips of half a day make sense.
    time = np.arange(300) * 0.5
    eclipses = [RNG.normal(size=300) * 0.3 - 2.0 * ((time + 0.1) % p < 0.6) for p in (5.3, 8.1, 11.7)]
    flux = [np.asarray(s.flux) for s in stars] + eclipses
    times = [s.time for s in stars] + [time] * 3
    grid = Grid(320, 0.5)
    measured = [Star(t, f, np.full(t.size, 0.01), np.zeros(t.size, int)) for t, f in zip(times, flux, strict=True)]
    gridded = [grid_star(m, grid) for m in measured]
    batch = type(gridded[0])(*(np.stack(parts) for parts in zip(*gridded, strict=True)))
    prot = np.array([s.photometric for s in stars] + [5.3, 8.1, 11.7])
    lifetime = np.array([15.0] * 60 + [900.0] * 3)
    for sharpest in (0.0, 3.0):  # sharp harmonics alone are no verdict
        levels = np.zeros((63, 5))
        levels[:, 4] = sharpest
        found = dipping(batch, 0.5, prot, lifetime, levels)
        assert found.found[60:].all()
        assert found.found[:60].mean() <= 0.05


def test_what_repeats_has_a_period_a_duration_and_a_depth_in_relative_flux() -> None:
    time = np.arange(0, 90, 1 / 24)
    spots = 0.002 * np.sin(2 * np.pi * time / 9)
    transit = (time + 0.4) % 3.1 < 0.13
    flux = [1 + 0.0005 * RNG.normal(size=time.size) - depth * transit + own
            for depth, own in ((0.001, 0), (0.03, 0), (0, spots))]  # fmt: skip
    grid = Grid(2304, 1 / 24)
    rows = [grid_star(Star(time, f, np.full(time.size, 5e-4), np.zeros(time.size, int)), grid) for f in flux]
    batch = type(rows[0])(*(np.stack(parts) for parts in zip(*rows, strict=True)))
    dips = dipping(batch, 1 / 24, np.array([3.1, 3.1, 9.0]), np.full(3, 1e4), np.zeros((3, 5)))
    assert dips.found.tolist() == [True, True, False]
    assert dips.period[:2] == pytest.approx(3.1, rel=0.002)
    assert dips.depth[:2] == pytest.approx([0.001, 0.03], rel=0.2)
    assert dips.duration[:2] == pytest.approx(0.13, rel=0.15)
    assert np.isnan([dips.period[2], dips.depth[2], dips.duration[2], dips.epoch[2]]).all()
    for i in range(2):
        inside = dips.holding(i, time)
        assert inside[transit].all()
        assert inside.mean() < 2 * transit.mean()
    assert not dips.holding(2, time).any()


def test_skewness_leaves_out_what_was_not_measured() -> None:
    grid = Grid(64, 1.0)
    time = np.delete(np.arange(60.0), [3, 4, 30])
    flux = RNG.gamma(2.0, size=57)
    one = grid_star(Star(time, flux, np.ones(57), np.zeros(57, int)), grid)
    batch = type(one)(*(np.asarray(part)[None] for part in one))
    centred = flux - flux.mean()
    assert skewness(batch)[0] == pytest.approx((centred**3).mean() / (centred**2).mean() ** 1.5)


def test_a_constant_light_curve_has_no_skewness() -> None:
    grid = Grid(64, 1.0)
    one = grid_star(Star(np.arange(60.0), np.ones(60), np.ones(60), np.zeros(60, int)), grid)
    with np.errstate(all="raise"):
        assert skewness(type(one)(*(np.asarray(part)[None] for part in one)))[0] == 0


def test_roughness_knows_no_slopes_and_is_three_halves_of_white_noise_and_more_of_lone_dips() -> None:
    grid = Grid(640, 0.5)
    time = np.delete(np.arange(600) * 0.5, [3, 4, 30, 200])
    dips = RNG.normal(size=time.size) * 0.1 - (np.arange(time.size) % 5 == 0)
    waves = np.cos(2 * np.pi * time / 2.5) + RNG.normal(size=time.size)
    flux = [0.01 * time, RNG.normal(size=time.size), waves, dips, np.ones(time.size)]
    batch = [grid_star(Star(time, f, np.full(time.size, 0.01), np.zeros(time.size, int)), grid) for f in flux]
    rough = roughness(type(batch[0])(*(np.stack(parts) for parts in zip(*batch, strict=True))))
    assert rough[0] == pytest.approx(0, abs=1e-9)
    assert rough[1] == pytest.approx(1.5, abs=0.2)
    assert rough[2] < 1.5 < rough[3]
    assert rough[4] == 0
