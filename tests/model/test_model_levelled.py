"""Segments on one level."""

from __future__ import annotations

import numpy as np
import pytest

from spotcat.model.levelled import MOSTLY_LINES, levelled

M = 400
SEGMENT = np.repeat([0, 1], M // 2)
MASK = np.ones(M)
MASK[[3, 50, 222]] = 0
PLACE = np.arange(M)


def test_means_are_taken_away_segment_by_segment():
    y = np.random.default_rng(1).normal(size=M) + 5 * SEGMENT
    flat = levelled(y, SEGMENT, MASK)
    for number in (0, 1):
        own = (number == SEGMENT) & (MASK > 0)
        np.testing.assert_allclose(flat[own], y[own] - y[own].mean(), atol=1e-12)
    assert np.all(flat[MASK == 0] == 0)


def test_lines_that_are_nearly_all_are_taken_away_as_least_squares_does():
    y = np.random.default_rng(2).normal(size=M) + np.where(SEGMENT == 0, 0.2, -0.1) * PLACE
    flat = levelled(y, SEGMENT, MASK)
    for number in (0, 1):
        own = (number == SEGMENT) & (MASK > 0)
        line = np.polynomial.Polynomial.fit(PLACE[own], y[own], 1)
        np.testing.assert_allclose(flat[own], y[own] - line(PLACE[own]), atol=1e-9)


@pytest.mark.parametrize("phase", np.linspace(0, np.pi, 7))
def test_no_rotation_of_a_cycle_in_a_segment_loses_its_line(phase):
    y = np.sin(2 * np.pi * PLACE / (M // 2) + phase)
    flat = levelled(y, SEGMENT, MASK)
    for number in (0, 1):
        own = (number == SEGMENT) & (MASK > 0)
        np.testing.assert_allclose(flat[own], y[own] - y[own].mean(), atol=1e-12)


def test_the_threshold_is_what_its_docstring_says():
    x = np.linspace(-0.5, 0.5, 2001)

    def most(cycles):
        return max(np.corrcoef(x, np.sin(2 * np.pi * cycles * x + p))[0, 1] ** 2 for p in np.linspace(0, np.pi, 61))

    assert most(1.0) == pytest.approx(6 / np.pi**2, abs=0.01)
    assert most(0.87) == pytest.approx(MOSTLY_LINES, abs=0.01)
