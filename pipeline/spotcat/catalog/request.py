"""What is asked of a catalog on the command line, as text, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotcat.catalog.expression import Expression
from spotcat.catalog.query import open_catalog
from spotcat.catalog.schema import MATCHED, PRINTED, check_names
from spotcat.catalog.selection import Catalog
from spotcat.status import InputError


@dataclass(frozen=True)
class Request:
    """A query.

    Attributes:
        expression: a condition; blank is true for every star.
        columns: names with commas between; all, or those that are printed, if None.
        star: name of one star.
        cone: right ascension, declination and radius [deg] with commas between.
        sort: a column, with ``-`` before it from high to low.
        limit: how many stars at most.
        threshold: least reliability of a star, from 0 to 1; all stars if None.
        printed: whether the answer is printed, where few columns are wanted.
    """

    expression: str = ""
    columns: str | None = None
    star: str | None = None
    cone: str | None = None
    sort: str | None = None
    limit: int | None = None
    threshold: float | None = None
    printed: bool = False


def answer(path: str | Path, request: Request) -> Catalog:
    """Open a catalog and select what is asked; no more columns are read than that takes.

    Raises:
        InputError: there is no such catalog, or it cannot be asked this.
    """
    if request.limit is not None and request.limit < 0:
        raise InputError(f"--limit must not be negative, got {request.limit}")
    condition = _condition(request)
    wanted = _names(request.columns)
    cone = _cone(request.cone)
    catalog = open_catalog(path)
    if wanted is None:
        wanted = [name for name in PRINTED if name in catalog.names] if request.printed else catalog.names
        wanted = [*wanted, *([MATCHED[0].name] if cone else [])]
    by, descending = (request.sort or "").removeprefix("-"), (request.sort or "").startswith("-")
    found_by = [MATCHED[0].name] if cone else []
    needed = dict.fromkeys([*wanted, *([by] if by else []), *Expression(condition).names])
    check_names(needed, [*catalog.names, *found_by])
    # No more than that, since a column is read in chunks of many stars.
    stored = [name for name in needed if name in catalog.names]
    if cone:
        # The cone comes first: only the whole catalog has an index of positions.
        catalog = catalog.cone(*cone, [*stored, "name", "star_id"] if request.star is not None else stored)
    if request.star is not None:
        catalog = catalog.star(request.star, [*stored, *found_by])
    if by:
        kept = catalog.query(condition, dict.fromkeys([*wanted, by])).sort(by, descending=descending)
        rows = kept if request.limit is None else kept.head(request.limit)
        return rows.select(wanted)
    return catalog.query(condition, wanted, request.limit)


def _condition(request: Request) -> str:
    """The expression, and the reliability asked for."""
    if request.threshold is None:
        return request.expression
    if not 0 <= request.threshold <= 1:
        raise InputError(f"--threshold takes a reliability from 0 to 1, got {request.threshold:g}")
    reliable = f"reliability >= {request.threshold!r}"
    return f"({request.expression}) and {reliable}" if request.expression.strip() else reliable


def _names(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError("--columns names no column")
    return names


def _cone(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        ra, dec, radius = (float(part) for part in text.split(","))
        if not np.isfinite([ra, dec, radius]).all():
            raise ValueError
    except ValueError:
        raise InputError(f"--cone takes RA,DEC,RADIUS in degrees, such as 290.5,44.2,0.5; got {text!r}") from None
    return ra, dec, radius
