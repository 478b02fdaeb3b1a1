"""The page of settings, and the commented files of recipes and sites, say what the settings are."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from spotcat.config import Recipe, Site, SurveyConfig, load_recipe, load_site, to_dict
from spotcat.reference import KINDS, as_toml, full, keys, listing, settings_markdown, shipped
from spotcat.status import InputError

ROOT = Path(__file__).parents[1]
LOAD: dict[str, Any] = {"recipe": load_recipe, "site": load_site}
DEFAULTS = {"recipe": Recipe(SurveyConfig("minimal", "runs/minimal", 1)), "site": Site()}


def _flat(data: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """The values of a file under their section and key."""
    top = {("", key): value for key, value in data.items() if not isinstance(value, dict)}
    inner = {(s, key): value for s, table in data.items() if isinstance(table, dict) for key, value in table.items()}
    return top | inner


def _spotcat(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spotcat", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd)


def test_the_committed_page_is_that_of_the_settings() -> None:
    assert (ROOT / "docs/settings.md").read_text() == settings_markdown(), "run `make schema`"


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_has_its_default_a_meaning_and_another_value_as_example(kind: str) -> None:
    found = {(key.section, key.name): key for key in keys(kind)}
    defaults = _flat(to_dict(DEFAULTS[kind]))
    assert found.keys() == defaults.keys()
    for place, key in found.items():
        assert len(key.meaning) > 8 and key.meaning.endswith("."), place
        if key.default is not None:
            assert tomllib.loads(f"x = {as_toml(key.default)}")["x"] == defaults[place]
            assert as_toml(key.default) != key.example, place


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_are_values_that_a_run_takes(kind: str, tmp_path: Path) -> None:
    text = ""
    for key in keys(kind):
        text += f"[{key.section}]\n" if key.section and f"[{key.section}]\n" not in text else ""
        text += f"{key.name} = {key.example}\n"
    (tmp_path / "example.toml").write_text(text)
    assert _flat(to_dict(LOAD[kind](tmp_path / "example.toml"))).keys() == _flat(to_dict(DEFAULTS[kind])).keys()


def test_units_are_those_of_the_types() -> None:
    units = {(key.section, key.name): key.unit for key in keys("recipe")}
    assert units["clean", "gap"] == units["simulate", "period"] == "d"
    assert units["fit", "lifetimes"] == "rotations"
    assert units["fit", "shears"] == units["survey", "name"] == ""
    assert {key.name: key.unit for key in keys("site")}["drain"] == "s"


@pytest.mark.parametrize("kind", KINDS)
def test_the_full_file_has_every_key_at_its_default_and_loads(kind: str, tmp_path: Path) -> None:
    (tmp_path / "full.toml").write_text(full(kind))
    assert LOAD[kind](tmp_path / "full.toml") == DEFAULTS[kind]
    assert _flat(tomllib.loads(full(kind))) == _flat(to_dict(DEFAULTS[kind]))
    lines = full(kind).splitlines()
    for number, line in enumerate(lines):
        assert len(line) <= 110
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# "), line


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["--full", "--minimal", ""])
def test_what_the_command_prints_loads(kind: str, option: str, tmp_path: Path) -> None:
    done = _spotcat(kind, *filter(None, [option]), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# ")
    (tmp_path / "printed.toml").write_text(done.stdout)
    assert isinstance(LOAD[kind](tmp_path / "printed.toml"), KINDS[kind])
    if option == "--full":
        assert done.stdout == full(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_those_that_come_along_are_the_ones_of_the_checkout(kind: str) -> None:
    paths = sorted((ROOT / "workflows" / f"{kind}s").glob("*.toml"))
    assert [line.split()[0] for line in listing(kind).splitlines()] == [path.stem for path in paths]
    for path in paths:
        assert shipped(kind, path.stem) == path.read_text()


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recipe 'minimum' comes with spotcat; did you mean 'minimal'"):
        shipped("recipe", "minimum")
    done = _spotcat("site", "slrm", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "spotcat: no site 'slrm' comes with spotcat; did you mean 'slurm'?\n"


def test_sections_are_dataclasses_all_the_way_down() -> None:
    for kind, top in KINDS.items():
        sections = {key.section for key in keys(kind)} - {""}
        inner = {field.name for field in fields(DEFAULTS[kind]) if is_dataclass(getattr(DEFAULTS[kind], field.name))}
        assert sections == inner, top
