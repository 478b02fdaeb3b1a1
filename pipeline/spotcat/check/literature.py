"""Published periods beside those of a catalog: how many agree, which are aliases, and which deserve a look."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spotcat.check.recovery import TOLERANCE, matches
from spotcat.config import nearest, read_as
from spotcat.status import Flag, InputError

CLOSE = 0.05
"""Periods that differ by no more than this fraction agree closely."""


@dataclass(frozen=True)
class Source:
    """Where a table of periods is from and which of its columns are what: a file of ``catalogs/literature``.

    Attributes:
        reference: as a text would cite it.
        bibcode: of the paper.
        title: of the paper or the table.
        catalog: what names begin with: KIC, EPIC or TIC.
        number: column of the star's number.
        period: column of the period [d].
    """

    reference: str
    bibcode: str
    title: str
    catalog: str
    number: str
    period: str


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


def read_source(path: str | Path) -> Source:
    """Read the description of a table.

    Raises:
        InputError: the file is missing, or is not such a description.
    """
    return read_as(Source, path)


def read_periods(path: str | Path, source: Source) -> dict[str, float]:
    """Published periods [d] by the name of the star, such as ``KIC 2157356``; stars without one are left out.

    Raises:
        InputError: the file cannot be read as a table, or lacks a column.
    """
    from astropy.table import Table

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # units and nulls of published tables are not always FITS
            table = Table.read(path)
    except Exception as error:
        raise InputError(f"{path}: cannot be read as a table ({str(error).splitlines()[0]})") from None
    for column in (source.number, source.period):
        if column not in table.colnames:
            raise InputError(f"{path}: no column {column!r}; {nearest(column, table.colnames)}")
    period: np.ndarray = np.ma.filled(np.ma.asarray(table[source.period], float), np.nan)
    number = np.ma.asarray(table[source.number])
    return {
        f"{source.catalog} {int(n)}": float(p)
        for n, p in zip(number, period, strict=True)
        if n is not np.ma.masked and p > 0
    }


def agreement(found: Mapping[str, Any], published: Mapping[str, float]) -> Agreement:
    """Compare.

    Args:
        found: ``name``, ``prot``, ``rotating`` and ``flags`` of a catalog, arrays of shape (n,).
        published: periods [d] by name.
    """
    names = [str(name) for name in found["name"]]
    common = np.array([name in published for name in names], bool)
    rows = np.flatnonzero(common & (np.asarray(found["rotating"]) == 1))
    theirs = np.array([published[names[row]] for row in rows])
    ours, flags = (np.asarray(found[key])[rows] for key in ("prot", "flags"))

    def share(which: np.ndarray) -> float:
        return float(which.mean()) if rows.size else np.nan

    close = np.abs(ours / theirs - 1) <= CLOSE
    near, half, double = matches(ours, theirs)
    outliers = np.flatnonzero(~close & ((flags == 0) | ~(near | half | double)))
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
    lines = [
        f"{source.reference} ({source.bibcode}): {result.n_common} common stars, {result.n_rotating} called rotators",
        f"  within {CLOSE:.0%} {result.close:.1%}, within {TOLERANCE:.0%} {result.near:.1%}, "
        f"half {result.half:.1%}, double {result.double:.1%}",
    ]
    lines += [f"  {o.name:16} {o.prot:9.4f} d, published {o.published:9.4f} d  {o.words}" for o in result.outliers]
    return "\n".join(lines)
