"""Selected rows as text: an aligned table for people, CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from spotcat.catalog.atomic import write_file
from spotcat.config import nearest
from spotcat.status import InputError

if TYPE_CHECKING:
    import xarray as xr

FORMATS = ("table", "csv", "json")


def export(rows: xr.Dataset, form: str, stream: TextIO) -> None:
    """Write rows as text, one line per star.

    A ``table`` has aligned columns under their names and units, six significant digits and ``-`` where a
    value is missing.  ``csv`` has one header line of plain names, every digit, and nothing where a value is
    missing.  ``json`` is a list of objects, with null where a value is missing or infinite.

    Args:
        rows: what `query` or `star` returned; variables with other dimensions than ``star`` are left out.
        form: one of `FORMATS`.
        stream: where the text goes.

    Raises:
        InputError: no such format.
    """
    if form not in FORMATS:
        raise InputError(f"unknown format {form!r}; {nearest(form, list(FORMATS))}")
    names = [str(name) for name, variable in rows.variables.items() if variable.dims == ("star",)]
    columns = [_plain(rows[name].values) for name in names]
    if form == "table":
        units = [str(rows[name].attrs.get("units", "")) for name in names]
        stream.writelines(_table(names, units, columns))
    else:
        stream.writelines((_csv if form == "csv" else _json)(names, columns))


def export_file(rows: xr.Dataset, form: str, path: Path) -> None:
    """Write rows to a file, as `export` does; an earlier file is replaced in one step.

    Raises:
        InputError: no such format.
        RunError: the file cannot be written.
    """
    text = io.StringIO()
    export(rows, form, text)
    write_file(path, text.getvalue().encode())


def _plain(values: np.ndarray) -> list[Any]:
    """Python values, None where one is missing; single precision without the digits it does not have."""
    if values.dtype == np.float32:
        values = np.array([float(str(value)) for value in values])
    return [None if value != value else value for value in values.tolist()]


def _csv(names: list[str], columns: list[list[Any]]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for row in [names, *zip(*columns, strict=True)]:
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _json(names: list[str], columns: list[list[Any]]) -> Iterator[str]:
    yield "["
    for number, row in enumerate(zip(*columns, strict=True)):
        finite = [None if isinstance(value, float) and math.isinf(value) else value for value in row]
        yield (("," if number else "") + "\n" + json.dumps(dict(zip(names, finite, strict=True)), allow_nan=False))
    yield "\n]\n"


def _table(names: list[str], units: list[str], columns: list[list[Any]]) -> Iterator[str]:
    texts = [[_short(value) for value in column] for column in columns]
    widths = [max(map(len, [name, unit, *text])) for name, unit, text in zip(names, units, texts, strict=True)]
    left = [any(isinstance(value, str) for value in column) for column in columns]
    for row in [names, units, *zip(*texts, strict=True)]:
        cells = [
            text.ljust(width) if is_left else text.rjust(width)
            for text, width, is_left in zip(row, widths, left, strict=True)
        ]
        yield "  ".join(cells).rstrip() + "\n"
    count = len(columns[0]) if columns else 0
    yield f"{count} star{'' if count == 1 else 's'}\n"


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
