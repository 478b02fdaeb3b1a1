"""`spotcat check calibrate` and `recovery` from simulated stars to what they write, by a small and hasty fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from spotcat.cli import main
from spotcat.config import load_recipe
from spotcat.verdict.calibration import calibration_of, read

SETS = ["half-year:12", "half-year-quiet:8"]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """Two small sets; detections are what gains anything at all, so that some lifetimes are measured."""
    path = tmp_path / "check.toml"
    path.write_text(
        f"""
[survey]
name = "check"
output = "{tmp_path / "out"}"
seed = 5
[check]
sets = {json.dumps(SETS)}
[fit]
n_period = 64
lifetimes = [3.0]
shears = [0.0]
refine_steps = 8
confirm_steps = 1
polish_steps = 1
detection = 0.0
false_alarm = 1.0
reliability = 0.0
"""
    )
    return path


@pytest.mark.slow
def test_a_table_is_learnt_and_the_same_stars_are_judged(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site, table = tmp_path / "site.toml", tmp_path / "table.json"
    site.write_text('executor = "serial"\n')
    assert main(["check", "calibrate", str(recipe), "--site", str(site), "--out", str(table)]) == 0
    learnt = read(table.read_text())
    assert learnt.version.endswith("seed 5, " + " ".join(SETS))
    assert calibration_of(replace(load_recipe(recipe).fit, calibration=str(table))) == learnt
    assert all(factor > 0 for rows in learnt.factors.values() for row in rows for factor in row)

    capsys.readouterr()
    assert main(["check", "recovery", str(recipe), "--site", str(site)]) == 0
    printed = capsys.readouterr().out
    assert "| half-year | periods within 10 % |" in printed
    assert "| half-year-quiet | called rotating |" in printed
    report = json.loads((tmp_path / "out" / "validation.json").read_text())
    assert {figure["set"] for figure in report["figures"]} == {"half-year", "half-year-quiet"}
    assert (tmp_path / "out" / "half-year.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("command", "check", "said"),
    [
        ("recovery", "", "the recipe names no set"),
        ("calibrate", '[check]\nsets = ["half-year:12"]\n', "needs sets of rotators and sets without rotation"),
    ],
)
def test_a_recipe_without_its_sets_is_refused(
    command: str, check: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "empty.toml"
    recipe.write_text(f'[survey]\nname = "check"\noutput = "{tmp_path / "out"}"\nseed = 5\n{check}')
    out = ["--out", str(tmp_path / "table.json")] if command == "calibrate" else []
    assert main(["check", command, str(recipe), *out]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
