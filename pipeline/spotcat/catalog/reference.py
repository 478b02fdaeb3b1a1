"""The schema as files: ``catalogs/schema.json`` for programs, ``docs/columns.md`` for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from spotcat.catalog.schema import document
from spotcat.status import Flag, Status, Verdict

_HEADS = {
    "columns": ("Columns of the table", "One value per star, in the order in which tables are printed."),
    "arrays": ("Arrays beside the table", "Many values per star; they are read with `star()` or from the dataset."),
    "added_by_searches": (
        "Added by searches",
        "`cone` and `crossmatch` add the first two, `with_errors` and `spotcat query` have the others.",
    ),
}
_MEANINGS: dict[str, dict[int, str]] = {
    "verdict": {int(code): code.meaning for code in Verdict},
    "status": {int(code): code.words or "a finished fit" for code in Status},
    "flags": {int(bit): bit.words[0] for bit in Flag},
}
"""What words stand for, where there is a sentence for it."""


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
            numbers = column.get("flag_values") or column["flag_masks"]
            table = dict(zip(numbers, column["flag_meanings"].split(), strict=True))
            yield from ("", f"## Words of `{column['name']}`", "", *_words(table, _MEANINGS.get(column["name"], {})))


def _words(words: dict[int, str], meanings: Mapping[int, str]) -> Iterator[str]:
    if not meanings:
        yield from ("| value | word |", "|---:|---|", *(f"| {n} | {word} |" for n, word in words.items()))
        return
    yield from ("| value | word | what |", "|---:|---|---|")
    yield from (f"| {n} | {word} | {meanings[n]} |" for n, word in words.items())


def _table(columns: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield "| name | type | unit | UCD | what |"
    yield "|---|---|---|---|---|"
    for column in columns:
        cells = (column["name"], column["dtype"], column["units"], column["ucd"])
        marked = " | ".join(f"`{cell}`" if cell else "" for cell in cells)
        yield f"| {marked} | {column['description']} |"
