"""Two rotations in one light curve: each has its period, and one alone has no second."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from fit_samples import Star

from spotcat.config import FitConfig
from spotcat.fit.buckets import choose_bucket, grid_stars
from spotcat.fit.engine import fit_stars
from spotcat.fit.levels import Searched
from spotcat.fit.second import APART, HARMONICS, SAME, _apart, less

CONFIG = FitConfig()
TIME = np.arange(300) * 0.5
NOISE = 0.004
PAIRS = [(3.0, 13.0), (2.5, 12.0), (18.0, 2.2), (14.0, 3.0)]
STRONG, WEAK = 0.01, 0.006
"""Standard deviations of the two, relative flux."""


def rotation(rng: np.random.Generator, period: float, amplitude: float) -> np.ndarray:
    """Two harmonics whose amplitudes and phases change within a hundred days."""
    centres = np.arange(-300, TIME[-1] + 300, 33)
    c = np.exp(-0.5 * ((TIME[:, None] - centres) / 100) ** 2) @ rng.normal(size=(centres.size, 4))
    turn = 2 * np.pi * TIME / period
    y = (
        c[:, 0] * np.cos(turn)
        + c[:, 1] * np.sin(turn)
        + 0.35 * (c[:, 2] * np.cos(2 * turn) + c[:, 3] * np.sin(2 * turn))
    )
    return amplitude * y / y.std()


def measured(flux: np.ndarray) -> Star:
    return Star(TIME, 1 + flux, np.full(TIME.size, NOISE), np.zeros(TIME.size, int))


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    """Of each pair both, and then the first alone."""
    stars = []
    for seed, (first, second) in enumerate(PAIRS):
        rng = np.random.default_rng(seed)
        strong, weak = rotation(rng, first, STRONG), rotation(rng, second, WEAK)
        noise = NOISE * rng.normal(size=TIME.size)
        stars += [measured(strong + weak + noise), measured(strong + noise)]
    return fit_stars(stars, choose_bucket(149.5, 0.5, 1, CONFIG), CONFIG, 16).columns


@pytest.mark.slow
def test_of_two_rotations_the_stronger_is_prot_and_the_weaker_the_other(found: dict[str, np.ndarray]) -> None:
    first, second = np.array(PAIRS).T
    np.testing.assert_allclose(found["prot"][::2], first, rtol=0.05)
    np.testing.assert_allclose(found["p_other"][::2], second, rtol=0.05)
    # The amplitude of a process that is seen as one strict wave is known to a factor of two.
    np.testing.assert_allclose(np.log(found["amplitude_other"][::2] / WEAK), 0, atol=np.log(2))
    assert np.all(found["lnl_other"][::2] > 10)


@pytest.mark.slow
def test_one_rotation_has_no_second(found: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(found["prot"][1::2], np.array(PAIRS)[:, 0], rtol=0.05)
    for name in ("p_other", "amplitude_other", "lnl_other"):
        assert np.isnan(found[name][1::2]).all(), name


def test_harmonics_of_the_first_are_never_searched() -> None:
    periods = np.geomspace(0.5, 75, 256)
    searched = Searched(*(np.zeros((1, periods.size)) for _ in Searched._fields))
    gain = _apart(searched, np.array([6.0]), periods).gain[0]
    widths = [SAME if ratio == 1 else APART for ratio in HARMONICS]
    near = np.any([np.abs(np.log(periods / (6.0 * r))) <= w for r, w in zip(HARMONICS, widths, strict=True)], axis=0)
    assert np.isneginf(gain[near]).all()
    assert (gain[~near] == 0).all()
    for ratio in (1 / 3, 1 / 2, 1.0, 2.0, 3.0):
        assert np.isneginf(gain[np.argmin(abs(periods - 6.0 * ratio))])
    assert near.any() and not near.all()


@pytest.mark.parametrize("cadence", [0.02, 0.25, 0.5])
def test_a_signal_is_taken_away_where_its_bins_have_their_measurements(cadence: float) -> None:
    """Bins of a quarter and of half a day's measurements: their middle may be up to half a cadence off."""
    time = np.arange(0, 40, cadence) + 1000.0
    wave = 1e-2 * np.sin(2 * np.pi * time / 9)
    star = Star(time, 1 + wave, np.full(time.size, 1e-4), np.zeros(time.size, int))
    grid = choose_bucket(float(np.ptp(time)), 1.0, 1, CONFIG).whole
    with jax.enable_x64(True):
        batch = grid_stars([star], grid)
    signal = np.stack([batch.start[0] + batch.elapsed[0], batch.scale[0] * batch.y[0]])
    assert grid.dt == 1.0
    rest = less(star, signal)
    inner = (rest.time > 1002) & (rest.time < 1037)  # beyond the last bin a spline runs free
    assert rest.flux[inner].std() < 0.03 * wave.std()
