"""A rotator with transits: the transits are left out, and the star has the period that it has without them."""

from __future__ import annotations

import numpy as np
import pytest
from fit_samples import Star

from spotcat.config import FitConfig
from spotcat.fit.buckets import choose_bucket
from spotcat.fit.engine import MOST_IN_DIPS, _between, fit_stars
from spotcat.status import Flag
from spotcat.verdict.dips import Dips

CONFIG = FitConfig()
TIME = np.arange(0, 26.9, 0.05)
TRANSITS = [(5.8, 3.7, 0.02), (3.1, 4.9, 0.05)]
"""Rotation period [d], orbit [d] and depth."""


def wave(period: float, rng: np.random.Generator) -> np.ndarray:
    turn = 2 * np.pi * TIME / period
    return 1 + 4e-3 * (1 + 0.01 * TIME) * np.sin(turn) + 1e-3 * np.sin(2 * turn + 1) + 4e-4 * rng.normal(size=TIME.size)


def measured(flux: np.ndarray) -> Star:
    return Star(TIME, flux, np.full(TIME.size, 4e-4), np.zeros(TIME.size, int))


@pytest.mark.slow
def test_a_rotator_with_transits_has_its_own_period_and_is_flagged() -> None:
    stars = []
    for seed, (prot, orbit, depth) in enumerate(TRANSITS):
        flux = wave(prot, np.random.default_rng(seed))
        stars += [measured(flux - depth * ((TIME - 1.3) % orbit < 0.2)), measured(flux)]
    found = fit_stars(stars, choose_bucket(26.9, 0.05, 1, CONFIG), CONFIG, 4).columns
    prot, orbit, depth = np.array(TRANSITS).T
    with_dips = {name: values[::2] for name, values in found.items()}
    np.testing.assert_allclose(with_dips["prot"], prot, rtol=0.03)
    np.testing.assert_allclose(with_dips["dip_period"], orbit, rtol=0.005)
    np.testing.assert_allclose(with_dips["dip_depth"], depth, rtol=0.3)
    np.testing.assert_allclose(with_dips["dip_duration"], 0.2, rtol=0.3)
    assert np.all(with_dips["flags"] & Flag.ECLIPSES_SUSPECTED)
    # As much speaks for the rotation as without transits, but for what was lost within them.
    np.testing.assert_allclose(with_dips["lnl_rotation"], found["lnl_rotation"][1::2], rtol=0.4)
    assert not np.any(found["flags"][1::2] & Flag.ECLIPSES_SUSPECTED)
    assert np.isnan(found["dip_period"][1::2]).all()


def test_what_repeating_dips_hold_is_left_out_unless_it_is_most() -> None:
    star = measured(np.ones(TIME.size))
    one = np.ones(1)
    narrow = Dips(one > 0, 3.0 * one, 0.2 * one, 0.01 * one, 1.0 * one)
    rest = _between(narrow, 0, star)
    lost = np.setdiff1d(TIME, rest.time)
    away = np.abs((lost - 1.0 + 1.5) % 3.0 - 1.5)
    assert away.max() <= 0.15 + 1e-9
    assert lost.size == pytest.approx(TIME.size * 0.3 / 3.0, abs=9)
    wide = narrow._replace(duration=2.1 * MOST_IN_DIPS * one)
    assert _between(wide, 0, star) is star
    assert _between(narrow._replace(period=np.nan * one), 0, star) is star
