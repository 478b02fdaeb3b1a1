"""Published periods beside those of a catalog: how many agree, which are aliases, and which deserve a look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spotcat.catalog.index import plain_name
from spotcat.catalog.published import Published, Source
from spotcat.check.recovery import TOLERANCE, matches
from spotcat.status import Flag

CLOSE = 0.05
"""Periods that differ by no more than this fraction agree closely."""


@dataclass(frozen=True)
class Outlier:
    """A star whose period is neither near the published one nor flagged as uncertain there."""

    name: str
    prot: float
    published: float
    words: str


@dataclass(frozen=True)
class Agreement:
    """What became of the stars that both have, as fractions of those of them that were called rotators.

    Attributes:
        n_common: stars with a published period.
        n_rotating: those of them that the catalog calls rotators.
        close: fraction within 5 %.
        near: fraction within 10 %.
        half: fraction within 10 % of half the published period.
        double: fraction within 10 % of twice that.
        outliers: the rest, and every star off by more than 5 % without a flag, by name.
    """

    n_common: int
    n_rotating: int
    close: float
    near: float
    half: float
    double: float
    outliers: tuple[Outlier, ...]


def agreement(found: Mapping[str, Any], published: Mapping[str, Published]) -> Agreement:
    """Compare.

    Args:
        found: ``name``, ``prot``, ``rotating`` and ``flags`` of a catalog, arrays of shape (n,).
        published: what `read_periods` returns.
    """
    names = [str(name) for name in found["name"]]
    keys = [plain_name(name) for name in names]
    common = np.array([key in published for key in keys], bool)
    rows = np.flatnonzero(common & (np.asarray(found["rotating"]) == 1))
    theirs = np.array([published[keys[row]].period for row in rows])
    ours, flags = (np.asarray(found[key])[rows] for key in ("prot", "flags"))

    def share(which: np.ndarray) -> float:
        return float(which.mean()) if rows.size else np.nan

    close = np.abs(ours / theirs - 1) <= CLOSE
    near, half, double = matches(ours, theirs)
    outliers = np.flatnonzero(~close & ((flags & ~int(Flag.UNCALIBRATED) == 0) | ~(near | half | double)))
    return Agreement(
        int(common.sum()),
        rows.size,
        share(close),
        share(near),
        share(half),
        share(double),
        tuple(
            Outlier(names[rows[i]], float(ours[i]), float(theirs[i]), "; ".join(Flag(int(flags[i])).words))
            for i in sorted(outliers, key=lambda i: names[rows[i]])
        ),
    )


def in_words(source: Source, result: Agreement) -> str:
    """The comparison as text."""
    counts = f"{result.n_common} common stars, {result.n_rotating} called rotators"
    bibcode = f" ({source.bibcode})" if source.bibcode else ""
    lines = [f"{source.reference}{bibcode}: {counts}"]
    if not result.n_rotating:
        return lines[0]
    lines += [
        f"  within {CLOSE:.0%} {result.close:.1%}, within {TOLERANCE:.0%} {result.near:.1%}, "
        f"half {result.half:.1%}, double {result.double:.1%}",
    ]
    lines += [f"  {o.name:16} {o.prot:9.4f} d, published {o.published:9.4f} d  {o.words}" for o in result.outliers]
    return "\n".join(lines)
