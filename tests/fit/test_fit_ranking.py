"""Which of a star's modes is best, distinct, or an alias of the best."""

from __future__ import annotations

import numpy as np
import pytest

from spotcat.fit.ranking import alias_at, log_mass, ranking

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
def test_an_alias_is_the_best_mode_near_half_or_twice_the_period(padding: int) -> None:
    double = alias_at(np.log(2), *modes(padding), 2, 4)
    assert double.tolist() == [3, -1]
    half = alias_at(-np.log(2), *modes(padding), 2, 4)
    assert half.tolist() == [-1, -1]  # 3.4 d is near half of 7 d, but has no finite value


@pytest.mark.parametrize("stretch", [1.0, 1e-3, 40.0])
def test_the_mass_of_modes_is_their_integral_whatever_the_coordinates(stretch: float) -> None:
    """A low wide mode beside a high narrow one, in one coordinate and in its multiple."""
    places, widths, tops = np.array([-3.0, 4.0]) * stretch, np.array([0.05, 0.9]) * stretch, np.array([0.0, 1.7])
    x = np.linspace(-20, 20, 400_001) * stretch
    density = np.exp(-tops[:, None] - 0.5 * ((x - places[:, None]) / widths[:, None]) ** 2)
    want = np.log(density.sum(axis=1))
    got = log_mass(tops, (1 / widths**2)[:, None, None])
    assert got[1] - got[0] == pytest.approx(want[1] - want[0], abs=1e-6)
    assert got[1] > got[0]  # though the other is higher


def test_the_mass_of_correlated_coordinates_is_that_of_their_determinant() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(5, 4, 4))
    curvature = root @ np.swapaxes(root, 1, 2) + np.eye(4)
    got = log_mass(np.arange(5.0), curvature)
    np.testing.assert_allclose(got, -np.arange(5.0) - 0.5 * np.log(np.linalg.det(curvature)), rtol=1e-12)
