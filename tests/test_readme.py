"""Every query in the README and the docs, run: each prints what the page says."""

from __future__ import annotations

import csv
import doctest
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spotcat.catalog.finalise import finalise
from spotcat.catalog.schema import COLUMNS
from spotcat.catalog.writer import write_part

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "docs/query.md", "docs/tutorial.md"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the catalog of the demo, as ``docs/demo_catalog.csv`` remembers it."""
    folder = tmp_path_factory.mktemp("desk")
    with (ROOT / "docs/demo_catalog.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = {}
    for column in COLUMNS:
        if column.name in rows[0]:
            texts = [row[column.name] for row in rows]
            if column.dtype == "str":
                columns[column.name] = np.array(texts, dtype=object)
            else:
                kind = float if column.dtype.startswith("f") else int
                columns[column.name] = np.array([kind(text or "nan") for text in texts]).astype(column.dtype)
    write_part(folder / "part", columns, {})
    (folder / "runs/demo").mkdir(parents=True)
    finalise([folder / "part"], folder / "runs/demo/catalog.zarr", {"survey": "demo"})
    (folder / "catalogs/literature").mkdir(parents=True)
    table = ROOT / "catalogs/literature/demo_periods.csv"
    (folder / "catalogs/literature/demo_periods.csv").write_bytes(table.read_bytes())
    return folder


def _console(page: str) -> Iterator[tuple[str, str]]:
    """The commands of a page's console blocks, and what follows each there."""
    for block in re.findall(r"^```console\n(.*?)^```", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output.rstrip("\n")


@pytest.mark.parametrize(
    ("command", "expected"), [pytest.param(*case, id=case[0]) for page in PAGES for case in _console(page)]
)
def test_a_command_prints_what_the_page_says(desk: Path, command: str, expected: str) -> None:
    program, *arguments = shlex.split(command, comments=True)
    assert program == "spotcat"
    done = subprocess.run(
        [sys.executable, "-m", "spotcat", *arguments], cwd=desk, capture_output=True, text=True, check=False
    )
    printed = (done.stdout + done.stderr).rstrip("\n")
    assert [line.rstrip() for line in printed.splitlines()] == [line.rstrip() for line in expected.splitlines()]


@pytest.mark.parametrize("page", PAGES)
def test_python_prints_what_the_page_says(desk: Path, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    monkeypatch.chdir(desk)
    # The fences of a block are not output.
    text = re.sub(r"^```.*$", "", (ROOT / page).read_text(), flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples)
    assert results.failed == 0
    assert results.attempted or page == "docs/tutorial.md"


def test_the_pages_show_something() -> None:
    assert len(list(_console("README.md"))) >= 3
    assert (ROOT / "docs/demo_catalog.csv").stat().st_size < 100_000
