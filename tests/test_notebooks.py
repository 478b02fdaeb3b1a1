"""The notebooks are clean, whole, and speak of what there is; ``make notebooks`` runs them."""

from __future__ import annotations

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "workflows/notebooks").glob("*.ipynb"))


def test_there_are_six() -> None:
    assert len(NOTEBOOKS) == 6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_no_outputs_and_imports_what_there_is(path: Path) -> None:
    notebook = json.loads(path.read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    for node in ast.walk(ast.parse("\n".join("".join(cell["source"]) for cell in cells))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "spotcat":
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, name.name) for name in node.names)


def test_every_test_that_the_physics_page_names_is_there() -> None:
    tests = Path(__file__).parent
    named = re.findall(r"`(\w+/test_\w+\.py)`", (tests.parent / "docs/physics.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (tests / name).is_file()] == []
