"""The table of thresholds: whole, used, frozen, and on the page that is made from it."""

from __future__ import annotations

import ast
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from astropy import units

import spotcat
from spotcat.verdict.reference import thresholds_markdown
from spotcat.verdict.thresholds import CHOSEN, THRESHOLDS, Record, Thresholds, records

ROOT = Path(__file__).parents[2]
ROOM = Path(spotcat.__file__).parent / "verdict"


def test_the_committed_page_is_that_of_the_table() -> None:
    assert (ROOT / "docs/thresholds.md").read_text() == thresholds_markdown(), "run `make schema`"


@pytest.mark.parametrize("own", records(), ids=lambda own: own.name)
def test_a_threshold_is_fully_described_and_its_source_exists(own: Record) -> None:
    units.Unit(own.unit, format="vounit", parse_strict="raise")
    assert len(own.meaning) > 20
    (row,) = (line for line in thresholds_markdown().splitlines() if line.startswith(f"| `{own.name}` |"))
    assert row.count("|") == 6
    assert own.meaning in row and own.source in row
    if own.source.startswith("tests/"):
        file, _, name = own.source.partition("::")
        tests = ast.parse((ROOT / file).read_text()).body
        assert name in {node.name for node in tests if isinstance(node, ast.FunctionDef)}
    elif own.source.startswith("spotcat "):
        assert (ROOT / own.source.split()[-1]).is_file()
    else:
        assert own.source == CHOSEN or "Handbook" in own.source


def test_every_threshold_decides_something() -> None:
    used = {
        node.attr
        for path in ROOM.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "THRESHOLDS"
    }
    assert used == {own.name for own in fields(Thresholds)}


def test_the_table_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        THRESHOLDS.least_share = 0.2  # type: ignore[misc]
