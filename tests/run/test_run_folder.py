from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from spotcat.config import FitConfig, Recipe, SurveyConfig, load_recipe, to_dict
from spotcat.run.folder import RunFolder, existing, is_running, joined, owned
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
    with owned(recipe):
        pass
    changed = replace(recipe, fit=FitConfig(batch=7))
    with pytest.raises(InputError, match=r"fit\.batch = 16 instead of 7; .*another survey\.output"), owned(changed):
        pass
    assert load_recipe(tmp_path / "run" / "recipe.toml") == recipe


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
        changed = replace(recipe, fit=FitConfig(batch=7))
        with pytest.raises(InputError, match=r"fit\.batch = 16 instead of 7"), joined(changed):
            pass


def test_a_run_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run here"):
        existing(tmp_path)
    assert not is_running(RunFolder(tmp_path))
