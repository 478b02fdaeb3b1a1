"""What a fit allocates is bounded by the settings and the number of measurements, whatever the times are."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from astropy.timeseries import LombScargle
from fit_samples import Star

from spotcat.config import FitConfig
from spotcat.fit.buckets import choose_bucket, grid_stars
from spotcat.gaps import stretches_of
from spotcat.model.grid import Grid, grid_star
from spotcat.verdict.classical import autocorrelation_periods, lomb_scargle_periods
from spotcat.verdict.describing import describing
from spotcat.verdict.dips import dipping
from spotcat.verdict.steps import stepping

MOST = 400 * 2**20
"""Bytes: far less than programs and templates take."""
PERIOD = 4.02
MONTHS = 0.1 * np.arange(600)


def measured(time: np.ndarray) -> Star:
    """A rotating star at these times; every gap of a month begins a segment."""
    rng = np.random.default_rng(3)
    flux = 1 + 0.01 * np.sin(2 * np.pi * (time % (PERIOD * 1e5)) / PERIOD) + 0.003 * rng.normal(size=time.size)
    segment = np.r_[0, np.cumsum(np.diff(time) > 30)]
    return Star(time, flux, np.full(time.size, 0.003), segment)


TIMES = {
    "zeros in full Julian dates": np.r_[0.0, 2458325 + MONTHS],
    "two counts of days": np.r_[1325 + MONTHS, 2458325 + MONTHS],
    "a year of the thirteenth millennium": np.r_[MONTHS, 1e12 + MONTHS],
    "thousands of segments": np.add.outer(np.cumsum(np.linspace(60, 9e3, 1000)), 0.5 * np.arange(20)).ravel(),
    "measurements a month apart": np.cumsum(np.linspace(31, 32, 4000)),
    "seconds that are called days": 1765.5 * np.arange(4000),
    "one second": np.arange(100_000) / 86400,
    "an instant": 2458325 + np.cumsum(np.full(300, 1e-9)),
    "pairs": np.sort(np.r_[MONTHS, MONTHS + 1e-9]),
}


@pytest.mark.parametrize("p_min", [0.2, 0.01])
@pytest.mark.parametrize("kind", TIMES)
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value):RuntimeWarning:astropy")
def test_no_times_make_the_work_beside_the_fit_large(kind: str, p_min: float) -> None:
    star, config = measured(TIMES[kind]), FitConfig(p_min=p_min)
    n = star.time.size
    tracemalloc.start()
    try:
        span, cadence = stretches_of(star.time).span, float(np.median(np.diff(star.time)))
        spec = choose_bucket(span, cadence, int(star.segment.max()) + 1, config)
        whole, fine = (grid_stars([star], grid) for grid in (spec.whole, spec.finest_grid))
        dt, periods = spec.finest_grid.dt, spec.periods(config)
        lomb_scargle_periods(fine.y, fine.mask, fine.elapsed, dt, periods[0], periods[-1])
        autocorrelation_periods(whole.y, whole.mask, whole.reach, spec.dt, periods[0], periods[-1])
        for lifetime in (5.0, 1e9):  # spots that live so long are compared with boxes
            dipping(fine, dt, np.array([PERIOD]), np.array([lifetime]), np.zeros((1, 5)))
        stepping(fine, dt, np.array([True]))
        described = describing(fine, dt, np.array([PERIOD]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert spec.n_time <= config.max_points
    assert fine.y.size <= 41 * config.max_points
    assert peak < MOST + 100 * n
    assert np.isfinite(described["sph"]).all()


def plainly(star: Star, grid: Grid, p_min: float, p_max: float) -> float:
    """The highest peak for times as they are, by one call."""
    binned = grid_star(star, grid)
    t, seen = binned.elapsed, binned.mask > 0
    frequency = np.arange(1 / p_max, 1 / p_min, 1 / ((t[-1] + t[1]) * 8))
    power = LombScargle(t[seen], binned.y[seen]).power(frequency, assume_regular_frequency=True)
    return float(1 / frequency[np.argmax(power)])


@pytest.mark.parametrize(
    "time",
    [
        MONTHS,
        np.r_[MONTHS[:280], MONTHS[350:]],
        np.r_[MONTHS, 1e3 + MONTHS],
        np.r_[MONTHS, 700 + MONTHS, 6500 + MONTHS],
    ],
    ids=["whole", "with a gap", "three years apart", "eighteen years apart"],
)
def test_ordinary_light_curves_have_the_peak_of_the_times_as_they_are(time: np.ndarray) -> None:
    star = measured(time)
    grid = Grid(2048, 0.1)
    batch = grid_stars([star, star], grid)
    got = lomb_scargle_periods(batch.y, batch.mask, batch.elapsed, 0.1, 0.4, 30.0)
    np.testing.assert_array_equal(got, plainly(star, grid, 0.4, 30.0))


@pytest.mark.parametrize("kind", list(TIMES)[:3])
def test_a_period_is_found_in_spite_of_gaps_that_no_frequencies_can_cover(kind: str) -> None:
    batch = grid_stars([measured(TIMES[kind])], Grid(2304, 0.1))
    (got,) = lomb_scargle_periods(batch.y, batch.mask, batch.elapsed, 0.1, 0.4, 30.0)
    assert got == pytest.approx(PERIOD, rel=0.05)


def test_frequencies_in_blocks_are_those_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    star, grid = measured(np.r_[MONTHS, 1e3 + MONTHS]), Grid(2048, 0.1)
    batch = grid_stars([star], grid)
    monkeypatch.setattr("spotcat.verdict.classical._AT_ONCE", 1000)
    (got,) = lomb_scargle_periods(batch.y, batch.mask, batch.elapsed, 0.1, 0.4, 30.0)
    assert got == plainly(star, grid, 0.4, 30.0)


@pytest.mark.parametrize("others", [[0.0], [0.0, 1e6], [9e9]], ids=["before", "twice before", "after"])
def test_transits_are_told_in_spite_of_such_gaps(others: list[float]) -> None:
    star = measured(np.sort(np.r_[others, 2458325 + MONTHS]))
    flux = 1 + np.random.default_rng(4).normal(size=star.time.size) * 1e-3 - 2e-3 * (star.time % 3.1 < 0.25)
    batch = grid_stars([star._replace(flux=flux)], Grid(2304, 0.1))
    assert dipping(batch, 0.1, np.array([3.1]), np.array([1e9]), np.zeros((1, 5))).found.all()


@pytest.mark.parametrize("far", [[1e18], [1e300], [-1e300], [-1.7e308, 1.7e308]])
def test_times_too_large_for_their_differences_have_a_bucket_and_an_error_that_says_so(far: list[float]) -> None:
    with np.errstate(over="ignore"):
        star = measured(np.sort(np.r_[MONTHS, far]))
    spec = choose_bucket(stretches_of(star.time).span, 0.1, 1, FitConfig())
    with pytest.raises(ValueError, match=r"times of [\d.]+e\+\d+ d cannot be told apart"):
        grid_star(star, spec.whole)
