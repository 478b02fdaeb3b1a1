"""The true period of a simulated star is what its noiseless light curve shows, and the fit finds that."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.timeseries import LombScargle
from fit_samples import Star

from spotcat.check.simulate import simulate_star
from spotcat.check.sources import draw
from spotcat.config import FitConfig, SimulateConfig
from spotcat.fit.buckets import choose_bucket
from spotcat.fit.engine import fit_stars

CONFIG = FitConfig()
POPULATION = SimulateConfig(period=(2.0, 20.0), n_spots=(20, 20))
SEED = 21


def test_one_lasting_spot_shows_its_own_period() -> None:
    population = SimulateConfig(
        baseline=400.0, period=(3.0, 8.0), kappa=(0.3, 0.3), lspot=(2000.0, 2000.0), n_spots=(1, 1)
    )
    shown = []
    for seed in range(12):
        source = draw(population, np.random.default_rng(seed))
        if np.ptp(source.flux) > 1e-4 and np.isfinite(source.mean_period(source.time)):
            shown.append(source.shown_period(source.time) / source.mean_period(source.time) - 1)
    assert len(shown) > 5
    np.testing.assert_allclose(shown, 0, atol=0.005)


def test_nothing_is_shown_where_nothing_rotates() -> None:
    source = draw(SimulateConfig(source="quiet"), np.random.default_rng(1))
    assert np.isnan(source.shown_period(source.time))


def test_the_shown_period_is_near_the_peak_of_the_noiseless_periodogram() -> None:
    """Of spots that last for many rotations; a line of short-lived ones is as wide as the range that is averaged."""
    population = SimulateConfig(period=(2.0, 5.0), kappa=(0.0, 0.1), lspot=(60.0, 90.0), n_spots=(20, 20))
    away = []
    for seed in range(20):
        source = draw(population, np.random.default_rng(seed))
        shown, mean = source.shown_period(source.time), source.mean_period(source.time)
        frequency = np.geomspace(1 / (1.2 * mean), 1.2 / mean, 2000)
        peak = 1 / frequency[np.argmax(LombScargle(source.time, source.flux).power(frequency))]
        away.append(np.log(shown / peak))
    assert np.median(np.abs(away)) < 0.01
    assert abs(np.median(away)) < 0.005


@pytest.fixture(scope="module")
def fitted() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Columns of 32 simulated stars, their true periods [d] and the white noise [relative flux] of a measurement."""
    simulated = [simulate_star(number, SEED, POPULATION) for number in range(32)]
    stars = [Star(s.time, s.flux, s.flux_err, np.zeros(s.time.size, int)) for s in simulated]
    spec = choose_bucket(149.5, 0.5, 1, CONFIG)
    parts = [fit_stars(stars[i : i + 16], spec, CONFIG, 16).columns for i in (0, 16)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    truth = np.array([float(star.truth["prot"]) for star in simulated])
    return columns, truth, np.array([star.flux_err[0] for star in simulated])


@pytest.mark.slow
def test_prot_is_what_the_noiseless_light_curve_shows(
    fitted: tuple[dict[str, np.ndarray], np.ndarray, np.ndarray],
) -> None:
    columns, truth, _ = fitted
    away = np.log(columns["prot"] / truth)[columns["lnl_rotation"] > 30]
    away = away[np.abs(away) < np.log(1.1)]
    assert away.size >= 16
    error = 1.2533 * 1.4826 * np.median(np.abs(away - np.median(away))) / np.sqrt(away.size)  # of a median
    print(f"{away.size} stars: prot is {np.median(away):+.2%} off in the median, give or take {error:.2%}")
    assert abs(np.median(away)) < 0.005 + 2 * error
    assert error < 0.005


@pytest.mark.slow
def test_white_noise_is_what_was_injected(fitted: tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]) -> None:
    columns, _, noise = fitted
    ratio = columns["white_noise"] / (noise * np.sqrt(24 * POPULATION.cadence))
    print(f"white noise over what was injected: {np.median(ratio):.3f}, {np.percentile(ratio, [10, 90]).round(3)}")
    # Sixteen parameters and all spots are fitted to 300 measurements: a little of their noise goes with them.
    assert np.median(ratio) == pytest.approx(1, abs=0.1)
    assert np.mean(np.abs(np.log(ratio)) < 0.25) > 0.8
