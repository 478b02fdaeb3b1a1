"""The fit of a batch of stars: search, refine, confirm, posterior; light curves in, catalog columns out."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from spotcat.config import FitConfig
from spotcat.fit.buckets import BINS_PER_CYCLE, BINS_PER_PERIOD, BucketSpec, Measurements, coarsen, grid_stars
from spotcat.fit.columns import FitTable, fit_table
from spotcat.fit.modes import Fit, fit_modes
from spotcat.fit.search import Bank, Found, make_bank, search

SEARCH_MARGIN = 10.0
"""A further mode this much worse in log-likelihood than the best is not worth a finer grid."""


def fit_stars(stars: Sequence[Measurements], spec: BucketSpec, config: FitConfig, lanes: int = 0) -> FitTable:
    """Fit stars of one bucket.

    Args:
        stars: light curves; all must fit the bucket's grid.
        spec: the bucket.
        config: settings of the steps.
        lanes: batch size that the arrays are padded to, so that a short batch uses the programs of a full one.

    Returns:
        One row for each star; a star that cannot be fitted has a status and NaNs.
    """
    n = len(stars)
    size = max(lanes, n)
    batch = grid_stars(_padded(stars, size), spec)
    bank = make_bank(spec, config)
    with jax.enable_x64(True):
        found = search(batch.y.astype(np.float32), batch.mask.astype(np.float32), bank, n, config.n_modes)
        found = jax.tree.map(lambda a: np.asarray(a)[:n], found)
        fit = _fit_on_own_grids(stars, found, bank, spec, config, size)
    return fit_table(fit, found, jax.tree.map(lambda a: a[:n], batch), spec, config)


def _fit_on_own_grids(
    stars: Sequence[Measurements], found: Found, bank: Bank, spec: BucketSpec, config: FitConfig, size: int
) -> Fit:
    """Refine and confirm each star on the grid that its shortest likely period needs."""
    specs = [coarsen(spec, _shortest_period(bank, found, i)) for i in range(len(stars))]
    pieces, order = [], []
    for own in sorted(set(specs)):
        members = [i for i, s in enumerate(specs) if s == own]
        batch = grid_stars(_padded([stars[i] for i in members], size), own)
        theirs = jax.tree.map(lambda a, m=members: a[m], found)
        pieces.append(fit_modes(batch, bank.templates[theirs.modes], theirs.powers, own, config))
        order += members
    back = np.argsort(order)
    return jax.tree.map(lambda *a: np.concatenate(a)[back], *pieces)


def _padded(stars: Sequence[Measurements], size: int) -> list[Measurements]:
    return [*stars, *[stars[-1]] * (size - len(stars))]


def _shortest_period(bank: Bank, found: Found, star: int) -> float:
    """The best period, or a shorter one that the search likes almost as well (four bins are enough for that)."""
    best, *_, other = np.exp(bank.templates[found.modes[star], 0])
    gain = found.gain[star]
    likely = gain[found.modes[star, -1] // (len(bank.templates) // len(bank.periods))] > gain.max() - SEARCH_MARGIN
    return min(best, other * BINS_PER_CYCLE / BINS_PER_PERIOD) if likely else best
