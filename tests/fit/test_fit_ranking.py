"""Which of a star's modes is best, distinct, or an alias of the best."""

from __future__ import annotations

import numpy as np
import pytest

from spotcat.fit.ranking import lnodds_at, ranking

PERIODS = np.array([[10.0, 5.0, 20.0, 10.2], [3.4, 7.0, 6.1, 40.0]])
VALUES = np.array([[2.0, 1.0, 9.0, 1.5], [np.nan, 4.0, 4.5, np.inf]])


def modes(padding: int = 0) -> tuple[np.ndarray, np.ndarray]:
    theta = np.stack([np.log(PERIODS.ravel()), np.zeros(PERIODS.size)], axis=1)
    return np.pad(VALUES.ravel(), (0, padding)), np.pad(theta, ((0, padding), (0, 0)))


@pytest.mark.parametrize("padding", [0, 5])
def test_modes_are_ranked_within_their_star_and_repeated_periods_come_last(padding: int) -> None:
    places, distinct = ranking(*modes(padding), 2, 4)
    assert places[0].tolist() == [1, 3, 2, 0]  # mode 0 found the period of the better mode 3
    assert distinct[0].tolist() == [True, True, True, False]
    assert places[1, :2].tolist() == [5, 6]
    assert set(places[1, 2:].tolist()) == {4, 7}  # those without a finite value


@pytest.mark.parametrize("padding", [0, 5])
def test_odds_are_those_of_the_best_mode_near_the_alias(padding: int) -> None:
    double = lnodds_at(np.log(2), *modes(padding), 2, 4)
    assert double[0] == pytest.approx(1.0 - 1.5)
    assert np.isnan(double[1])
    half = lnodds_at(-np.log(2), *modes(padding), 2, 4)
    assert np.isnan(half[0])
    assert np.isnan(half[1])  # 3.4 d is near half of 7 d, but has no finite value
