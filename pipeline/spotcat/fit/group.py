"""Stars on one grid with their period modes, and the climbs of some of these modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from spotcat.config import FitConfig
from spotcat.fit.climb import Climb, begin_at
from spotcat.fit.confirm import GridStar, block_for, confirm
from spotcat.fit.refine import lanes_for, refine
from spotcat.fit.shown import Shown, show
from spotcat.gp.composite import support_steps
from spotcat.gp.layout import Layout
from spotcat.gp.whittle import Periodogram


class Group(NamedTuple):
    """Stars on one grid, padded to B, of which the first `n` are wanted, with `k` modes each.

    Modes lie star after star in the flat arrays of a climb, B k of them.  A method works on those whose places it is
    given, in arrays that keep their size, and returns all.
    """

    n: int
    k: int
    stars: GridStar
    seen: Periodogram
    null: np.ndarray
    layout: Layout
    n_segments: int
    config: FitConfig
    shortest: float

    def refined(self, modes: Climb, chosen: np.ndarray, n_steps: int) -> Climb:
        """Climb on with some modes under the Whittle likelihood."""

        def work(some: Climb, owner: np.ndarray) -> Climb:
            lanes = lanes_for(self.layout)
            return refine(some, owner, self.seen, self.stars.width, n_steps, chosen.size, self.layout, lanes)

        return self._advanced(work, modes, chosen)

    def curvature(self, modes: Climb, chosen: np.ndarray) -> np.ndarray:
        """Expected information at some modes: that of a first Whittle step there."""
        return np.asarray(self.refined(begin_at(modes.theta), chosen, 1).curvature[chosen])

    def confirmed(self, modes: Climb, chosen: np.ndarray, n_steps: int, tolerance: float) -> Climb:
        """Climb on with some modes under the exact likelihood, those of short covariance on the banded factorisation.

        A band holds the covariance where a climb begins.  One that is drawn beyond it begins again with a wider band:
        of a covariance that is cut off the likelihood is another's.
        """
        before, blocks = modes, self._blocks(modes.theta[chosen])
        while chosen.size:
            if np.unique(blocks).size > 1:
                self._begin_to_compile(modes, np.unique(blocks), n_steps, tolerance)
            for block in np.unique(blocks):
                modes = self._climbed(modes, chosen[blocks == block], int(block), n_steps, tolerance)
            needed, ahead = self._blocks(modes.theta[chosen]), modes.trial[chosen]
            drawn = (np.abs(modes.left[chosen]) >= tolerance) & np.isfinite(ahead).all(axis=1)
            needed[drawn] = np.maximum(needed, self._blocks(ahead))[drawn]
            outgrown = needed > blocks
            chosen, blocks = chosen[outgrown], needed[outgrown]
            modes = replaced(modes, chosen, before)
        return modes

    def shown(self, theta: np.ndarray, prot: np.ndarray) -> Shown:
        """What fits make of the stars; parameters and mean periods [d] of all n, star by star."""
        blocks = self._blocks(theta)
        points = self.n, self.layout.n_time
        out = Shown(np.full(self.n, np.nan), np.zeros(points), np.zeros(points))
        for block in np.unique(blocks):
            members = np.flatnonzero(blocks == block)
            lanes, sizes = np.resize(members, len(self.stars.y)), (self.layout, self.n_segments, int(block))
            found = show(theta[lanes], prot[lanes], lanes, self.stars, members.size, *sizes)
            for old, new in zip(out, found, strict=True):
                old[members] = np.asarray(new)[: members.size]
        return out

    def _blocks(self, theta: np.ndarray) -> np.ndarray:
        return block_for(support_steps(theta, self.layout), self.layout)

    def _climbed(self, modes: Climb, chosen: np.ndarray, block: int, n_steps: int, tolerance: float) -> Climb:
        def work(some: Climb, owner: np.ndarray) -> Climb:
            sizes = self.layout, self.n_segments, block
            return confirm(some, owner, self.stars, n_steps, tolerance, chosen.size, *sizes)

        return self._advanced(work, modes, chosen)

    def _begin_to_compile(self, modes: Climb, blocks: np.ndarray, n_steps: int, tolerance: float) -> None:
        """Compile what modes of several widths are climbed with side by side, not each when its turn comes."""
        lanes = np.resize(0, len(modes.value))
        some = jax.tree.map(lambda a: a[lanes], modes)
        for block in blocks.tolist():
            confirm.ahead(some, lanes // self.k, self.stars, n_steps, tolerance, 1, self.layout, self.n_segments, block)

    def _advanced(self, work: Callable[[Climb, np.ndarray], Climb], modes: Climb, chosen: np.ndarray) -> Climb:
        """The modes, those of the chosen replaced by what `work` makes of them."""
        lanes = np.resize(chosen, len(modes.value))
        moved = work(jax.tree.map(lambda a: a[lanes], modes), lanes // self.k)
        out = jax.tree.map(np.array, modes)
        for old, new in zip(out, moved, strict=True):
            old[chosen] = np.asarray(new)[: chosen.size]
        return out


def replaced(modes: Climb, chosen: np.ndarray, others: Climb) -> Climb:
    """A copy of some modes, those of the chosen places replaced by what `others` have there."""
    out = jax.tree.map(np.array, modes)
    for old, new in zip(out, others, strict=True):
        old[chosen] = new[chosen]
    return out
