"""Quiet light curves made of real ones whose coherence is destroyed.

A matched-block bootstrap (Carlstein et al. 1998, Bernoulli 4, 305).  The segments are put in random order, and so are
the day-long blocks of each; every block is turned round in time, turned upside down, both or neither.  White noise,
short features and the range of levels stay, what lasts for longer than a day or repeats from day to day does not.

Of two ways to join blocks without steps, shifting each to the end of the one before it would add up to a random walk,
which is slow noise that the real light curve did not have.  So blocks are chosen, at random among those that begin
where the last one ended to within the scatter from point to point.  Where none is left that does, the nearest is taken
and tilted: what is missing is added at its beginning and fades linearly to nothing at its end, so nothing adds up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from spotcat.check.backgrounds import Piece
from spotcat.scatter import sigma_about

BLOCK = (0.7, 1.3)
"""Lengths of blocks [d]: about a day, but of no regular length, which would be a period of its own."""
PAUSE = 0.1
"""A pause longer than this [d] ends a block."""
ENDS = 1 / 24
"""The level of a block's beginning and end is the median of so much of it [d], at least three points."""

FEATURE = 0.15
"""Cuts move by up to so much [d] to where the flux is nearest to its running median of twice that, so that no flare or
dip is cut in two."""


class Scrambled(NamedTuple):
    """A scrambled light curve, and the first point of each block but the first of all that was joined to another."""

    piece: Piece
    joints: np.ndarray


@dataclass(frozen=True)
class _Block:
    """Deviations from the segment's level and their errors, and the level at beginning and end."""

    flux: np.ndarray
    error: np.ndarray
    begin: float
    end: float

    def turned(self, way: int) -> _Block:
        """As it is (0), backwards (1), upside down (2) or both (3)."""
        sign = -1.0 if way & 2 else 1.0
        if way & 1:
            return _Block(sign * self.flux[::-1], self.error[::-1], sign * self.end, sign * self.begin)
        return _Block(sign * self.flux, self.error, sign * self.begin, sign * self.end)

    def raised(self, step: float) -> _Block:
        """With `step` added to its beginning and nothing to its end."""
        return _Block(self.flux + step * np.linspace(1, 0, self.flux.size), self.error, self.begin + step, self.end)


def scramble(piece: Piece, rng: np.random.Generator) -> Scrambled:
    """Scramble one light curve; its times, and with them its gaps and segments, stay.

    Args:
        piece: at least two measurements.
        rng: decides all that is random.
    """
    scatter = point_scatter(piece)
    pools = [_blocks(piece, piece.segment == number, rng) for number in np.unique(piece.segment)]
    joined: list[_Block] = []
    for place, k in enumerate(rng.permutation(len(pools))):
        chain = _chain(pools[k], scatter, rng)
        # What is hard to join, such as a ramp, is at the chain's beginning: best at either end of the light curve.
        if place and (place == len(pools) - 1 or rng.random() < 0.5):
            chain = [block.turned(1) for block in reversed(chain)]
        if joined and abs(step := joined[-1].end - chain[0].begin) > scatter:
            chain[0] = chain[0].raised(step)
        joined += chain
    flux = 1 + np.concatenate([block.flux for block in joined])
    error = np.concatenate([block.error for block in joined])
    joints = np.cumsum([block.flux.size for block in joined])[:-1]
    return Scrambled(Piece(piece.time, flux, error, piece.segment), joints)


def point_scatter(piece: Piece) -> float:
    """Robust standard deviation of the noise from point to point, of one point."""
    same = np.diff(piece.segment) == 0
    return float(sigma_about(np.diff(piece.flux)[same], 0.0) / np.sqrt(2))


def _blocks(piece: Piece, own: np.ndarray, rng: np.random.Generator) -> list[_Block]:
    """A segment cut into blocks."""
    time, flux, error = (part[own] for part in (piece.time, piece.flux, piece.flux_err))
    level = float(np.median(flux))
    flux, error = flux / level - 1, error / level
    step = float(np.median(np.diff(time))) if time.size > 1 else 1.0
    near = max(3, round(ENDS / step))
    width = min(2 * round(FEATURE / step) + 1, time.size)
    uneven = uniform_filter1d(np.abs(flux - median_filter(flux, width, mode="nearest")), 2 * near)
    blocks = []
    for stretch in np.split(np.arange(time.size), np.flatnonzero(np.diff(time) > PAUSE) + 1):
        cuts = [_calm(time[stretch], uneven[stretch], at) for at in _cuts(time[stretch], rng)]
        for part in np.split(stretch, cuts):
            ends = float(np.median(flux[part[:near]])), float(np.median(flux[part[-near:]]))
            blocks.append(_Block(flux[part], error[part], *ends))
    return blocks


def _cuts(time: np.ndarray, rng: np.random.Generator) -> list[float]:
    """Where a stretch is cut [d], leaving nothing at its end that is shorter than half of a block."""
    at, cuts = time[0], []
    while (at := at + rng.uniform(*BLOCK)) < time[-1] - BLOCK[0] / 2:
        cuts.append(at)
    return cuts


def _calm(time: np.ndarray, uneven: np.ndarray, at: float) -> int:
    """The first point after a cut near `at`, moved to where no flare or dip is cut in two."""
    first, last = np.searchsorted(time, [at - FEATURE, at + FEATURE])
    return int(first + np.argmin(uneven[first:last])) if last > first else int(first)


def _chain(pool: list[_Block], scatter: float, rng: np.random.Generator) -> list[_Block]:
    """The blocks of a segment one after the other."""
    rest = list(pool)
    chain = [_first(rest, scatter, rng)]
    while rest:
        ways = [(k, way) for k in range(len(rest)) for way in range(4)]
        off = chain[-1].end - np.array([rest[k].turned(way).begin for k, way in ways])
        fit = np.flatnonzero(np.abs(off) <= scatter)
        chosen = int(rng.choice(fit)) if fit.size else int(np.argmin(np.abs(off)))
        k, way = ways[chosen]
        block = rest.pop(k).turned(way)
        chain.append(block if fit.size else block.raised(float(off[chosen])))
    return chain


def _first(rest: list[_Block], scatter: float, rng: np.random.Generator) -> _Block:
    """Take the block to begin with: the one whose beginning no other meets, or any if others meet all."""
    edges = np.abs([edge for block in rest for edge in (block.begin, block.end)])
    apart = np.array([np.min(np.abs(edge - np.delete(edges, i)), initial=np.inf) for i, edge in enumerate(edges)])
    hardest = int(np.argmax(apart)) if apart.max() > scatter else int(rng.integers(edges.size))
    return rest.pop(hardest // 2).turned(hardest % 2 + 2 * int(rng.integers(2)))
