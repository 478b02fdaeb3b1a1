"""Tables of text: which columns they have, with every field under its own name or not at all.

Fields are told apart by commas, semicolons, tabs, bars or white space; a comma may be the decimal sign where it is not
the separator.  The names stand in the first line, or in the last comment above it.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from spotcat.ingest.clean import Refusal
from spotcat.status import Status

_SEPARATORS = (",", ";", "\t", "|")
_SPACES = ""
"""Any white space as separator."""
_ENCODINGS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
MISSING = frozenset(
    (
        "",
        "na",
        "n/a",
        "#n/a",
        "<na>",
        "nan",
        "null",
        "none",
        "nil",
        "masked",
        "missing",
        "nat",
        "-",
        "--",
        "...",
        "?",
        ".",
    )
)
_FORTRAN = re.compile(r"([0-9.])[dD]([+-]?\d)")
_SHOWN = 20
"""Characters of a field that a message repeats."""


class TextTable(NamedTuple):
    """Names of the columns, their fields as text, the number of each row's line, and the separator."""

    names: list[str]
    columns: list[list[str]]
    lines: list[int]
    separator: str


def decode(contents: bytes) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, or Latin-1, in which every byte is a letter."""
    for mark, encoding in _ENCODINGS.items():
        if contents.startswith(mark):
            return contents.decode(encoding, errors="replace")
    try:
        return contents.decode("utf-8")
    except UnicodeDecodeError:
        return contents.decode("latin-1")


def parse(text: str, separator: str | None = None) -> TextTable | Refusal:
    """Split a text into columns.

    Args:
        text: of the file.
        separator: a character or, for white space, nothing; None to find it out.
    """
    rows, comment = _lines(text)
    if not rows:
        return _refused("the table is empty")
    names, separator = _header(rows[0][1], separator)
    if all(_is_number(name) for name in names):
        names, separator = _header(comment, separator)
        if not {"time", "flux"} <= _folded(names):
            return _refused("no column 'time', 'flux': its first line has numbers, not names")
    else:
        rows = rows[1:]
    if not rows:
        return _refused("the table has no rows")
    return _columns(names, rows, separator)


def numbers(fields: Sequence[str], separator: str) -> np.ndarray | int:
    """Fields as f8, NaN where one is empty or a word for missing; or the place of the first that is no number."""
    try:
        return np.array(list(map(float, fields)))
    except ValueError:
        pass
    plain = [field.strip() for field in fields]
    comma = separator != "," and any("," in field for field in plain)
    values = np.empty(len(plain))
    for place, field in enumerate(plain):
        if field.lower() in MISSING:
            values[place] = np.nan
            continue
        # One sign in a column: a point among commas would make one of them a separator of thousands.
        if comma and "." in field:
            return place
        text = field.replace(",", ".") if comma else field
        try:
            values[place] = float(_FORTRAN.sub(r"\1e\2", text))
        except ValueError:
            return place
    return values


def shown(field: str) -> str:
    """A field as a message repeats it."""
    return repr(field if len(field) <= _SHOWN else field[:_SHOWN] + "...")


def _lines(text: str) -> tuple[list[tuple[int, str]], str]:
    """The lines that hold something, with their numbers, and the last comment above the first of them."""
    rows: list[tuple[int, str]] = []
    comment = ""
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        content, mark, remark = line.partition("#")
        if content.strip():
            rows.append((number, content))
        elif mark and not rows and remark.strip():
            comment = remark.lstrip("#")
    return rows, comment


def _header(line: str, separator: str | None) -> tuple[list[str], str]:
    """The names in a line and what separates them: what yields a time and a flux, or else the most names."""
    if separator is not None:
        return _names(line, separator), separator
    found = [(_names(line, mark), mark) for mark in (*_SEPARATORS, _SPACES)]
    best = [pair for pair in found if {"time", "flux"} <= _folded(pair[0])]
    return best[0] if best else max(found, key=lambda pair: len(pair[0]))


def _names(line: str, separator: str) -> list[str]:
    names = [name.strip() for name in next(_split([line], separator), [])]
    while names and not names[-1]:
        names.pop()
    return names


def _folded(names: Sequence[str]) -> set[str]:
    return {name.casefold() for name in names}


def _is_number(field: str) -> bool:
    try:
        float(field.replace(",", "."))
    except ValueError:
        return field == ""
    return True


def _split(lines: Sequence[str], separator: str) -> Iterator[list[str]]:
    if separator == _SPACES:
        if not any('"' in line for line in lines):
            return (line.split() for line in lines)
        lines, separator = [" ".join(line.split()) for line in lines], " "
    return csv.reader(lines, delimiter=separator, skipinitialspace=True)


def _columns(names: list[str], rows: Sequence[tuple[int, str]], separator: str) -> TextTable | Refusal:
    """The columns; a field without a name, or a name without a field, moves all others."""
    records: list[list[str]] = []
    try:
        records.extend(_split([line for _, line in rows], separator))
    except csv.Error as error:
        return _refused(f"not a table ({error})")
    if len(records) != len(rows):
        return _refused("a quoted field runs over several lines")
    width = len(names)
    for (line, _), record in zip(rows, records, strict=True):
        # Loops in Fortran, awk or C end every row with a separator.
        if len(record) < width or any(field.strip() for field in record[width:]):
            n_fields = len(record) if len(record) < width else max(k + 1 for k, f in enumerate(record) if f.strip())
            return _refused(f"line {line} has {n_fields} fields, its header names {width} columns")
    columns = [list(column) for column in list(zip(*records, strict=False))[:width]]
    return TextTable(names, columns, [line for line, _ in rows], separator)


def _refused(reason: str) -> Refusal:
    return Refusal(Status.UNREADABLE, reason)
