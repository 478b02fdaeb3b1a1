"""What a run may not go on without: the sources, the libraries and the settings that its rows depend on."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from spotcat.catalog.ledger import Ledger
from spotcat.config import FitConfig, InputConfig, Recipe, SurveyConfig
from spotcat.run.fingerprint import LIBRARIES, PACKAGE, ROOTS, closure, fingerprint
from spotcat.status import InputError

RECIPE = Recipe(SurveyConfig("name", "folder", 1))
FILES_ONLY = {"blackjax", "corner", "lightkurve", "matplotlib", "pyarrow", "sympy", "tomli_w", "zarr"}
"""Other packages that these modules import: they read, write or draw (and blackjax, which counts where it samples)."""


@pytest.mark.parametrize(
    ("changed", "keys"),
    [
        ({"survey": SurveyConfig("other", "elsewhere", 1)}, set()),
        ({"survey": SurveyConfig("name", "folder", 2)}, {"config"}),
        ({"fit": FitConfig(n_modes=3)}, {"config"}),
        ({"fit": FitConfig(latitude="area")}, {"config"}),
        ({"input": InputConfig(author="SPOC")}, {"config"}),
        ({"fit": FitConfig(sampler="nuts")}, {"config", "blackjax"}),
    ],
)
def test_the_fingerprint_knows_what_decides_a_result(changed: dict[str, Any], keys: set[str]) -> None:
    first, second = fingerprint(RECIPE), fingerprint(replace(RECIPE, **changed))
    assert {key for key in {*first, *second} if first.get(key) != second.get(key)} == keys
    assert first != fingerprint(RECIPE, "cuda")


def test_every_module_that_decides_a_row_counts_and_no_other() -> None:
    modules, others = closure(ROOTS)
    names = {path.relative_to(PACKAGE).as_posix() for path in modules}
    # One of every room, and the modules that belong to none.
    assert names > {"gaps.py", "spots.py", "status.py", "settings.py", "config.py", "run/plan.py", "fit/engine.py"}
    assert names > {"model/grid.py", "star/limb.py", "star/envelopes/smooth.py", "ingest/clean.py", "catalog/schema.py"}
    assert not {name for name in names if name.startswith(("check/", "report/", "cli", "commands", "run/slurm"))}
    assert not names & {"__init__.py", "catalog/query.py", "catalog/export.py", "ingest/fetch.py"}
    # Whoever adds a library says whether numbers come from it.
    assert others - sys.stdlib_module_names == ({*LIBRARIES} - {"jaxlib"}) | FILES_ONLY
    assert (modules, others) == closure(reversed(ROOTS))


@pytest.mark.parametrize(
    "text",
    [
        "from pkg.deep import b",
        "from pkg.deep.b import c",
        "import pkg.deep.b",
        "from .deep.b import c",
        "def f():\n    from pkg.deep.b import c",
        "from pkg.middle import x",
        "if True:\n    from . import middle",
    ],
)
def test_imports_are_followed_however_they_are_written(tmp_path: Path, text: str) -> None:
    files = {"a.py": text, "middle.py": "from .deep import b", "deep/b.py": "from ..c import d\nimport numpy as n"}
    for name, content in {**files, "c.py": "", "unused.py": "", "deep/__init__.py": "", "__init__.py": "1/0"}.items():
        (tmp_path / "pkg" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pkg" / name).write_text(content)
    modules, others = closure(["a.py"], tmp_path / "pkg")
    names = {path.relative_to(tmp_path / "pkg").as_posix() for path in modules}
    assert names - {"middle.py"} == {"a.py", "c.py", "deep/__init__.py", "deep/b.py"}
    assert others == {"numpy"}


@pytest.mark.parametrize("name", [*LIBRARIES, "platform", "code"])
def test_what_a_run_began_with_is_named_where_it_differs(tmp_path: Path, name: str) -> None:
    now = fingerprint(RECIPE)
    assert name not in LIBRARIES or now[name] == version(name)
    Ledger(tmp_path / "ledger", {**now, name: "0.0"}).record("chunk-0", {1: "a"}, "sum", 1.0)
    ledger = Ledger(tmp_path / "ledger", now)
    with pytest.raises(InputError, match=rf"\({name} 0\.0 -> {now[name]}\); give the survey another output"):
        ledger.check()
    assert ledger.begun() == {**now, name: "0.0"}
