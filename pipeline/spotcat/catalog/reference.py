"""The schema as files: ``catalogs/schema.json`` for programs, ``docs/columns.md`` for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from spotcat.catalog.schema import document

_HEADS = {
    "columns": ("Columns of the table", "One value per star, in the order in which tables are printed."),
    "arrays": ("Arrays beside the table", "Many values per star; they are read with `star()` or from the dataset."),
    "added_by_searches": ("Added by searches", "`cone` and `crossmatch` add these to what they find."),
}


def schema_json() -> str:
    """The schema as JSON."""
    return json.dumps(document(), indent=2) + "\n"


def schema_markdown() -> str:
    """The schema as a page."""
    schema = document()
    return "\n".join(_page(schema)) + "\n"


def _page(schema: dict[str, Any]) -> Iterator[str]:
    yield "# Columns"
    yield ""
    yield f"Version {schema['schema_version']} of the schema. This page is made from the package by `make schema`."
    for key, (head, words) in _HEADS.items():
        yield from ("", f"## {head}", "", words, "")
        yield from _table(schema[key])
    for column in schema["columns"]:
        if "flag_meanings" in column:
            yield from ("", f"## Words of `{column['name']}`", "", "| value | word |", "|---:|---|")
            numbers = column.get("flag_values") or column["flag_masks"]
            yield from (f"| {n} | {w} |" for n, w in zip(numbers, column["flag_meanings"].split(), strict=True))


def _table(columns: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield "| name | type | unit | UCD | what |"
    yield "|---|---|---|---|---|"
    for column in columns:
        cells = (column["name"], column["dtype"], column["units"], column["ucd"])
        marked = " | ".join(f"`{cell}`" if cell else "" for cell in cells)
        yield f"| {marked} | {column['description']} |"
