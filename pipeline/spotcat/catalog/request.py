"""What is asked of a catalog on the command line, as text, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spotcat.catalog.expression import Expression
from spotcat.catalog.presets import check_preset, preset_of
from spotcat.catalog.query import open_catalog
from spotcat.catalog.schema import MATCHED, PRINTED, check_names
from spotcat.catalog.selection import Catalog
from spotcat.status import InputError

_KNOWN_BY = ("name", "star_id", "mission_id")
"""Columns by which a star is found."""


@dataclass(frozen=True)
class Request:
    """A query.

    Attributes:
        expression: a condition; blank is true for every star.
        columns: names with commas between, or ``all``; all, those of the preset or those that are printed, if None.
        star: name, star id or mission's number of one star.
        cone: right ascension, declination and radius [deg] with commas between.
        sort: a column, with ``-`` before it from high to low.
        limit: how many stars at most.
        threshold: least reliability of a star, from 0 to 1; all stars if None.
        preset: name of a selection, which the condition narrows; empty for none.
        printed: whether the answer is printed, where few columns are wanted.
    """

    expression: str = ""
    columns: str | None = None
    star: str | None = None
    cone: str | None = None
    sort: str | None = None
    limit: int | None = None
    threshold: float | None = None
    preset: str = ""
    printed: bool = False


def answer(path: str | Path, request: Request) -> Catalog:
    """Open a catalog and select what is asked; no more columns are read than that takes.

    Raises:
        InputError: there is no such catalog, or it cannot be asked this.
    """
    if request.limit is not None and request.limit < 0:
        raise InputError(f"--limit must not be negative, got {request.limit}")
    cone, catalog = _cone(request.cone), open_catalog(path)
    if request.preset:
        check_preset(request.preset, catalog.names)
    condition = _condition(request)
    found_by = [MATCHED[0].name] if cone else []
    wanted = _wanted(request, catalog.names, found_by)
    catalog = catalog.with_errors()
    by, descending = (request.sort or "").removeprefix("-"), (request.sort or "").startswith("-")
    needed = dict.fromkeys([*wanted, *([by] if by else []), *Expression(condition).names])
    check_names(needed, [*catalog.names, *found_by])
    # No more than that, since a column is read in chunks of many stars.
    stored = [name for name in needed if name in catalog.names]
    if cone:
        # The cone comes first: only the whole catalog has an index of positions.
        known_by = [name for name in _KNOWN_BY if name in catalog.names]
        catalog = catalog.cone(*cone, [*stored, *known_by] if request.star is not None else stored)
    if request.star is not None:
        catalog = catalog.star(request.star, [*stored, *found_by])
    if by:
        kept = catalog.query(condition, dict.fromkeys([*wanted, by])).sort(by, descending=descending)
        rows = kept if request.limit is None else kept.head(request.limit)
        return rows.select(wanted)
    return catalog.query(condition, wanted, request.limit)


def _condition(request: Request) -> str:
    """The expression, with what the preset and the reliability asked for add."""
    parts = [preset_of(request.preset).expression if request.preset else "", request.expression.strip()]
    if request.threshold is not None:
        if not 0 <= request.threshold <= 1:
            raise InputError(f"--threshold takes a reliability from 0 to 1, got {request.threshold:g}")
        parts.append(f"reliability >= {request.threshold!r}")
    kept = [part for part in parts if part]
    return kept[0] if len(kept) == 1 else " and ".join(f"({part})" for part in kept)


def _wanted(request: Request, every: list[str], found_by: list[str]) -> list[str]:
    """The columns to give."""
    asked = None if request.columns is None else [name.strip() for name in request.columns.split(",") if name.strip()]
    if asked == []:
        raise InputError("--columns names no column")
    if asked == ["all"]:
        return [*every, *found_by]
    if asked is not None:
        return asked
    if request.preset:
        return [*preset_of(request.preset).columns, *found_by]
    return [*(name for name in (PRINTED if request.printed else every) if name in every), *found_by]


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
