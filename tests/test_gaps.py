"""Which gaps are closed, and that closing them leaves every lag within a stretch as it was."""

from __future__ import annotations

import numpy as np
import pytest

from spotcat.gaps import LEFT, LONG, LONGER, intervals, stretches, stretches_of

RNG = np.random.default_rng(27)


def test_years_between_sectors_are_closed_and_months_are_not() -> None:
    begin = np.array([0.0, 27.0, 720.0, 765.0])  # a month between the last two
    end = np.array([26.0, 53.0, 745.0, 790.0])
    found = stretches(begin, end)
    np.testing.assert_array_equal(found.begin, [0.0, 720.0])
    np.testing.assert_array_equal(found.end, [53.0, 790.0])
    assert found.longest == 70.0
    assert found.span == pytest.approx(53 + 70 + LEFT * 70)


@pytest.mark.parametrize(
    "time",
    [
        np.r_[np.arange(0.0, 370, 0.5), np.arange(460.0, 1400, 0.5)],  # Kepler with a lost quarter
        np.add.outer(np.arange(200.0), np.linspace(0, 0.3, 20)).ravel(),  # nights
        np.arange(0.0, 100.0, 0.02),
        np.array([5.0]),
    ],
)
def test_light_curves_without_gaps_that_stand_out_stay_whole(time: np.ndarray) -> None:
    found = stretches_of(time)
    assert len(found.begin) == 1
    assert found.span == np.ptp(time)
    assert not found.shift.any()


def test_lags_within_stretches_stay_and_all_others_are_longer() -> None:
    for _ in range(50):
        starts = np.cumsum(RNG.uniform(30, 800, RNG.integers(2, 9)))
        time = np.unique(np.concatenate([s + np.arange(0, RNG.uniform(5, 29), 0.1) for s in starts]))
        found = stretches_of(time)
        piece = found.of(time)
        closed = time - found.shift[piece]
        assert (np.diff(closed) > 0).all()
        assert closed[-1] - closed[0] == pytest.approx(found.span)
        for i in range(len(found.begin) - 1):
            own, next_ = closed[piece == i], closed[piece == i + 1]
            assert next_[0] - own[-1] >= LEFT * found.longest * (1 - 1e-9)
            assert found.begin[i + 1] - found.end[i] >= max(LONG, LONGER * found.longest)


def test_the_intervals_of_files_never_promise_less_than_their_measurements_need() -> None:
    for _ in range(50):
        starts = np.cumsum(RNG.uniform(10, 500, 6))
        files = [s + np.sort(RNG.uniform(0, 60, RNG.integers(2, 40))) for s in starts]
        by_file = stretches(*map(np.concatenate, zip(*map(intervals, files), strict=True)))
        assert stretches_of(np.unique(np.concatenate(files))).span <= by_file.span * (1 + 1e-12)


def slowly(begin: np.ndarray, end: np.ndarray) -> list[float]:
    """First times of stretches, every limit tried on its own: the least that is long enough beside what it leaves."""
    end = np.maximum.accumulate(end)
    gap = begin[1:] - end[:-1]
    for limit in np.unique(gap[gap > LONG]):
        cut = np.flatnonzero(gap >= limit)
        first, last = np.r_[begin[0], begin[1:][cut]], np.r_[end[:-1][cut], end[-1]]
        if 0 < LONGER * np.max(last - first) <= limit:
            return list(first)
    return [begin[0]]


def test_gaps_filled_one_by_one_leave_what_every_limit_tried_alone_does() -> None:
    kinds = set()
    for i in range(300):
        n = RNG.integers(1, 40)
        length = RNG.choice([0.0, 1.0, 25.0, 80.0], n) if i % 2 else RNG.uniform(0, 60, n)
        gap = RNG.choice([-5.0, 10.0, 31.0, 31.0, 90.0, 400.0, 5e3], n) if i % 3 else np.exp(RNG.uniform(0, 9, n))
        begin = np.sort(np.cumsum(length + gap) - length)
        found, want = stretches(begin, begin + length), slowly(begin, begin + length)
        np.testing.assert_array_equal(found.begin, want)
        kinds.add(min(len(want), 3))
    assert kinds == {1, 2, 3}


@pytest.mark.parametrize("spacing", [31.0, 1765.5, 1e300])
def test_single_times_far_apart_are_a_cadence_and_not_gaps(spacing: float) -> None:
    time = spacing * np.arange(2000)
    found = stretches_of(time)
    assert len(found.begin) == 1
    assert found.span == np.ptp(time)


@pytest.mark.parametrize(
    "time",
    [
        np.r_[-1.7e308, np.arange(30.0), 1.7e308],
        np.r_[np.arange(30.0), 1e300, 1e308],
        np.r_[-1.5e308, 1.5e308],
        np.linspace(-1.7, 1.7, 50) * 1e308,
    ],
)
def test_the_span_of_any_times_is_a_number_and_no_warning(time: np.ndarray) -> None:
    with np.errstate(all="raise"):
        found = stretches_of(time)
        assert 0 <= found.span < np.inf
        assert 0 <= found.of(time).min() <= found.of(time).max() < len(found.begin)
