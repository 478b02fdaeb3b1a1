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

from spotcat.check.backgrounds import Piece

BLOCK = (0.7, 1.3)
"""Lengths of blocks [d]: about a day, but of no regular length, which would be a period of its own."""
PAUSE = 0.1
"""A pause longer than this [d] ends a block."""
ENDS = 1 / 24
"""The level of a block's beginning and end is the median of so much of it [d], at least three points."""

_MAD_TO_SIGMA = 1.4826


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
    for k in rng.permutation(len(pools)):
        joined += _joined(pools[k], joined[-1] if joined else None, scatter, rng)
    flux = 1 + np.concatenate([block.flux for block in joined])
    error = np.concatenate([block.error for block in joined])
    joints = np.cumsum([block.flux.size for block in joined])[:-1]
    return Scrambled(Piece(piece.time, flux, error, piece.segment), joints)


def point_scatter(piece: Piece) -> float:
    """Robust standard deviation of the noise from point to point, of one point."""
    same = np.diff(piece.segment) == 0
    return float(_MAD_TO_SIGMA * np.median(np.abs(np.diff(piece.flux)[same])) / np.sqrt(2)) if same.any() else 0.0


def _blocks(piece: Piece, own: np.ndarray, rng: np.random.Generator) -> list[_Block]:
    """A segment cut into blocks."""
    time, flux, error = (part[own] for part in (piece.time, piece.flux, piece.flux_err))
    level = float(np.median(flux))
    flux, error = flux / level - 1, error / level
    near = max(3, round(ENDS / float(np.median(np.diff(time))))) if time.size > 1 else 1
    blocks = []
    for stretch in np.split(np.arange(time.size), np.flatnonzero(np.diff(time) > PAUSE) + 1):
        inner = np.cumsum(rng.uniform(*BLOCK, 2 + int(np.ptp(time[stretch]) / BLOCK[0])))
        cuts = np.searchsorted(time[stretch], time[stretch[0]] + inner)
        for part in np.split(stretch, np.unique(cuts[cuts < stretch.size])):
            ends = float(np.median(flux[part[:near]])), float(np.median(flux[part[-near:]]))
            blocks.append(_Block(flux[part], error[part], *ends))
    return blocks


def _joined(pool: list[_Block], last: _Block | None, scatter: float, rng: np.random.Generator) -> list[_Block]:
    """The blocks of a segment one after the other, the first joined to `last`."""
    rest, joined = list(pool), []
    while rest:
        ways = [(k, way) for k in range(len(rest)) for way in range(4)]
        begins = np.array([rest[k].turned(way).begin for k, way in ways])
        off = np.zeros(len(ways)) if last is None else last.end - begins
        fit = np.flatnonzero(np.abs(off) <= scatter)
        chosen = int(rng.choice(fit)) if fit.size else int(np.argmin(np.abs(off)))
        k, way = ways[chosen]
        block = rest.pop(k).turned(way)
        last = block if fit.size else block.raised(float(off[chosen]))
        joined.append(last)
    return joined
