"""Codes and flags as words: in tables for people, in exports, in the descriptions of columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spotcat.catalog.schema import CODES, MASKS, Column

if TYPE_CHECKING:
    from spotcat.catalog.selection import Catalog

NONE = "none"
"""What stands for no flag at all."""
_BETWEEN = "|"


def has_words(column: Column) -> bool:
    """Whether a column holds codes or flags."""
    return column.dtype != "str" and (column.name in CODES or column.name in MASKS)


def in_words(column: Column, values: np.ndarray) -> np.ndarray:
    """Codes as their word, flags as theirs with ``|`` between or ``none``; what has no word stays a number.

    Args:
        column: one that `has_words`.
        values: its values, shape (n,).

    Returns:
        Texts, shape (n,), of objects.
    """
    codes, masks = CODES.get(column.name), MASKS.get(column.name, {})

    def words(value: int) -> str:
        if codes is not None:
            return codes.get(value, str(value))
        known = [word for bit, word in masks.items() if value & bit]
        unknown = value & ~sum(masks)
        return _BETWEEN.join([*known, *([str(unknown)] if unknown else [])]) or NONE

    distinct, place = np.unique(values, return_inverse=True)
    return np.array([words(int(value)) for value in distinct], dtype=object)[place.reshape(values.shape)]


def with_words(rows: Catalog) -> Catalog:
    """The same rows with words in place of codes and flags."""
    from spotcat.catalog.selection import Catalog
    from spotcat.catalog.store import Held

    return Catalog({name: Held(*_worded(column, rows.column(name))) for name, column in _table(rows)}, rows.attrs)


def explained(column: Column) -> str:
    """The column's description, with what each code or bit stands for."""
    if not has_words(column):
        return column.description
    kind, table = ("codes", CODES[column.name]) if column.name in CODES else ("bits", MASKS[column.name])
    return f"{column.description} ({kind}: {', '.join(f'{number} {word}' for number, word in table.items())})"


def _table(rows: Catalog) -> list[tuple[str, Column]]:
    return [(name, rows.columns[name]) for name in rows.names]


def _worded(column: Column, values: np.ndarray) -> tuple[Column, np.ndarray]:
    if not has_words(column):
        return column, values
    return replace(column, dtype="str", fill=""), in_words(column, values)
