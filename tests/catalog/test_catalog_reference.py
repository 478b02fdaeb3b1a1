"""The generated files say what the schema says."""

from __future__ import annotations

import json
from pathlib import Path

from spotcat.catalog.reference import schema_json, schema_markdown
from spotcat.catalog.schema import ARRAYS, COLUMNS, SCHEMA_VERSION
from spotcat.status import Flag, Verdict

ROOT = Path(__file__).parents[2]


def test_the_committed_files_are_those_of_the_schema() -> None:
    message = "run `make schema`"
    assert (ROOT / "catalogs/schema.json").read_text() == schema_json(), message
    assert (ROOT / "docs/columns.md").read_text() == schema_markdown(), message


def test_the_document_holds_every_column_in_order() -> None:
    schema = json.loads(schema_json())
    assert schema["schema_version"] == SCHEMA_VERSION
    assert [column["name"] for column in schema["columns"]] == [column.name for column in COLUMNS]
    assert [column["name"] for column in schema["arrays"]] == [column.name for column in ARRAYS]
    for written, column in zip(schema["columns"], COLUMNS, strict=True):
        assert (written["units"], written["ucd"]) == (column.unit, column.ucd)
    assert set(schema["columns"][0]) == {"name", "dtype", "dimensions", "missing", "description", "ucd", "units"}


def test_the_page_has_a_row_for_every_column_and_word() -> None:
    lines = schema_markdown().splitlines()
    for column in (*COLUMNS, *ARRAYS):
        (row,) = (line for line in lines if line.startswith(f"| `{column.name}` |"))
        assert row.count("|") == 6
        assert column.description in row
    assert f"| 4 | alias_possible | {Flag.ALIAS_POSSIBLE.words[0]} |" in lines
    assert f"| 1 | rotator | {Verdict.ROTATOR.meaning} |" in lines
    assert "| 1 | lower_limit |" in lines
