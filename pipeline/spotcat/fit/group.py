"""Stars on one grid with their period modes, and the climbs of some of these modes."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from spotcat.config import FitConfig
from spotcat.fit import confirm as confirm_module
from spotcat.fit import refine as refine_module
from spotcat.fit.climb import Climb, chosen_of
from spotcat.fit.confirm import GridStar, block_for, confirm
from spotcat.fit.lanes import Device, lanes_on
from spotcat.fit.refine import begun, refine
from spotcat.fit.shown import Shown, show
from spotcat.model.composite import support_steps
from spotcat.model.layout import Layout
from spotcat.model.whittle import Periodogram


class Table(NamedTuple):
    """What of some modes is read back from the device, to rank them: value, parameters, expected gain; NumPy."""

    value: np.ndarray
    theta: np.ndarray
    left: np.ndarray


def table_of(modes: Climb) -> Table:
    """Read back how far some modes have come."""
    return Table(*(np.asarray(a) for a in (modes.value, modes.theta, modes.left)))


class Group(NamedTuple):
    """Stars on one grid, padded to B, of which the first `n` are wanted, with `k` modes each.

    Modes lie star after star in the flat arrays of a climb, B k of them, which stay on the device.  A method works on
    those whose places it is given, in arrays that keep their size, and returns all.
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
    device: Device

    @property
    def owner(self) -> np.ndarray:
        """Star of each mode, shape (B k,)."""
        return np.repeat(np.arange(len(self.stars.y)), self.k)

    def refined(self, modes: Climb, chosen: np.ndarray, n_steps: int) -> Climb:
        """Climb on with some modes under the Whittle likelihood."""
        owner = self.owner
        lanes = lanes_on(self.device, refine_module.bytes_of_lane(self.layout), owner.size)
        some = chosen_of(chosen, owner.size)
        return refine(modes, some, owner, self.seen, self.stars.width, n_steps, self.layout, lanes)

    def curvature(self, theta: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Expected information at some modes' parameters: that of a first Whittle step there."""
        return np.asarray(self.refined(begun(theta), chosen, 1).curvature)[chosen]

    def confirmed(self, modes: Climb, chosen: np.ndarray, n_steps: int, tolerance: float) -> Climb:
        """Climb on with some modes under the exact likelihood, those of short covariance on the banded factorisation.

        A band holds the covariance where a climb begins.  One that is drawn beyond it begins again with a wider band:
        of a covariance that is cut off the likelihood is another's.
        """
        before, blocks = modes, self.blocks(np.asarray(modes.theta)[chosen])
        while chosen.size:
            if np.unique(blocks).size > 1:
                self._begin_to_compile(modes, np.unique(blocks), n_steps, tolerance)
            for block in np.unique(blocks):
                modes = self._climbed(modes, chosen[blocks == block], int(block), n_steps, tolerance)
            theta, ahead, left = (np.asarray(a)[chosen] for a in (modes.theta, modes.trial, modes.left))
            needed = self.blocks(theta)
            drawn = (np.abs(left) >= tolerance) & np.isfinite(ahead).all(axis=1)
            needed[drawn] = np.maximum(needed, self.blocks(ahead))[drawn]
            outgrown = needed > blocks
            chosen, blocks = chosen[outgrown], needed[outgrown]
            modes = replaced(modes, chosen, before)
        return modes

    def shown(self, theta: np.ndarray, prot: np.ndarray) -> Shown:
        """What fits make of the stars; parameters and mean periods [d] of all n, star by star."""
        blocks = self.blocks(theta)
        points = self.n, self.layout.n_time
        out = Shown(np.full(self.n, np.nan), np.zeros(points), np.zeros(points))
        for block in np.unique(blocks):
            members = np.flatnonzero(blocks == block)
            some = np.resize(members, len(self.stars.y))
            sizes = self.layout, self.n_segments, int(block), self.exact_lanes(int(block), some.size)
            found = show(theta[some], prot[some], some, self.stars, members.size, *sizes)
            for old, new in zip(out, found, strict=True):
                old[members] = np.asarray(new)[: members.size]
        return out

    def blocks(self, theta: np.ndarray) -> np.ndarray:
        """The block width that the covariance of each of some parameter vectors asks for."""
        return block_for(support_steps(theta, self.layout), self.layout)

    def exact_lanes(self, block: int, n: int) -> int:
        """How many of n factorisations lie side by side."""
        return lanes_on(self.device, confirm_module.bytes_of_lane(self.layout, block), n)

    def _climbed(self, modes: Climb, chosen: np.ndarray, block: int, n_steps: int, tolerance: float) -> Climb:
        return confirm(*self._confirming(modes, chosen, block, n_steps, tolerance))

    def _confirming(
        self, modes: Climb, chosen: np.ndarray, block: int, n_steps: int, tolerance: float
    ) -> tuple[Any, ...]:
        owner = self.owner
        sizes = self.layout, self.n_segments, block, self.exact_lanes(block, owner.size)
        return modes, chosen_of(chosen, owner.size), owner, self.stars, n_steps, tolerance, *sizes

    def _begin_to_compile(self, modes: Climb, blocks: np.ndarray, n_steps: int, tolerance: float) -> None:
        """Compile what modes of several widths are climbed with side by side, not each when its turn comes."""
        for block in blocks.tolist():
            confirm.ahead(*self._confirming(modes, np.zeros(1, dtype=int), block, n_steps, tolerance))


def replaced(modes: Climb, chosen: np.ndarray, others: Climb) -> Climb:
    """Some modes, those of the chosen places replaced by what `others` have there."""
    if not chosen.size:
        return modes
    which = np.zeros(len(modes.value), dtype=bool)
    which[chosen] = True
    return _where(which, others, modes)


@jax.jit
def _where(which: Array, some: Climb, others: Climb) -> Climb:
    return jax.tree.map(lambda a, b: jnp.where(which.reshape(-1, *[1] * (a.ndim - 1)), a, b), some, others)
