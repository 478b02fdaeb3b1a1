"""Tables that hold more than one star: by a column that names them, or by how their rows are arranged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from spotcat.ingest.clean import Refusal
from spotcat.ingest.fields import Field
from spotcat.status import Status

_WHAT = r"tic|kic|epic|kep|gaia[a-z0-9]*|hip|hd|tyc|2mass|twomass|toi|koi|star|target|targ|object|obj|host"
_OF = r"id|ids|name|names|number|num|no|designation|identifier"
_STARS = re.compile(rf"(?:{_WHAT})(?:{_OF})?|(?:kepler|k2|tess|mission|source|src|lc|lightcurve|simbad|main)(?:{_OF})")
_ANYTHING = re.compile(r"id|ids|name|designation|identifier|label")
"""Names that may also number the rows."""
_SHOWN, _LETTERS = 3, 24
"""Stars in a message, and letters of each."""
_FEWEST = 20
"""Fewer rows show no arrangement."""
_BLOCKS = 10
"""Rows of a block, at least; shorter ones are rows out of order."""
_OVERLAP = 5
"""Rows that two blocks have between each other's."""
_MOST = 8
"""Stars whose rows take turns."""
_UNEVEN, _EVEN = 0.05, 0.02
"""Of a typical step: how far the steps between stars that take turns differ, and those of one star."""
_UNLIKE = 1.2
"""How much more neighbouring rows differ than rows of one star."""
_APART = 0.2
"""Two levels are further apart than this share of the typical flux."""
_TURNS = 0.1
"""Of the rows: how often two levels take turns."""


def several_stars(fields: Sequence[Field]) -> Refusal | None:
    """A refusal where a column names more than one star."""
    for field in fields:
        name = re.sub(r"[^a-z0-9]", "", field.name.lower())
        numbers_rows = bool(_ANYTHING.fullmatch(name))
        if not numbers_rows and not _STARS.fullmatch(name):
            continue
        stars = sorted(field.words())
        if len(stars) > 1 and not (numbers_rows and len(stars) == len(field.values)):
            shown = ", ".join(star[:_LETTERS] for star in stars[:_SHOWN])
            more = ", ..." if len(stars) > _SHOWN else ""
            words = f"column {field.name!r} names {len(stars)} stars ({shown}{more}); write a table for each star"
            return Refusal(Status.UNSUPPORTED, words)
    return None


def several_series(time: np.ndarray, flux: np.ndarray) -> Refusal | None:
    """A refusal where the rows are several light curves, one after the other or by turns.

    Args:
        time: in the order of the rows [d].
        flux: at these times.
    """
    good = np.flatnonzero(np.isfinite(time) & np.isfinite(flux))
    time, flux = time[good], flux[good]
    if time.size < _FEWEST:
        return None
    if start := _restarts(time, flux):
        words = f"its times start again after {good[start]} rows, with other fluxes"
    else:
        order = np.argsort(time, kind="stable")
        if not _take_turns(time[order], flux[order]):
            return None
        words = "its rows are several light curves that take turns"
    return Refusal(Status.UNSUPPORTED, f"{words}: several stars in one table? write a table for each")


def _restarts(time: np.ndarray, flux: np.ndarray) -> int:
    """The row from which a block of times lies within the longest block, but fluxes differ; 0 for none."""
    edges = np.r_[0, np.flatnonzero(np.diff(time) < 0) + 1, time.size]
    if edges.size < 3 or edges.size - 1 > time.size / _BLOCKS:
        return 0
    blocks = [slice(a, b) for a, b in pairwise(edges)]
    longest = max(blocks, key=lambda block: block.stop - block.start)
    pairs = set(zip(time[longest].tolist(), flux[longest].tolist(), strict=True))
    for block in blocks:
        first, last = max(time[block][0], time[longest][0]), min(time[block][-1], time[longest][-1])
        between = [(time[part] >= first) & (time[part] <= last) for part in (block, longest)]
        if block == longest or min(map(np.count_nonzero, between)) < _OVERLAP:
            continue
        both = zip(time[block][between[0]].tolist(), flux[block][between[0]].tolist(), strict=True)
        if np.mean([pair in pairs for pair in both]) < 0.5:
            return max(block.start, longest.start)
    return 0


def _take_turns(time: np.ndarray, flux: np.ndarray) -> bool:
    """Whether sorted rows belong to several light curves by turns."""
    return _two_levels(flux) or any(_turns_of(time, flux, n) for n in range(2, _MOST + 1))


def _turns_of(time: np.ndarray, flux: np.ndarray, n: int) -> bool:
    """Whether every n-th row is of one evenly sampled light curve, and neighbours are not."""
    own, near = time[n:] - time[:-n], np.diff(time)
    step = float(np.median(own))
    if step <= 0 or np.median(np.abs(own - step)) > _EVEN * step:
        return False
    typical = [float(np.median(near[k::n])) for k in range(n)]
    if max(typical) - min(typical) < _UNEVEN * step:
        return False
    return bool(np.median(np.abs(np.diff(flux))) > _UNLIKE * np.median(np.abs(flux[n:] - flux[:-n])))


def _two_levels(flux: np.ndarray) -> bool:
    """Whether the flux jumps to and fro between two levels with nothing between them."""
    values = np.sort(flux)
    few = int(_TURNS * flux.size)
    gaps = np.diff(values)[few : flux.size - few]
    cut = few + int(np.argmax(gaps))
    low, high = values[: cut + 1], values[cut + 1 :]
    # The wider of the two, as much of it as is no outlier.
    width = max(float(np.subtract(*np.quantile(part, [0.9, 0.1]))) for part in (low, high))
    turns = np.count_nonzero(np.diff(flux > values[cut]))
    gap = values[cut + 1] - values[cut]
    return bool(gap > max(width, _APART * np.median(np.abs(flux))) and turns > _TURNS * flux.size)
