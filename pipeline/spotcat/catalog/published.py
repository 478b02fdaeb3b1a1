"""Periods from elsewhere: published tables, each read by a description of its columns, and short lists of our own."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spotcat.catalog.index import plain_name
from spotcat.config import nearest, read_as
from spotcat.status import InputError


@dataclass(frozen=True)
class Source:
    """Where a table of periods is from and which of its columns are what.

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


class Published(NamedTuple):
    """A period from elsewhere [d] and where it is from."""

    period: float
    reference: str


KINDS = ("rotator", "negative", "eclipsing", "pulsator", "unknown")
"""What a table may call a star: with spots that rotate visibly, without visible rotation, periodic without spots (two
kinds), and not judged."""


class Labelled(NamedTuple):
    """A star of which is known what it is: its name, one of `KINDS`, and the period of a rotator [d], else NaN."""

    name: str
    kind: str
    period: float


def known_sources() -> list[str]:
    """The names of the tables that spotcat itself describes, sorted; the folder ``literature`` beside this module."""
    folder = files("spotcat.catalog").joinpath("literature")
    return sorted(path.name.removesuffix(".toml") for path in folder.iterdir() if path.name.endswith(".toml"))


def read_source(name: str | Path) -> Source:
    """Read the description of a table.

    Args:
        name: a TOML file, or one of `known_sources`.

    Raises:
        InputError: the file is missing or is not such a description, or the name is not known.
    """
    if str(name).endswith(".toml"):
        return read_as(Source, name)
    if name not in known_sources():
        known = nearest(str(name), known_sources())
        raise InputError(f"no table {str(name)!r} is described, give a .toml file that does; {known}")
    with as_file(files("spotcat.catalog").joinpath("literature", f"{name}.toml")) as path:
        return read_as(Source, path)


def read_periods(path: str | Path, source: Source | None = None) -> dict[str, Published]:
    """Published periods by the name of the star, as `plain_name` writes it; stars without one are left out.

    Args:
        path: the table: CSV, or any format that astropy tells from its name or its bytes.
        source: what its columns are; ``name``, ``period`` [d] and, if it has it, ``reference`` if None.

    Raises:
        InputError: the file cannot be read as a table, or lacks a column.
    """
    columns, _ = _columns(path)
    wanted = (source.number, source.period) if source else ("name", "period")
    _need(path, columns, wanted)
    references = [source.reference] * len(columns[wanted[0]]) if source else columns.get("reference")
    found = {}
    for row, (star, period) in enumerate(zip(*(columns[column] for column in wanted), strict=True)):
        if star in ("", None) or period in ("", None):
            continue
        try:
            name, value = f"{source.catalog} {int(star)}" if source else str(star), float(period)
        except (TypeError, ValueError):
            raise InputError(f"{path}: a star {star!r} with the period [d] {period!r} cannot be read") from None
        if value > 0:
            found[plain_name(name)] = Published(value, str(references[row] or "") if references else "")
    return found


def published_period(table: Mapping[str, Published], name: str) -> float | None:
    """The period of a star [d], if the table has it."""
    found = table.get(plain_name(name))
    return found.period if found else None


def read_labelled(path: str | Path) -> list[Labelled] | None:
    """Stars whose kind is known, from a table with the columns ``name``, ``kind`` and, for rotators, ``period_d`` [d].

    Args:
        path: the table: CSV, or any format that astropy tells from its name or its bytes.

    Returns:
        The stars in the table's order; None if it has no column ``kind``.

    Raises:
        InputError: the file cannot be read as a table or lacks a column; a kind is not one of `KINDS`, a rotator has no
            period, or a star is there twice.
    """
    columns, lines = _columns(path)
    if "kind" not in columns:
        return None
    _need(path, columns, ("name", "period_d") if "rotator" in columns["kind"] else ("name",))
    periods = columns.get("period_d", [None] * len(lines))
    found: dict[str, Labelled] = {}
    for line, name, kind, period in zip(lines, columns["name"], columns["kind"], periods, strict=True):
        star = Labelled(str(name or "").strip(), str(kind or "").strip(), _number(period))
        if not star.name:
            raise InputError(f"{path}: line {line}: the star has no name")
        if star.kind not in KINDS:
            raise InputError(f"{path}: line {line}: kind {star.kind!r} of {star.name}; use one of {', '.join(KINDS)}")
        if star.kind == "rotator" and not 0 < star.period < np.inf:
            raise InputError(f"{path}: line {line}: the rotator {star.name} needs a period_d above 0, got {period!r}")
        if plain_name(star.name) in found:
            raise InputError(f"{path}: line {line}: {star.name} is there twice; keep one of the lines")
        found[plain_name(star.name)] = star if star.kind == "rotator" else star._replace(period=np.nan)
    return list(found.values())


def _number(value: Any) -> float:
    """A number, NaN for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def _need(path: str | Path, columns: Mapping[str, list[Any]], wanted: Iterable[str]) -> None:
    for column in wanted:
        if column not in columns:
            raise InputError(f"{path}: no column {column!r}; {nearest(column, list(columns))}")


def _columns(path: str | Path) -> tuple[Mapping[str, list[Any]], list[int]]:
    """The columns of a table, None or "" where a value is missing, and the line of each row: of a CSV file that on
    which it ends, else its number."""
    try:
        if Path(path).suffix.lower() == ".csv":
            # astropy takes longer to import than most such lists take to draw.
            with Path(path).open(newline="", encoding="utf-8-sig") as stream:
                reader = csv.DictReader(stream)
                names = list(reader.fieldnames or ())
                rows = [(reader.line_num, row) for row in reader]
            return {name: [row[name] for _, row in rows] for name in names}, [line for line, _ in rows]
        from astropy.table import Table

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # units and nulls of published tables are not always FITS
            table = Table.read(path)
        return {name: table[name].tolist() for name in table.colnames}, list(range(1, len(table) + 1))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:
        raise InputError(f"{path}: cannot be read as a table ({str(error).splitlines()[0]})") from None
