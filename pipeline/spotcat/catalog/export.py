"""Selected rows as a file or text: an aligned table for people, the formats of the field for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from spotcat.atomic import write_file
from spotcat.catalog.escapes import as_line, as_text
from spotcat.catalog.schema import PRINTED
from spotcat.catalog.words import with_words
from spotcat.config import nearest
from spotcat.status import InputError, Verdict

if TYPE_CHECKING:
    from spotcat.catalog.selection import Catalog

FORMATS = ("table", "csv", "ecsv", "fits", "votable", "parquet", "json")
_BINARY = ("fits", "parquet")
_SUFFIXES = {".vot": "votable", ".xml": "votable", ".fit": "fits", ".pq": "parquet", ".txt": "table"}


def format_of(path: Path) -> str:
    """The format that a file's suffix stands for; without one it is a printed table.

    Raises:
        InputError: no format has this suffix.
    """
    suffix = path.suffix.lower()
    plain = suffix.removeprefix(".")
    known = {**{f".{form}": form for form in FORMATS if form != "table"}, **_SUFFIXES, "": "table"}
    if suffix not in known:
        endings = ", ".join(ending for ending in known if ending)
        raise InputError(f"{path}: no format ends in {plain!r}; known: {endings}; or say --format")
    return known[suffix]


def export(rows: Catalog, form: str, stream: TextIO) -> None:
    """Write rows as text.

    A ``table`` has aligned columns under their names and units, six significant digits, ``-`` where a value is
    missing, words for codes and flags, and ``?`` behind a period that its verdict, where it is there, makes a
    candidate.  ``csv`` has one header line of plain names, every digit, and nothing where a value is
    missing.  ``json`` is a list of objects, with null where a value is missing or infinite.  ``ecsv`` and
    ``votable`` carry units, UCDs and descriptions, and so do the binary ``fits`` and ``parquet``, which
    `export_file` alone writes.  Characters that a format cannot hold are escaped as Python does, such as ``\\x07``.

    Args:
        rows: a catalog or a selection of one; the arrays beside its table are left out.
        form: one of `FORMATS`.
        stream: where the text goes; a ``table`` in the stream's own encoding, what programs read in UTF-8.

    Raises:
        InputError: no such format, or it is not text.
    """
    if form in _BINARY:
        raise InputError(f"{form} is not text; name a file with --out")
    if form not in ("table", "csv", "json"):
        _write_utf8([_bytes(rows, form).decode("utf-8")], stream)
        return
    names = rows.names
    if form == "table":
        worded = with_words(rows)
        units = [rows.columns[name].unit for name in names]
        stream.writelines(_table(names, units, [_plain(worded.column(name)) for name in names], _candidates(rows)))
        return
    columns = [_plain(rows.column(name)) for name in names]
    _write_utf8((_csv if form == "csv" else _json)(names, columns), stream)


def _write_utf8(lines: Iterable[str], stream: TextIO) -> None:
    """Write to a stream whatever its locale says; a stream in memory has text alone."""
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        stream.writelines(lines)
        return
    stream.flush()
    for line in lines:
        buffer.write(line.encode("utf-8"))
    buffer.flush()


def export_file(rows: Catalog, form: str, path: Path) -> None:
    """Write rows to a file, as `export` does; an earlier file is replaced in one step.

    Raises:
        InputError: no such format, or the package that writes it is not installed.
        RunError: the file cannot be written.
    """
    if form in ("table", "csv", "json"):
        text = io.StringIO()
        export(rows, form, text)
        write_file(path, text.getvalue().encode("utf-8"))
    else:
        write_file(path, _bytes(rows, form))


def _bytes(rows: Catalog, form: str) -> bytes:
    """A file of one of the field's own formats."""
    from spotcat.catalog import tables

    if form not in FORMATS:
        raise InputError(f"unknown format {form!r}; {nearest(form, list(FORMATS))}")
    if form == "ecsv":
        return tables.ecsv_text(rows).encode("utf-8")
    writers = {"fits": tables.fits_bytes, "votable": tables.votable_bytes, "parquet": tables.parquet_bytes}
    return writers[form](rows)


def preview(catalog: Catalog) -> str:
    """The first stars as a table, for a person who looks at a catalog in Python."""
    names = [name for name in PRINTED if name in catalog.names] or catalog.names
    text = io.StringIO()
    export(catalog.select(names).head(10), "table", text)
    title = f"{as_line(str(catalog.attrs['survey']))}: " if catalog.attrs.get("survey") else ""
    *lines, count = text.getvalue().splitlines()
    if len(catalog) > 10:
        lines, count = [*lines, "..."], f"{len(catalog)} stars"
    return "\n".join([f"{title}{count}, {len(catalog.names)} columns", *lines]).rstrip()


def _plain(values: np.ndarray) -> list[Any]:
    """Python values, None where one is missing; single precision without the digits it does not have."""
    if values.dtype == np.float32:
        values = np.array([float(str(value)) for value in values])
    return [None if value != value else value for value in values.tolist()]


def _csv(names: list[str], columns: list[list[Any]]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for row in [names, *zip(*columns, strict=True)]:
        writer.writerow([as_text(value) if isinstance(value, str) else value for value in row])
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _json(names: list[str], columns: list[list[Any]]) -> Iterator[str]:
    yield "["
    for number, row in enumerate(zip(*columns, strict=True)):
        finite = [None if isinstance(value, float) and math.isinf(value) else value for value in row]
        yield (("," if number else "") + "\n" + json.dumps(dict(zip(names, finite, strict=True)), allow_nan=False))
    yield "\n]\n"


def _candidates(rows: Catalog) -> list[bool]:
    """Which periods are candidates; none where there is no verdict."""
    if not {"prot", "verdict"} <= set(rows.names) or rows.columns["verdict"].dtype == "str":
        return []
    known = np.isfinite(rows.column("prot")).tolist()
    return [known[row] and Verdict(code).is_candidate for row, code in enumerate(rows.column("verdict").tolist())]


def _table(names: list[str], units: list[str], columns: list[list[Any]], candidates: list[bool]) -> Iterator[str]:
    texts = [[_short(value) for value in column] for column in columns]
    if any(candidates):
        marked = texts[names.index("prot")]
        marked[:] = [text + ("?" if own else " ") for text, own in zip(marked, candidates, strict=True)]
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
    return f"{value:.6g}" if isinstance(value, float) else as_line(" ".join(str(value).split()))
