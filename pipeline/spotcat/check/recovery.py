"""How often a period comes out right, against a table of true periods."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spotcat.status import InputError

if TYPE_CHECKING:
    from spotcat.catalog.selection import Catalog

TOLERANCE = 0.1
"""A period within this fraction of the true one is right."""


METHODS = {"spotcat": "prot", "Lomb-Scargle": "p_ls", "autocorrelation": "p_acf"}
"""The catalog's period columns by method."""


@dataclass(frozen=True)
class Recovery:
    """What became of a set of stars, as fractions of all of them, those without a period included.

    Attributes:
        n_stars: number of stars.
        within: right: within `TOLERANCE` of the equatorial or the photometric period.
        half: not right, but within `TOLERANCE` of half of one of them.
        double: neither, but within `TOLERANCE` of twice one of them.
    """

    n_stars: int
    within: float
    half: float
    double: float


def recovery(period: np.ndarray, peq: np.ndarray, prot: np.ndarray) -> Recovery:
    """Compare periods with the truth.

    Args:
        period: periods found [d], NaN where none was, shape (n,).
        peq: true equatorial periods [d], shape (n,).
        prot: true photometric periods [d], shape (n,).

    Raises:
        ValueError: there are no stars.
    """
    if len(period) == 0:
        raise ValueError("recovery of no stars")
    right, half, double = matches(period, peq, prot)
    return Recovery(len(period), float(right.mean()), float(half.mean()), float(double.mean()))


def matches(period: np.ndarray, *true: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whether each period is within `TOLERANCE` of a true one [d], else of half, else of twice one; (n,) each."""

    def near(factor: float) -> np.ndarray:
        return np.any([np.abs(period / (factor * each) - 1) <= TOLERANCE for each in true], axis=0)

    right = near(1.0)
    half = near(0.5) & ~right
    return right, half, near(2.0) & ~right & ~half


def recovery_table(rows: Mapping[str, Recovery]) -> str:
    """Recoveries as aligned text, one line per method.

    Args:
        rows: recoveries by the name of the method.
    """
    width = max(map(len, rows))
    lines = [f"{'':{width}}  stars  within {TOLERANCE:.0%}  half  double"]
    lines += [
        f"{name:{width}}  {r.n_stars:5d}  {r.within:10.0%}  {r.half:4.0%}  {r.double:6.0%}" for name, r in rows.items()
    ]
    return "\n".join(lines)


def read_truth(path: str | Path) -> dict[str, np.ndarray]:
    """Read the truth of a simulated survey.

    Returns:
        Arrays of shape (n,) by column, in the file's order: text for ``name``, ``family`` and ``background``,
        float64 for the rest.

    Raises:
        InputError: the file is missing or is not such a table.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        words = ["name", *({"family", "background"} & rows[0].keys())]
        text = {key: np.array([row.pop(key) for row in rows]) for key in words}
        return text | {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (KeyError, IndexError, TypeError, ValueError):
        raise InputError(f"{path}: not a table of true periods as `spotcat simulate` writes it") from None


def compare(catalog: Catalog, truth: Mapping[str, np.ndarray]) -> dict[str, Recovery]:
    """How well spotcat and the two classical methods recovered the periods of simulated stars.

    Args:
        catalog: an open catalog that holds every star of `truth`.
        truth: what ``read_truth`` returns.
    """
    found = found_for(catalog, truth["name"], METHODS.values())
    return {method: recovery(found[column], truth["peq"], truth["prot"]) for method, column in METHODS.items()}


def found_for(catalog: Catalog, names: Iterable[str], columns: Iterable[str]) -> dict[str, np.ndarray]:
    """A catalog's numbers for given stars.

    Args:
        catalog: a catalog, opened.
        names: names of stars.
        columns: numeric columns of the catalog.

    Returns:
        float64 arrays by column, in the order of `names`; NaN where the catalog lacks a star.
    """
    row_of = {name: row for row, name in enumerate(catalog.column("name").tolist())}
    rows = [row_of.get(name, -1) for name in names]
    return {column: np.append(catalog.column(column).astype(float), np.nan)[rows] for column in columns}
