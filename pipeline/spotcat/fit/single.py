"""The fit of one rotation to each of some stars, on the grids that their periods need."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from spotcat.config import FitConfig
from spotcat.fit.buckets import BINS_PER_CYCLE, BINS_PER_PERIOD, BucketSpec, Measurements, grid_stars
from spotcat.fit.lanes import Room
from spotcat.fit.levels import Searched, Starts
from spotcat.fit.modes import Fit, Wanted, fit_modes
from spotcat.fit.posterior import rotating_share
from spotcat.model.grid import Grid

SEARCH_MARGIN = 10.0
"""A further mode this much worse in log-likelihood than the best is not worth a finer grid."""
MAIN_SHARE = 0.5
"""A period with less of the variance that is not white is tried against those that carry more."""
SLOWER = 3.0
"""So many times slower, at least."""
SLOW_GAIN, SLOW_FRACTION = 3.0, 0.5
"""What a slow period must gain over no rotation on its own grid, and which part of what the fast one gains: beside any
drift a rotation beyond doubt stays one."""


def fit_one_signal(
    stars: Sequence[Measurements], searched: Searched, spec: BucketSpec, config: FitConfig, room: Room
) -> Fit:
    """Fit stars as one rotation beside noise.

    Args:
        stars: light curves.
        searched: what their search found.
        spec: their bucket.
        config: settings of the steps.
        room: sizes of arrays, and their device.
    """
    fit = fit_on_own_grids(stars, searched.starts(spec.periods(config), config.n_modes), spec, config, room)
    _prefer_what_carries(fit, stars, searched, spec, config, room)
    return fit


def replace_fits(fit: Fit, chosen: np.ndarray | list[int], others: Fit) -> None:
    """Put the fits of some stars in place of those that are there."""
    for old, new in zip(jax.tree.leaves(fit), jax.tree.leaves(others), strict=True):
        old[chosen] = new


def _prefer_what_carries(
    fit: Fit, stars: Sequence[Measurements], searched: Searched, spec: BucketSpec, config: FitConfig, room: Room
) -> None:
    """Replace fast periods of little variance, such as pointing jitter, by slow ones that carry most of it.

    On the grid of a slow period fast features average out, so the two likelihoods do not compare: the share of the
    variance decides, where the slow period is a rotation by itself.
    """
    periods, share = spec.periods(config), rotating_share(fit.theta, spec.layout(config))
    slow = np.flatnonzero((share < MAIN_SHARE) & (SLOWER * fit.best.prot < periods[-1]))
    if not slow.size:
        return
    some = Searched(*(a[slow] for a in searched)).longer_than(SLOWER * fit.best.prot[slow], periods)
    members = [stars[i] for i in slow.tolist()]
    other = fit_on_own_grids(members, some.starts(periods, config.n_modes), spec, config, room)
    better = (rotating_share(other.theta, spec.layout(config)) > MAIN_SHARE) & (other.gain > SLOW_GAIN)
    better &= (other.gain > SLOW_FRACTION * fit.gain[slow]) & (other.best.prot > fit.best.prot[slow])
    replace_fits(fit, slow[better], jax.tree.map(lambda a: a[better], other))


def fit_on_own_grids(
    stars: Sequence[Measurements], starts: Starts, spec: BucketSpec, config: FitConfig, room: Room
) -> Fit:
    """Refine and confirm each star on the grid that its shortest likely period needs.

    A star whose best mode then turns faster than its grid can show is fitted again on a finer one: that mode may be
    another's alias, and a weak star's may be what is left of a clear one.

    Args:
        stars: light curves.
        starts: their period modes.
        spec: their bucket.
        config: settings of the steps.
        room: sizes of arrays, and their device.
    """
    periods = spec.periods(config)
    shortest = [_shortest_period(gain, place, periods) for gain, place in zip(starts.gain, starts.place, strict=True)]
    grids = [spec.fitted(period, config) for period in shortest]
    fit = _fit_on(grids, stars, starts, spec, config, room)
    while True:
        found = zip(grids, fit.best.peq, fit.gain, strict=True)
        finer = [spec.refitted(grid, float(peq), float(gain), config) for grid, peq, gain in found]
        again = [i for i, grid in enumerate(finer) if grid.dt < grids[i].dt]
        if not again:
            return fit
        for i in again:
            grids[i] = finer[i]
        some = Starts(*(a[again] for a in starts))
        replace_fits(
            fit, again, _fit_on([grids[i] for i in again], [stars[i] for i in again], some, spec, config, room)
        )


def _fit_on(
    grids: Sequence[Grid],
    stars: Sequence[Measurements],
    starts: Starts,
    spec: BucketSpec,
    config: FitConfig,
    room: Room,
) -> Fit:
    """Refine and confirm each star on its grid, those of one grid together."""
    pieces, order = [], []
    wanted = Wanted(spec.n_segments, config, spec.periods(config)[0], room)
    for own in sorted(set(grids)):
        members = [i for i, grid in enumerate(grids) if grid == own]
        batch = grid_stars([stars[i] for i in members], own)
        theirs = Starts(*(a[members] for a in starts))
        pieces.append(fit_modes(batch, theirs, own, wanted))
        order += members
    back = np.argsort(order)
    return jax.tree.map(lambda *a: np.concatenate(a)[back], *pieces)


def _shortest_period(gain: np.ndarray, place: np.ndarray, periods: np.ndarray) -> float:
    """The best period, or a shorter one that the search likes almost as well (four bins are enough for that)."""
    likely = periods[place[~(gain[place] < gain.max() - SEARCH_MARGIN)]]  # all of them if there is no gain
    return min(periods[place[0]], likely.min() * BINS_PER_CYCLE / BINS_PER_PERIOD)
