"""The search at its one or two resolutions, and the period modes to start the fit from.

A light curve too long for a grid that shows its shortest periods is searched twice: cut into pieces of a fine grid,
whose periodograms are averaged, and as a whole on a coarse one.  Each resolution gives its periods a gain over the
best model without rotation on the same data, so that the gains compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from spotcat.config import FitConfig
from spotcat.fit.buckets import BucketSpec, Level, Measurements, grid_stars
from spotcat.fit.lanes import Room
from spotcat.fit.search import Bank, Found, make_bank, search, tiles_for
from spotcat.model.grid import Grid

DISTINCT = 0.12
"""Periods closer than this in ln P belong to one mode."""


class Searched(NamedTuple):
    """What the search found at every period of some stars; NumPy, leading axis the star.

    Attributes:
        gain: penalised log-likelihood above that of no rotation, the GP periodogram, shape (n, P).
        templates: ln P, kappa, ln lspot, ln tau_spot of the best template, shape (n, P, 4).
        powers: component powers of that template, shape (n, P, 8).
    """

    gain: np.ndarray
    templates: np.ndarray
    powers: np.ndarray

    def starts(self, periods: np.ndarray, n_modes: int) -> Starts:
        """The period modes to start from; `periods` [d] are those of the search."""
        place = pick_periods(self.gain, np.log(periods), n_modes)
        star = np.arange(len(place))[:, None]
        return Starts(self.gain, place, self.templates[star, place], self.powers[star, place])

    def longer_than(self, shortest: np.ndarray, periods: np.ndarray) -> Searched:
        """The same without the shorter periods of each star, `shortest` [d] of shape (n,)."""
        return self._replace(gain=np.where(periods > shortest[:, None], self.gain, -np.inf))


class Starts(NamedTuple):
    """The period modes of some stars; NumPy, leading axis the star.

    Attributes:
        gain: penalised log-likelihood at each period above that of no rotation, the GP periodogram, shape
        (n, P).
        place: of the modes in the period grid, the best first, shape (n, n_modes).
        templates: ln P, kappa, ln lspot, ln tau_spot of the modes, shape (n, n_modes, 4).
        powers: component powers of those templates, shape (n, n_modes, 8).
    """

    gain: np.ndarray
    place: np.ndarray
    templates: np.ndarray
    powers: np.ndarray


def search_stars(stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig, room: Room) -> Searched:
    """Search some stars of a bucket at all its resolutions.

    Args:
        stars: light curves.
        spec: the bucket.
        config: settings of the search.
        room: sizes of arrays, and their device.
    """
    room = room._replace(size=lanes_for(len(stars)))
    periods = spec.periods(config)
    parts = []
    for level in spec.levels(config):
        bank = make_bank(level, tuple(periods[level.first : level.last].tolist()), config)
        found = jax.tree.map(lambda a: np.asarray(a)[: len(stars)], _at_level(stars, level, bank, room))
        parts.append((found.gain, bank.templates[found.template], found.powers))
    return Searched(*(np.concatenate(column, axis=1) for column in zip(*parts, strict=True)))


def lanes_for(count: int) -> int:
    """Stars that some are padded to: 4, 16, 64, ...; few, since each is a program, and padding is searched."""
    lanes = 4
    while lanes < count:
        lanes *= 4
    return lanes


def _at_level(stars: Sequence[Measurements], level: Level, bank: Bank, room: Room) -> Found:
    layout = level.layout
    batch = grid_stars(stars, Grid(layout.n_time * level.pieces, layout.dt))
    shape = room.size, level.pieces, layout.n_time
    y, mask = (room.filled(a).astype(np.float32).reshape(shape) for a in (batch.y, batch.mask))
    return search(y, mask, room.filled(batch.reach), bank, len(stars), tiles_for(room, bank))


def pick_periods(gain: np.ndarray, ln_period: np.ndarray, n_modes: int) -> np.ndarray:
    """Places of the starting modes: the best period, its half and its double, then the best of the rest.

    Args:
        gain: GP periodograms, shape (n, P).
        ln_period: the period grid, shape (P,).
        n_modes: modes to pick, at least three.

    Returns:
        Shape (n, n_modes).
    """

    def best_where(allowed: np.ndarray) -> np.ndarray:
        return np.argmax(np.where(allowed, gain, -np.inf), axis=1)

    first = np.argmax(gain, axis=1)
    picks = [first]
    for shift in (-np.log(2), np.log(2)):
        target = np.clip(ln_period[first] + shift, ln_period[0], ln_period[-1])
        picks.append(best_where(np.abs(ln_period - target[:, None]) < DISTINCT))
    while len(picks) < n_modes:
        chosen = ln_period[np.stack(picks, axis=1)]
        picks.append(best_where(np.all(np.abs(ln_period[:, None] - chosen[:, None, :]) > DISTINCT, axis=2)))
    modes = np.stack(picks, axis=1)
    # Where there is no further period, or it is out of the question, the best one stands in its place.
    return np.where(np.take_along_axis(gain, modes, axis=1) > -np.inf, modes, first[:, None])
