from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotcat.config import FitConfig, InputConfig, Recipe, SurveyConfig, load_recipe, to_dict
from spotcat.run.changes import differences, in_brief
from spotcat.run.claim import is_running, joined, owned
from spotcat.run.folder import RunFolder, existing
from spotcat.run.stages import ingest_stage
from spotcat.status import InputError


def _recipe(output: Path) -> Recipe:
    return Recipe(SurveyConfig("name", str(output), 1))


def test_a_new_folder_gets_the_recipe_with_every_default(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "a" / "run")
    with owned(recipe) as folder:
        assert load_recipe(folder.recipe) == recipe
    assert tomllib.loads(folder.recipe.read_text()) == to_dict(recipe)


def test_a_folder_is_reopened_with_the_same_recipe_by_any_path(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "run")
    with owned(recipe) as folder:
        before = folder.recipe.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    with owned(_recipe(tmp_path / "link")) as folder:
        assert folder.recipe.read_bytes() == before


def test_another_recipe_is_refused_with_the_key_that_differs(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "run")
    with owned(recipe) as folder:
        folder.ledger.mkdir()
    changed = replace(recipe, fit=FitConfig(n_modes=7))
    with pytest.raises(InputError, match=r"\(fit\.n_modes 5 -> 7\); .*another survey\.output"), owned(changed):
        pass
    assert load_recipe(tmp_path / "run" / "recipe.toml") == recipe


def test_what_a_catalog_says_of_itself_may_change_at_any_time(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "run")
    with owned(recipe) as folder:
        folder.ledger.mkdir()
    told = replace(recipe, survey=replace(recipe.survey, authors=("Ada",), licence="CC-BY-4.0", date="2026-11-28"))
    with owned(told) as folder:
        assert load_recipe(folder.recipe) == told
    both = replace(told, survey=replace(told.survey, licence="", seed=2))
    with pytest.raises(InputError, match=r"survey\.seed 1 -> 2"), owned(both):
        pass


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else than a run"), owned(_recipe(tmp_path)):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_whose_driver_died_early_is_taken_over(tmp_path: Path) -> None:
    for name in (".lock", "recipe.toml.partial"):
        (tmp_path / name).write_text("")
    with owned(_recipe(tmp_path)) as folder:
        assert folder.recipe.exists()


@pytest.mark.parametrize("below", ["file", "file/run"])
def test_an_output_that_cannot_be_written_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    output = tmp_path / below
    with pytest.raises(InputError, match=f"{output}: cannot be written"), owned(_recipe(output)):
        pass


def test_one_driver_at_a_time(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "run")
    with owned(recipe) as folder:
        assert is_running(folder)
        with pytest.raises(InputError, match="another spotcat is at work"), owned(recipe):
            pass
    assert not is_running(folder)
    with owned(recipe):
        pass


def test_drivers_that_share_keep_one_that_does_all_out_and_wait_for_it(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "run")
    with joined(recipe) as (folder, first):
        # Alone, it may change what all of them use.
        assert is_running(folder)
        first.shared()
        with joined(recipe) as (_, second):
            assert not second.exclusive()
            with pytest.raises(InputError, match="another spotcat is at work"), owned(recipe):
                pass
            assert is_running(folder)
        assert first.exclusive()
        first.shared()
        # A look at the lock does not lose it.
        assert is_running(folder) and is_running(folder)
        assert first.exclusive(wait=True)
    assert not is_running(folder)


def test_sharing_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path / "run")
    with joined(recipe) as (_, lock):
        lock.shared()
        changed = replace(recipe, fit=FitConfig(n_modes=7))
        with pytest.raises(InputError, match=r"fit\.n_modes 5 -> 7"), joined(changed):
            pass


@pytest.mark.parametrize("left", [(), ("events/a.jsonl", "spotcat.log"), ("slurm/job.sh", "slurm/site.toml")])
def test_a_run_that_produced_nothing_keeps_no_other_recipe_out(tmp_path: Path, left: tuple[str, ...]) -> None:
    with owned(_recipe(tmp_path / "run")) as folder:
        for name in left:
            (folder.path / name).parent.mkdir(exist_ok=True)
            (folder.path / name).write_text("")
    changed = replace(_recipe(tmp_path / "run"), fit=FitConfig(n_modes=7))
    with owned(changed):
        assert load_recipe(folder.recipe) == changed
    with joined(_recipe(tmp_path / "run")):
        assert load_recipe(folder.recipe) == _recipe(tmp_path / "run")


@pytest.mark.parametrize(
    "name", ["lightcurves.zarr", "lightcurves.zarr.partial", "parts", "ledger", "catalog.zarr", "slurm/job.json"]
)
def test_whatever_a_run_produced_keeps_other_recipes_out(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with owned(_recipe(tmp_path / "run")) as folder:
        (folder.path / name).mkdir(parents=True)
    if name == "slurm/job.json":
        # Without Slurm's commands nobody knows whether the job is in the queue.
        (folder.path / name).rmdir()
        (folder.path / name).write_text('{"job": "1"}')
    with (
        pytest.raises(InputError, match="belongs to another recipe"),
        owned(replace(_recipe(tmp_path / "run"), fit=FitConfig(n_modes=7))),
    ):
        pass
    assert load_recipe(folder.recipe) == _recipe(tmp_path / "run")


def test_a_mended_glob_is_not_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "survey.toml"
    text = f'[survey]\nname = "a"\noutput = "{tmp_path}/run"\nseed = 1\n[input]\nfiles = ["{tmp_path}/NAME"]\n'
    (tmp_path / "star.csv").write_text("time,flux\n1,1\n2,1\n3,1\n")
    recipe.write_text(text.replace("NAME", "*.cvs"))
    with pytest.raises(InputError, match="matches no file"):
        ingest_stage(load_recipe(recipe))
    recipe.write_text(text.replace("NAME", "*.csv"))
    ingest_stage(load_recipe(recipe))
    recipe.write_text(text.replace("NAME", "star.csv"))
    with pytest.raises(InputError, match=r"another recipe \(input.files"):
        ingest_stage(load_recipe(recipe))


def _many(*names: str) -> tuple[str, ...]:
    return tuple(f"/archive/kepler/quarter{number:02d}/*.fits" for number in range(40)) + names


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"input": InputConfig(("a",))}, {"input": InputConfig(("b",))}, "input.files ['a'] -> ['b']"),
        (
            {"input": InputConfig(_many("x", "end"))},
            {"input": InputConfig(_many("y", "end"))},
            "input.files 'x' (1 of 42) -> 'y' (1 of 42)",
        ),
        (
            {"input": InputConfig(_many())},
            {"input": InputConfig(_many("y"))},
            "input.files none (0 of 40) -> 'y' (1 of 41)",
        ),
        (
            {"input": InputConfig(manifest="/a" * 50 + "/one" + "/b" * 50)},
            {"input": InputConfig(manifest="/a" * 50 + "/two" + "/b" * 50)},
            "/a/one/b",
        ),
        (
            {},
            {"fit": FitConfig(n_modes=4, n_harm=5, p_min=1.0, confirm_modes=2)},
            "fit.n_modes 5 -> 4, and 1 more keys",
        ),
    ],
)
def test_what_differs_is_said_in_brief(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    recipe = Recipe(SurveyConfig("name", "out", 1))
    text = in_brief(differences(replace(recipe, **old), replace(recipe, **new)))
    assert len(text) < 250
    assert words in text


def test_a_run_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run here"):
        existing(tmp_path)
    assert not is_running(RunFolder(tmp_path))
