"""Climbs of some modes of a group: a band that the covariance outgrows is widened, and nothing else is touched."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fit_samples import THETA, Star

from spotcat.config import FitConfig
from spotcat.fit.buckets import grid_stars
from spotcat.fit.climb import Climb, begin_at, chosen_of
from spotcat.fit.confirm import GridStar, confirm
from spotcat.fit.group import Group
from spotcat.fit.lanes import this_device
from spotcat.model.composite import covariance, support_steps
from spotcat.model.grid import Grid
from spotcat.model.whittle import periodogram

GRID = Grid(256, 0.5)
LAYOUT = GRID.layout(FitConfig())
BAND = LAYOUT.red_steps
STEPS, TOLERANCE = 12, 0.1


def with_life(theta: np.ndarray, lspot: float, tau: float) -> np.ndarray:
    out = theta.copy()
    out[3:5] = np.log([lspot, tau])
    return out


class Climbed(NamedTuple):
    """A group of two stars, spots of months and spots of days, with climbs that begin at spots of days."""

    group: Group
    begin: Climb
    found: Climb

    def plainly(self, place: int, block: int) -> Climb:
        """The climb of one mode with one band."""
        return self._confirmed(jax.tree.map(lambda a: a[[place]], self.begin), place, block, STEPS)

    def exactly(self, theta: np.ndarray, star: int) -> float:
        """The negative log-posterior without a band."""
        return float(self._confirmed(begin_at(np.asarray(theta)[None]), star, GRID.n_time, 1).value[0])

    def _confirmed(self, one: Climb, star: int, block: int, n_steps: int) -> Climb:
        with jax.enable_x64(True):
            chosen = chosen_of(np.zeros(1, int), 1)
            return confirm(one, chosen, np.array([star]), self.group.stars, n_steps, TOLERANCE, LAYOUT, 1, block, 1)


@pytest.fixture(scope="module")
def climbed() -> Climbed:
    rng, stars = np.random.default_rng(3), []
    with jax.enable_x64(True):
        for lspot, tau in ((60.0, 25.0), (7.0, 4.0)):
            k = np.asarray(covariance(with_life(THETA, lspot, tau), 0.0, LAYOUT))[:250]
            matrix = k[np.abs(np.subtract.outer(np.arange(250), np.arange(250)))] + 0.01 * np.eye(250)
            flux = 1 + 0.01 * np.linalg.cholesky(matrix) @ rng.normal(size=250)
            stars.append(Star(0.5 * np.arange(250), flux, np.full(250, 1e-3), np.zeros(250, int)))
        batch = grid_stars(stars, GRID)
        gridded = GridStar(*(jnp.asarray(getattr(batch, name)) for name in GridStar._fields))
        seen = periodogram(gridded.y[:, None], gridded.mask[:, None], gridded.reach)
        group = Group(2, 1, gridded, seen, np.zeros(2), LAYOUT, 1, FitConfig(), 0.5, this_device())
        begin = begin_at(np.stack([with_life(THETA, 7.0, 4.0)] * 2))
        found = group.confirmed(begin, np.arange(2), STEPS, TOLERANCE)
    return Climbed(group, begin, found)


def test_a_climb_that_outgrows_its_band_ends_with_the_likelihood_of_its_own_covariance(climbed: Climbed) -> None:
    narrow, wide = (climbed.plainly(0, block) for block in (BAND, GRID.n_time))
    assert support_steps(np.asarray(climbed.begin.theta[0]), LAYOUT) <= BAND < support_steps(wide.theta[0], LAYOUT)
    # Within the band where it began the climb goes to a covariance that is not the one it is told the likelihood of.
    ended, went_on = (support_steps(np.asarray(t), LAYOUT) > BAND for t in (narrow.theta[0], narrow.trial[0]))
    assert ended or went_on
    for name in ("theta", "value", "left"):
        np.testing.assert_array_equal(getattr(climbed.found, name)[0], np.asarray(getattr(wide, name))[0])
    assert climbed.found.value[0] == pytest.approx(climbed.exactly(climbed.found.theta[0], 0), abs=1e-6)
    assert climbed.found.value[0] < climbed.exactly(np.asarray(narrow.theta[0]), 0) - 1


def test_a_climb_within_its_band_is_as_it_was_whatever_its_neighbour_does(climbed: Climbed) -> None:
    alone = climbed.plainly(1, BAND)
    for got, want in zip(climbed.found, alone, strict=True):
        np.testing.assert_array_equal(got[1], np.asarray(want)[0])
    assert climbed.found.value[1] == pytest.approx(climbed.exactly(climbed.found.theta[1], 1), abs=1e-6)


def test_nothing_is_done_where_nothing_is_chosen(climbed: Climbed) -> None:
    same = climbed.group.confirmed(climbed.begin, np.empty(0, int), STEPS, TOLERANCE)
    for got, want in zip(same, climbed.begin, strict=True):
        np.testing.assert_array_equal(got, want)
